"""What a tracker is given: frames of one size, boxes that mean something."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.errors import BoxError, FrameError, UsageError
from binvision.media.images import check_frame

__all__ = ["check_next_frame", "checked_box", "checked_size"]

_BOX_LIMITS = (0.01, 100)  # least side of a box in pixels, greatest in sides of the frame


def checked_size(size_hw: tuple[int, int] | None, call: str) -> tuple[int, int]:
    """Return the size of the frames, which ``init`` took note of.

    Raises:
        UsageError: It is None: ``init`` has not been called.
    """
    if size_hw is None:
        raise UsageError(f"{call}() before init(): call init(frame, box_xywh) with a first box")
    return size_hw


def check_next_frame(frame: NDArray[np.uint8], size_hw: tuple[int, int]) -> None:
    """Make sure that a frame is one, and of the size of the first.

    Raises:
        FrameError: It has another size, type or number of channels.
    """
    check_frame(frame)
    if frame.shape[:2] != size_hw:
        expected, found = f"{size_hw[1]}x{size_hw[0]}", f"{frame.shape[1]}x{frame.shape[0]}"
        raise FrameError(
            f"frame: is {found} pixels, but init() was given {expected}; "
            f"resize it, or call init() again"
        )


def checked_box(
    box_xywh: Sequence[float], size_hw: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return left, top, width, height as plain numbers.

    Raises:
        BoxError: The box is not finite, has no area, or lies outside the frame.
    """
    values = tuple(float(value) for value in box_xywh)
    if len(values) != 4 or not all(math.isfinite(value) for value in values):
        raise BoxError(f"box {values}: expected four finite numbers x, y, w, h")
    x, y, w, h = values
    if w <= 0 or h <= 0:
        raise BoxError(f"box {x:g},{y:g},{w:g},{h:g}: has no area; width and height must be > 0")
    height, width = size_hw
    least, most = _BOX_LIMITS[0], _BOX_LIMITS[1] * max(width, height)
    if min(w, h) < least or max(w, h) > most:
        raise BoxError(
            f"box {x:g},{y:g},{w:g},{h:g}: width and height must be {least:g} to {most:g} pixels "
            f"in a frame of {width}x{height}"
        )
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BoxError(
            f"box {x:g},{y:g},{w:g},{h:g}: lies outside the frame of {width}x{height} pixels"
        )
    return x, y, w, h
