"""Reports of points as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from binvision.landmarks.evaluation.report import Report
from binvision.landmarks.evaluation.scores import Scores
from binvision.media.report_tables import figure, figures_table

__all__ = ["compared_rows", "headline", "scores_table"]

_COLUMNS = ("subjects", "missed", "points", "divided by", "limit")


def headline(report: Report) -> str:
    """Model, set, boxes and speed, in two lines."""
    missed = max(row.missed for row in report.scores)
    lost = f"; {missed} subjects had no box and count as failed" if missed else ""
    return (
        f"{report.model} on {report.title} ({report.annotations}): {report.subjects} subjects, "
        f"{report.scheme}, {report.conditions}{lost}\n"
        f"{report.median_ms:.2f} ms a subject ({report.threads} threads, decoding and detection "
        f"not counted)"
    )


def scores_table(report: Report) -> Table:
    """A row for each group and each length that errors are divided by."""
    header = ["group", *_COLUMNS, *report.scores[0].figures]
    return figures_table("", header, [[row.group, *_cells(row)] for row in report.scores])


def compared_rows(
    reports: Sequence[tuple[str, Report]],
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of several reports in one table, group by group.

    Args:
        reports: Of one benchmark, with the names that they have in the table.
    """
    first = reports[0][1].scores
    header = ["model", "group", *_COLUMNS, *first[0].figures]
    rows = [
        [name, row.group, *_cells(row)]
        for wanted in first
        for name, report in reports
        for row in report.scores
        if (row.group, row.length, row.limit) == (wanted.group, wanted.length, wanted.limit)
    ]
    return header, rows


def _cells(row: Scores) -> list[str]:
    limit = f"{100 * row.limit:g}%" if row.limit else ""
    counts = [str(row.pictures), str(row.missed), str(row.points), row.length, limit]
    return counts + [
        figure(value, 2 if name.endswith("%") else 3) for name, value in row.figures.items()
    ]
