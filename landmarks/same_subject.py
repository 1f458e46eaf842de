"""Boxes from frame to frame: which are one subject's, and which may follow another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.trackers.association import covered_parts

__all__ = ["LEAST_SIDE", "box_array", "covers", "has_moved", "is_possible"]

LEAST_SIDE = 8.0  # of a box of points that are followed, pixels
_SAME = 0.6  # share of the smaller of two boxes that both cover: taken for one subject
_MOST_GROWTH = 2.0  # between the sizes of a subject in two frames
_REST = 0.04  # of a box's size, by which points may move it before the crop moves


def box_array(boxes: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return boxes as (N, 4) float64."""
    return np.array(boxes, np.float64).reshape(-1, 4)


def covers(boxes: Iterable[BoxXYWH], box: Sequence[float]) -> bool:
    """Whether one of the boxes and this one are the same subject's."""
    held = box_array(list(boxes))
    return bool(len(held)) and bool((covered_parts(box_array([box]), held) > _SAME).any())


def is_possible(last: BoxXYWH, box: BoxXYWH, size_hw: tuple[int, int]) -> bool:
    """Whether a box may be that of a subject with this last box: in the frame, of like size."""
    x, y, w, h = box
    inside = 0 <= x + w / 2 < size_hw[1] and 0 <= y + h / 2 < size_hw[0]
    growth = max(w, h) / max(last[2:])
    return inside and max(w, h) >= LEAST_SIDE and 1 / _MOST_GROWTH <= growth <= _MOST_GROWTH


def has_moved(last: BoxXYWH, box: BoxXYWH) -> bool:
    """Whether a box lies elsewhere than the last one, or has another size, beyond noise."""
    (x, y, w, h), (last_x, last_y, last_w, last_h) = box, last
    size = max(last_w, last_h)
    across, down = x + w / 2 - last_x - last_w / 2, y + h / 2 - last_y - last_h / 2
    return max(abs(across), abs(down), abs(max(w, h) - size)) > _REST * size
