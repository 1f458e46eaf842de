"""Squares cut around a target: how large, where exactly, and what lies outside the frame.

Positions are continuous: pixel i covers i..i+1, so a box x, y, w, h has its centre at x + w/2.

A crop is a square of whole frame pixels, resized. Its corner and side are therefore rounded, and
what was really cut comes back to the caller as a Window, so that rounding costs no accuracy: a
place in the crop is mapped back through the window and not through what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "context_side", "crop_square", "mean_colour"]


class Window(NamedTuple):
    """The square of the frame that a crop shows.

    Attributes:
        centre_xy: Its centre, frame pixels.
        side: Its side, frame pixels.
    """

    centre_xy: tuple[float, float]
    side: int


def context_side(size_wh: Sequence[float], context: float) -> float:
    """Side of the square that holds a target with its margin (Bertinetto et al., section 3.1).

    sqrt((w + p)(h + p)) with p = context * (w + h); the paper's s(w + 2p) x s(h + 2p) = A with
    its p = (w + h) / 4 is context = 0.5.
    """
    w, h = size_wh
    margin = context * (w + h)
    return float(np.sqrt((w + margin) * (h + margin)))


def mean_colour(frame: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Mean blue, green, red of a frame, 0..255."""
    blue, green, red, _ = cv2.mean(frame)
    return blue, green, red


def crop_square(
    frame: NDArray[np.uint8],
    centre_xy: Sequence[float],
    side: float,
    fill: tuple[float, float, float],
    out: NDArray[np.uint8],
) -> Window:
    """Cut a square from ``frame`` and resize it into ``out``.

    Args:
        frame: (H, W, 3) uint8.
        centre_xy: Wanted centre, frame pixels.
        side: Wanted side, frame pixels.
        fill: Colour of what lies outside the frame.
        out: (S, S, 3) uint8, C-contiguous; overwritten.

    Returns:
        The square that was cut: within half a pixel of the wanted one, or, where the crop is
        reduced by two or more, within half of the greatest power of two in that reduction.
    """
    size = out.shape[0]
    # Interpolation alone would skip pixels in strong reductions, so whole blocks are averaged
    # first; the square then lies on the grid of those blocks. Their side is a power of two, because
    # to halve a picture takes a fraction of the time of any other average.
    block = 1 << max(0, int(side / size).bit_length() - 1)
    cells = max(1, round(side / block))
    left, top = (round((centre - cells * block / 2) / block) for centre in centre_xy)
    patch = _patch(frame, left, top, cells, block, fill)
    cv2.resize(patch, (size, size), dst=out, interpolation=cv2.INTER_LINEAR)
    whole = cells * block
    return Window((left * block + whole / 2, top * block + whole / 2), whole)


def _patch(
    frame: NDArray[np.uint8],
    left: int,
    top: int,
    cells: int,
    block: int,
    fill: tuple[float, float, float],
) -> NDArray[np.uint8]:
    """Square of ``cells`` blocks whose corner is block (left, top): (cells, cells, 3) uint8."""
    height, width = frame.shape[0] // block, frame.shape[1] // block
    x0, x1 = max(left, 0), min(left + cells, width)
    y0, y1 = max(top, 0), min(top + cells, height)
    if x0 >= x1 or y0 >= y1:
        return np.full((cells, cells, 3), np.rint(fill), np.uint8)
    visible = frame[y0 * block : y1 * block, x0 * block : x1 * block]
    while visible.shape[0] > y1 - y0:
        half = visible.shape[1] // 2, visible.shape[0] // 2
        visible = cv2.resize(visible, half, interpolation=cv2.INTER_AREA)
    if (x1 - x0, y1 - y0) == (cells, cells):
        return visible
    return cv2.copyMakeBorder(
        visible,
        y0 - top,
        top + cells - y1,
        x0 - left,
        left + cells - x1,
        cv2.BORDER_CONSTANT,
        value=fill,
    )
