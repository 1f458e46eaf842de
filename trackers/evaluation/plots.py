"""Success and precision plots of a report, as the benchmarks draw them.

Trackers are ranked in the legend with the figure of the plot: success AUC (AO on GOT-10k),
precision at 20 pixels, normalised precision. The same report gives the same bytes: no dates, no
random identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from binvision.errors import UsageError
from binvision.media.figures import FORMATS, Line, draw_lines, make_panels, save_figure
from binvision.trackers.evaluation.metrics import PRECISION_AT_PX
from binvision.trackers.evaluation.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_plot", "write_plots"]


@dataclass(frozen=True)
class _Plot:
    """Wording of one plot, and the figure that ranks its legend."""

    title: str
    x_label: str
    y_label: str
    figure: str


_PLOTS = {
    "success": _Plot("Success", "overlap threshold", "share of frames", "success_auc"),
    "precision": _Plot(
        "Precision", "location error threshold, pixels", "share of frames", "precision"
    ),
    "normalised_precision": _Plot(
        "Normalised precision",
        "location error threshold, target sizes",
        "share of frames",
        "normalised_precision",
    ),
}

_LEGENDS = {
    "ao": "AO",
    "success_auc": "success AUC",
    "precision": "precision at 20 px",
    "normalised_precision": "normalised precision",
}


def write_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every plot of the benchmark, a file each, in all `FORMATS`.

    Args:
        report: What to draw.
        folder: Where, for example ``success.png`` and ``success.svg``.

    Raises:
        ImportError: matplotlib is not installed.
        SinkError: a file cannot be written.
    """
    paths = []
    for curve in report.rules.curves:
        for suffix in FORMATS:
            path = folder / f"{curve}.{suffix}"
            save_figure(_draw(report, (curve,)), path)
            paths.append(path)
    return tuple(paths)


def write_plot(report: Report, path: Path) -> None:
    """Write all plots of the benchmark side by side into one file.

    Args:
        report: What to draw.
        path: A name that ends in ``.png`` or ``.svg``.

    Raises:
        UsageError: another ending.
        ImportError: matplotlib is not installed.
        SinkError: the file cannot be written.
    """
    if path.suffix.lower().lstrip(".") not in FORMATS:
        raise UsageError(f"{path}: expected a name that ends in .png or .svg")
    save_figure(_draw(report, tuple(report.rules.curves)), path)


def _draw(report: Report, curves: tuple[str, ...]) -> Figure:
    figure, panels = make_panels(len(curves), len(report.trackers))
    for axes, curve in zip(panels, curves, strict=True):
        _draw_panel(axes, report, curve)
    return figure


def _draw_panel(axes: Axes, report: Report, curve: str) -> None:
    plot = _PLOTS[curve]
    x = report.rules.curves[curve]
    # GOT-10k, which has no other plot, ranks by AO, the integral of its success curve.
    ranking = plot.figure if plot.figure in report.rules.figures else report.rules.ranked_by
    scores = {t.name: getattr(t.official(report.rules), ranking) for t in report.trackers}
    # A tracker looks the same in each plot; its place in the legend is that of the plot's figure.
    looks = {tracker.name: index for index, tracker in enumerate(report.trackers)}
    lines = [
        Line(looks[name], f"{scores[name]:.3f}  {name}", x, tracker.curves[curve])
        for tracker in sorted(report.trackers, key=lambda tracker: -scores[tracker.name])
        for name in [tracker.name]
    ]
    if curve == "precision":
        axes.axvline(PRECISION_AT_PX, color="0.6", linewidth=0.8, zorder=0)
    axes.set(
        title=f"{plot.title}, {report.heading}",
        xlabel=plot.x_label,
        ylabel=plot.y_label,
        xlim=(x[0], x[-1]),
        ylim=(0, 1),
    )
    draw_lines(axes, lines, _LEGENDS[ranking])
