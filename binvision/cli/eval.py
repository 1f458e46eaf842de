"""``binvision eval``: measure trackers on folders of annotated sequences."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Benchmark", "Split", "evaluate"]


class Benchmark(str, Enum):
    """What ``--root`` holds; the names of `evaluation.benchmarks.BENCHMARKS`."""

    GOT10K = "got10k"
    OTB2013 = "otb2013"
    OTB50 = "otb50"
    OTB100 = "otb100"
    UAV123 = "uav123"
    UAV123_10FPS = "uav123_10fps"
    UAV20L = "uav20l"
    FOLDER = "folder"
    OTB = "otb"


class Split(str, Enum):
    """A part of GOT-10k."""

    VAL = "val"
    TEST = "test"


def evaluate(
    benchmark: Annotated[
        Benchmark,
        typer.Argument(
            help="A benchmark in its official layout, or sequences of one's own: folder, "
            "NAME/*.jpg with groundtruth.txt or OTB's layout; otb, OTB's layout only."
        ),
    ],
    root: Annotated[
        list[Path],
        typer.Option(
            help="The benchmark's folder; for folder and otb a folder of sequences, or one "
            "sequence, and may be repeated."
        ),
    ],
    split: Annotated[
        Split | None,
        typer.Option(help="Of got10k. Default: val, or test if that alone is there."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Shipped model, packed file or .pth checkpoint; may be repeated."),
    ] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(help="OpenCV tracker to measure beside: mil, kcf or csrt; may be repeated."),
    ] = None,
    starts: Annotated[
        int, typer.Option(help="1: one pass from the first box. 4: forward and backward starts.")
    ] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler, like tcp://192.168.0.10:8786, whose workers do the work.",
        ),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Leave out sequences that are missing, damaged or fail, name them, and exit "
            "with 1 at the end; without it the first one ends the work.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for results and reports; finished sequences are not run again."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Replace a tracker setting of all --model."
        ),
    ] = None,
) -> None:
    """Measure trackers on annotated sequences: AO, SR, success AUC, precision, speed.

    Example: binvision eval folder --root sequences --model rb-siamfc --rival mil --out results
    """
    from binvision.cli import reporting
    from binvision.cli.campaigning import run_with_progress
    from binvision.trackers.evaluation.benchmarks import BENCHMARKS
    from binvision.trackers.evaluation.campaign import Campaign
    from binvision.trackers.evaluation.entrants import enter, parse_settings
    from binvision.trackers.evaluation.results import ResultStore

    chosen = BENCHMARKS[benchmark.value]
    entrants = enter(model or [], rival or [], parse_settings(set_ or []))
    found = chosen.find(root, keep_going, split.value if split else None)
    _echo_skipped(found.skipped)
    protocol = benchmark.value if starts == 1 else f"{benchmark.value}-starts{starts}"
    campaign = Campaign(
        entrants=entrants,
        sequences=found.sequences,
        starts=starts,
        store=ResultStore.of_benchmark(out, chosen.name, chosen.protocol, starts) if out else None,
    )
    reporting.check_plan(campaign, out)
    measured, tracks, failed = run_with_progress(
        campaign, jobs=jobs, cluster=cluster, keep_going=keep_going
    )
    folder = out / protocol if out else None
    _echo_skipped(failed)
    skipped = (*found.skipped, *failed)
    reporting.hand_over(measured, tracks, chosen, skipped, folder, json)
    if skipped:
        total = len(measured.sequences) + len(skipped)
        names = ", ".join(name for name, _ in skipped)
        typer.echo(f"{len(skipped)} of {total} sequences were skipped: {names}", err=True)
        raise typer.Exit(1)


def _echo_skipped(skipped: tuple[tuple[str, str], ...]) -> None:
    for name, reason in skipped:
        typer.echo(f"skipped: {name}: {reason}", err=True)
