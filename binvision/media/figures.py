"""Plots as files: one palette, and the same bytes for the same figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from binvision.media.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FORMATS", "LINE_STYLES", "save_figure"]

FORMATS = ("png", "svg")

# Okabe and Ito, https://jfly.uni-koeln.de/color; their yellow is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (3, 1, 1, 1)))
_DOTS_PER_INCH = 200


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
