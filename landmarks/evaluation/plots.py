"""Cumulative errors: the share of subjects, or of joints, that stay within an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from binvision.errors import UsageError
from binvision.landmarks.evaluation.report import Report
from binvision.landmarks.evaluation.scores import Scores
from binvision.media.figures import FORMATS, Line, draw_lines, make_panels, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_comparison", "write_plots"]


def write_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write ``cumulative_error.png`` and ``.svg``: a panel a length, a line a group.

    Returns:
        The files; none where the metric has no curve.

    Raises:
        ImportError: matplotlib is not installed.
        SinkError: A file cannot be written.
    """
    drawn = [(row, row.group) for row in report.scores if row.curve]
    if not drawn:
        return ()
    figure = _draw(report.model, drawn)
    paths = tuple(folder / f"cumulative_error.{suffix}" for suffix in FORMATS)
    for path in paths:
        save_figure(figure, path)
    return paths


def write_comparison(reports: Sequence[tuple[str, Report]], path: Path) -> None:
    """Draw the first group of several reports, a panel a length, a line a report.

    Raises:
        UsageError: The name does not end in .png or .svg, or the metric has no curve.
        ImportError: matplotlib is not installed.
        SinkError: The file cannot be written.
    """
    if path.suffix.lower().lstrip(".") not in FORMATS:
        raise UsageError(f"{path}: expected a name that ends in .png or .svg")
    group = reports[0][1].scores[0].group
    drawn = [
        (row, name)
        for name, report in reports
        for row in report.scores
        if row.curve and row.group == group
    ]
    if not drawn:
        raise UsageError(f"{reports[0][1].title} has no curves to draw; leave --plot out")
    save_figure(_draw(f"{reports[0][1].title}, {group}", drawn), path)


def _draw(title: str, rows: Sequence[tuple[Scores, str]]) -> Figure:
    keys = list(dict.fromkeys((row.length, row.limit) for row, _ in rows))
    looks = {label: index for index, label in enumerate(dict.fromkeys(label for _, label in rows))}
    figure, panels = make_panels(len(keys), len(looks))
    for axes, key in zip(panels, keys, strict=True):
        lines, name = [], ""
        for row, label in rows:
            if (row.length, row.limit) != key:
                continue
            name, value = next(iter(row.figures.items()))
            x = 100 * row.limit * np.linspace(0, 1, len(row.curve))
            worded = "-" if value is None else f"{value:.2f}"
            lines.append(Line(looks[label], f"{worded}  {label}", x, row.curve))
        length, limit = key
        axes.set(
            title=title,
            xlabel=f"error, % of {length}",
            ylabel="share",
            xlim=(0, 100 * limit),
            ylim=(0, 1),
        )
        draw_lines(axes, lines, name)
    return figure
