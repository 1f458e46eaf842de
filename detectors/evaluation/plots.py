"""Precision against recall at IoU .50, a line a class, as COCO samples it."""

from __future__ import annotations

from pathlib import Path

from binvision.detectors.evaluation.coco_metric import RECALL_LEVELS
from binvision.detectors.evaluation.report import ALL, Report
from binvision.media.figures import FORMATS, Line, draw_lines, make_panels, save_figure

__all__ = ["write_plots"]


def write_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write ``precision_recall.png`` and ``.svg``, a panel for all pictures and each group.

    Raises:
        ImportError: matplotlib is not installed.
        SinkError: A file cannot be written.
    """
    figure, panels = make_panels(len(report.groups), len(report.classes))
    for axes, (name, scores) in zip(panels, report.groups.items(), strict=True):
        lines = [
            Line(index, f"{part.ap50:.3f}  {part.name}", RECALL_LEVELS, part.precision)
            for index, part in enumerate(scores.classes)
            if part.precision is not None and part.ap50 is not None
        ]
        title = str(report.identity["model"]) if name == ALL else f"{name}*"
        axes.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        draw_lines(axes, lines, "AP50")
    paths = tuple(folder / f"precision_recall.{suffix}" for suffix in FORMATS)
    for path in paths:
        save_figure(figure, path)
    return paths
