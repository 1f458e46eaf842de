"""Precision against recall at IoU .50, a line a class, as COCO samples it."""

from __future__ import annotations

from pathlib import Path

from binvision.detectors.evaluation.coco_metric import RECALL_LEVELS
from binvision.detectors.evaluation.report import ALL, Report
from binvision.media.figures import COLOURS, FORMATS, LINE_STYLES, save_figure

__all__ = ["write_plots"]

_PANEL_INCHES = (4.6, 3.6)  # without the legend
_LEGEND_LINE_INCHES = 0.2


def write_plots(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write ``precision_recall.png`` and ``.svg``, a panel for all pictures and each group.

    Raises:
        ImportError: matplotlib is not installed.
        SinkError: A file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = _PANEL_INCHES
    height += _LEGEND_LINE_INCHES * (len(report.classes) + 1)
    count = len(report.groups)
    figure = Figure(figsize=(width * count, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, (name, scores) in zip(panels, report.groups.items(), strict=True):
        for index, part in enumerate(scores.classes):
            if part.precision is None or part.ap50 is None:
                continue
            axes.plot(
                RECALL_LEVELS,
                part.precision,
                color=COLOURS[index % len(COLOURS)],
                linestyle=LINE_STYLES[(index + index // len(COLOURS)) % len(LINE_STYLES)],
                linewidth=1.8,
                label=f"{part.ap50:.3f}  {part.name}",
            )
        title = str(report.identity["model"]) if name == ALL else f"{name}*"
        axes.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(color="0.88", linewidth=0.6)
        axes.set_axisbelow(True)
        legend = axes.legend(
            title="AP50",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            frameon=False,
            handlelength=4,
            fontsize="small",
            title_fontsize="small",
        )
        for text in legend.get_texts():
            text.set_parse_math(False)  # a name may hold dollar signs
    paths = tuple(folder / f"precision_recall.{suffix}" for suffix in FORMATS)
    for path in paths:
        save_figure(figure, path)
    return paths
