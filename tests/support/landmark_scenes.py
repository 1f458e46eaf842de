"""Pictures with charts that the chart model aligns, and that the colour detector finds.

A blue mark beside each chart stands for what a detector sees of a face. The detector scales
pictures of 256 pixels to 64, where the mark is one of its cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.detection_models import write_detector
from tests.support.landmark_models import draw_chart, write_chart_model

__all__ = ["SIDE", "chart_box", "gallery", "write_models"]

SIDE = 96.0  # of a chart, and of the detector's box; pixels
_MARK = 32  # side of a mark, pixels
_BESIDE = 1.0  # from a mark's centre to its chart's, in sides: the mark lies outside the crop
# A mark is stronger than any point's colour, so that a crop that meets it is lost: at 1.5 one did
# as soon as a face had moved by 8 pixels between two frames.
_CROP = 1.35

Place = tuple[float, float]


def chart_box(place: Place) -> tuple[float, float, float, float]:
    """Tight box of the points of a chart whose mark has its left upper corner at ``place``."""
    x, y = (value + _MARK / 2 - 0.5 for value in place)
    return x + _BESIDE * SIDE - SIDE / 2, y - SIDE / 2, SIDE, SIDE


def gallery(
    places: Iterable[Place], size_hw: tuple[int, int] = (192, 256), count: int = 68
) -> NDArray[np.uint8]:
    """Grey picture with a mark at each place, left and top, and a chart to its right."""
    picture = np.full((*size_hw, 3), 128, np.uint8)
    for place in places:
        draw_chart(picture, chart_box(place), count)
        left, top = (round(value) for value in place)
        picture[top : top + _MARK, left : left + _MARK] = (255, 0, 0)
    return picture


def write_models(folder: Path) -> tuple[Path, Path]:
    """Write a model of faces and one of people; the first names the detector beside it."""
    detector = write_detector(folder / "colours.safetensors")
    settings = {"detector": str(detector), "detector_box": [_BESIDE, 0.0, 1.0], "crop": _CROP}
    people = {"scheme": "pose14", "crop": 1.5}
    return (
        write_chart_model(folder / "faces.safetensors", settings=settings),
        write_chart_model(folder / "people.safetensors", settings=people),
    )
