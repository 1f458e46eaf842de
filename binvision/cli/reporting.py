"""What ``binvision eval`` hands over: a table, files in ``--out``, and ZIPs for a server."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from binvision.errors import UsageError

if TYPE_CHECKING:
    from binvision.trackers.evaluation.benchmarks import Benchmark
    from binvision.trackers.evaluation.campaign import Campaign, Tracks
    from binvision.trackers.evaluation.report import Report

__all__ = ["check_libraries", "check_plan", "hand_over"]


def check_libraries(*packages: str) -> None:
    """Miss what scores and plots need before the work, not after it; empty names need nothing.

    Raises:
        ImportError: A package is not installed.
    """
    for package in filter(None, packages):
        import_module(package)


def check_plan(campaign: Campaign, out: Path | None) -> None:
    """Refuse before the work what could not be handed over after it.

    Raises:
        UsageError: results for a server have no place, or have several starts.
        DataError: they will not be complete.
        MissingExtraError: the packages that score and plot are not installed.
    """
    from binvision.trackers.evaluation.metrics import load_toolkit
    from binvision.trackers.evaluation.submission import check_complete

    if _has_truth(campaign):
        load_toolkit()
        if out:
            import_module("matplotlib")
        return
    if out is None:
        raise UsageError(
            "only the benchmark's server has the truth of these sequences; with --out DIR their "
            "results are packed for it"
        )
    if campaign.starts != 1:
        raise UsageError(
            f"--starts {campaign.starts}: these sequences have a true box in their first frame "
            f"alone; leave it at 1"
        )
    check_complete(campaign.sequences)


def hand_over(
    campaign: Campaign,
    tracks: Tracks,
    benchmark: Benchmark,
    skipped: tuple[tuple[str, str], ...],
    folder: Path | None,
    as_json: bool,
) -> None:
    """Print the result on stdout, and write everything into ``folder`` if there is one.

    Raises:
        DataError: tracks do not fit their sequences, or are no complete submission.
        SinkError: a file cannot be written.
    """
    if not _has_truth(campaign):
        assert folder is not None  # check_plan saw to it
        _submit(campaign, tracks, benchmark, folder, as_json)
        return
    from binvision.trackers.evaluation.report import make_report

    report = make_report(
        campaign, tracks, benchmark=benchmark.name, protocol=benchmark.protocol, skipped=skipped
    )
    if folder:
        _write(report, folder)
    _print(report, as_json)


def _has_truth(campaign: Campaign) -> bool:
    return all(sequence.scored for sequence in campaign.sequences)


def _submit(
    campaign: Campaign, tracks: Tracks, benchmark: Benchmark, folder: Path, as_json: bool
) -> None:
    from binvision.trackers.evaluation.submission import UPLOAD_PAGE, write_submission

    paths = []
    for entrant in campaign.entrants:
        runs = {s.name: tracks[entrant.name, s.name][0] for s in campaign.sequences}
        paths.append(folder / f"{entrant.name}.zip")
        write_submission(paths[-1], campaign.sequences, runs)
    if as_json:
        document = {"benchmark": benchmark.name, "submissions": list(map(str, paths))}
        typer.echo(json.dumps(document, indent=2))
        return
    for path in paths:
        typer.echo(path)
    count = f"{len(campaign.sequences)} sequences"
    typer.echo(f"{count} whose truth only the server has; upload at {UPLOAD_PAGE}", err=True)


def _write(report: Report, folder: Path) -> None:
    """Write plots and tables, and last the report that they are made of."""
    from binvision.media.files import write_atomically
    from binvision.trackers.evaluation import plots, tables

    plots.write_plots(report, folder)
    write_atomically(folder / "report.md", tables.markdown(report))
    write_atomically(folder / "report.json", report.to_json())


def _print(report: Report, as_json: bool) -> None:
    from binvision.cli.tables import print_table
    from binvision.trackers.evaluation import tables

    if as_json:
        typer.echo(report.to_json(), nl=False)
    else:
        print_table(tables.table(report))
