"""Plots as files: one palette, and the same bytes for the same figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from binvision.media.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Line", "draw_lines", "make_panels", "save_figure"]

FORMATS = ("png", "svg")

# Okabe and Ito, https://jfly.uni-koeln.de/color; their yellow is too pale for a line on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
_LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (3, 1, 1, 1)))
_DOTS_PER_INCH = 200
_PANEL_INCHES = (4.2, 3.4)  # without the legend
_LEGEND_LINE_INCHES = 0.2


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        look: Number of its colour and style; what has one number in several panels looks alike.
        label: In the legend.
        x: Places.
        y: Values there.
    """

    look: int
    label: str
    x: ArrayLike
    y: ArrayLike


def make_panels(count: int, lines: int) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure of panels side by side, with room for legends of so many lines below.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = _PANEL_INCHES
    height += _LEGEND_LINE_INCHES * (lines + 1)
    figure = Figure(figsize=(width * count, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, count, squeeze=False)[0]


def draw_lines(axes: Axes, lines: Iterable[Line], legend_title: str) -> None:
    """Draw lines on a light grid, with a legend below in their order.

    Each has a colour that people with any kind of colour vision can tell from the others, and a
    style of its own, which survives a black and white printer.
    """
    for line in lines:
        axes.plot(
            line.x,
            line.y,
            color=_COLOURS[line.look % len(_COLOURS)],
            linestyle=_LINE_STYLES[(line.look + line.look // len(_COLOURS)) % len(_LINE_STYLES)],
            linewidth=1.8,
            label=line.label,
        )
    axes.grid(color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    legend = axes.legend(
        title=legend_title,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        frameon=False,
        handlelength=4,
        fontsize="small",
        title_fontsize="small",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may hold dollar signs


def save_figure(figure: Figure, path: Path) -> None:
    """Write a matplotlib figure as its name ends, in .png or .svg.

    Raises:
        SinkError: The file cannot be written.
    """
    import matplotlib

    suffix = path.suffix.lower().lstrip(".")
    # What varies from run to run: dates in the files, and identifiers drawn from a random salt.
    metadata = {"svg": {"Date": None}, "png": {"Software": None}}[suffix]
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "binvision"}):
        figure.savefig(content, format=suffix, dpi=_DOTS_PER_INCH, metadata=metadata)
    write_atomically(path, content.getvalue())
