"""``binvision compare``: reports of ``binvision eval`` side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    json: Annotated[
        bool, typer.Option("--json", help="Print the joined reports as JSON, not as a table.")
    ] = False,
) -> None:
    """Rank the trackers of several reports in one table; all must measure the same sequences.

    Example: binvision compare a/folder/report.json b/folder/report.json --plot both.svg
    """
    from binvision.cli.tables import print_table
    from binvision.media.files import write_atomically
    from binvision.trackers.evaluation import comparison, plots, tables

    paths = [path / "report.json" if path.is_dir() else path for path in reports]
    compared = comparison.compare(paths)
    if plot:
        plots.write_plot(compared.report, plot)
    if markdown:
        write_atomically(markdown, compared.to_markdown())
    if json:
        typer.echo(compared.to_json(), nl=False)
    else:
        print_table(tables.table(compared.report))
        if len({source.machine.get("cpu") for source in compared.sources}) > 1:
            typer.echo("note: measured on different CPUs, so fps cannot be compared", err=True)
