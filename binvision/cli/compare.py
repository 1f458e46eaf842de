"""``binvision compare``: reports of ``binvision eval`` side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from binvision.errors import UsageError

__all__ = ["compare"]


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(metavar="REPORT", help="report.json of an evaluation, or its folder."),
    ],
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all tables as Markdown.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw all curves of the benchmark: .png or .svg."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Show how far the others are ahead of this tracker, sequence by sequence, with "
            "95 % intervals.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the joined reports as JSON, not as a table.")
    ] = False,
) -> None:
    """Put reports into one table: trackers, ranked, or models of points; all of the same data.

    Example: binvision compare a/folder/report.json b/folder/report.json --plot both.svg
    """
    from binvision.landmarks.evaluation.report import is_report

    paths = [path / "report.json" if path.is_dir() else path for path in reports]
    if not is_report(paths[0]):
        _compare_trackers(paths, markdown, plot, against, json)
        return
    if against is not None:
        raise UsageError("--against is for trackers; these are reports of points")
    _compare_points(paths, markdown, plot, json)


def _compare_points(
    paths: list[Path], markdown: Path | None, plot: Path | None, as_json: bool
) -> None:
    from binvision.cli.tables import print_table
    from binvision.landmarks.evaluation import comparison, plots, tables
    from binvision.media.files import write_atomically
    from binvision.media.report_tables import figures_table

    compared = comparison.compare(paths)
    if plot:
        plots.write_comparison(compared, plot)
    if markdown:
        write_atomically(markdown, comparison.to_markdown(compared))
    if as_json:
        typer.echo(comparison.to_json(compared), nl=False)
    else:
        print_table(figures_table(compared[0][1].title, *tables.compared_rows(compared)))


def _compare_trackers(
    paths: list[Path],
    markdown: Path | None,
    plot: Path | None,
    against: str | None,
    as_json: bool,
) -> None:
    from binvision.cli.tables import print_table
    from binvision.media.files import write_atomically
    from binvision.trackers.evaluation import comparison, differences, plots, tables

    compared = comparison.compare(paths)
    apart = differences.difference_table(compared.report, against) if against else None
    if plot:
        plots.write_plot(compared.report, plot)
    if markdown:
        write_atomically(markdown, compared.to_markdown())
    if as_json:
        typer.echo(compared.to_json(against), nl=False)
    else:
        print_table(tables.table(compared.report))
        if apart:
            print_table(apart)
        if len({source.machine.get("cpu") for source in compared.sources}) > 1:
            typer.echo("note: measured on different CPUs, so fps cannot be compared", err=True)
