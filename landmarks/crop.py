"""The square around a subject that a network sees, and the way between it and the picture.

Pixel centres are at whole numbers, counted from 0, in the picture and in the crop. A box of points
is x, y, w, h: the least coordinates, and the differences to the greatest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from binvision.media.boxes import BoxXYWH

__all__ = [
    "box_of",
    "crop_matrix",
    "crop_of_box",
    "points_box",
    "take_crop",
    "to_crop",
    "to_picture",
    "whole_square",
]

_FILL = (128, 128, 128)  # of what lies outside the picture
_ROUNDING = 1e-6  # of matrices, pixels
_MOST_PADDING = 4  # between the area of a crop and what the picture has of it

Matrix = NDArray[np.float64]


def box_of(points: ArrayLike) -> BoxXYWH:
    """Tight box of points (P, 2); those with NaN are left out, and all must not have it."""
    values = np.asarray(points, np.float64).reshape(-1, 2)
    values = values[np.isfinite(values).all(1)]
    x, y = values.min(0).tolist()
    w, h = np.ptp(values, 0).tolist()
    return x, y, w, h


def points_box(detected_xywh: Sequence[float], detector_box: Sequence[float]) -> BoxXYWH:
    """Where the tight box of the points should be in a box of a detector, as a square.

    Args:
        detected_xywh: The detector's box.
        detector_box: dx, dy, scale as in ``LandmarkSettings``.
    """
    x, y, w, h = map(float, detected_xywh)
    dx, dy, scale = detector_box
    longer = max(w, h)
    side = scale * longer
    return (
        x + w / 2 + dx * longer - side / 2,
        y + h / 2 + dy * longer - side / 2,
        side,
        side,
    )


def crop_of_box(box_xywh: Sequence[float], crop: float) -> tuple[tuple[float, float], float]:
    """Centre (x, y) and side of the crop around a box of points.

    Args:
        box_xywh: Tight box of the points.
        crop: Side of the crop over the longer side of the box.
    """
    x, y, w, h = map(float, box_xywh)
    return (x + w / 2, y + h / 2), crop * max(w, h)


def whole_square(
    centre_xy: Sequence[float], side: float, size: int
) -> tuple[tuple[float, float], float]:
    """Nearest square of whole pixels, which ``take_crop`` cuts several times as fast.

    Args:
        centre_xy: Centre of the square, as it should be.
        side: Its side.
        size: Side of the crop, pixels of its own. Where it is smaller by a factor of two or more,
            the square's side is a multiple of the whole part of the factor.

    Returns:
        Centre and side of the square of whole pixels.
    """
    factor = max(1, int(side / size))
    whole = factor * max(1, round(side / factor))
    x, y = (round(place - (whole - 1) / 2) + (whole - 1) / 2 for place in centre_xy)
    return (x, y), float(whole)


def crop_matrix(
    centre_xy: Sequence[float], side: float, size: int, angle: float = 0.0, mirror: bool = False
) -> Matrix:
    """Return the matrix from pixels of a picture to those of a crop.

    Args:
        centre_xy: Where the crop's centre is in the picture.
        side: Side of the crop, pixels of the picture.
        size: Side of the crop, pixels of its own.
        angle: By how many degrees the picture is turned counter-clockwise in the crop.
        mirror: Swap left and right in the crop, after turning.

    Returns:
        (2, 3) float64.
    """
    scale = size / side
    cosine, sine = (scale * function(math.radians(angle)) for function in (math.cos, math.sin))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    if mirror:
        turn[0] *= -1
    shift = (size - 1) / 2 - turn @ np.asarray(centre_xy, np.float64)
    return np.concatenate((turn, shift[:, None]), 1)


def take_crop(
    picture: NDArray[np.uint8], matrix: Matrix, size: int, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Cut a crop out of a picture: bilinear, and grey outside.

    Where the crop is smaller than half, the picture is first reduced by whole numbers, as
    interpolation alone would skip pixels.

    Args:
        picture: (H, W, 3) uint8.
        matrix: (2, 3) from picture to crop.
        size: Side of the crop.
        out: (size, size, 3) uint8 for the result.

    Returns:
        (size, size, 3) uint8, ``out`` where that is given.
    """
    if out is None:
        out = np.empty((size, size, picture.shape[2]), np.uint8)
    square = _square_of(matrix, size)
    if square is not None and _fits(square, picture.shape[:2]):
        return _resize_square(picture, square, out)
    return _warp(picture, matrix, out)


def to_crop(points: ArrayLike, matrix: Matrix) -> NDArray[np.float32]:
    """Take points (P, 2) of the picture to the crop."""
    values = np.asarray(points, np.float64)
    return (values @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def to_picture(points: ArrayLike, matrix: Matrix) -> NDArray[np.float32]:
    """Take points (P, 2) of the crop back to the picture; ``matrix`` is from picture to crop."""
    return to_crop(points, cv2.invertAffineTransform(matrix))


def _square_of(matrix: Matrix, size: int) -> tuple[int, int, int] | None:
    """Left, top and side of the square of whole pixels that is the crop; None if it is none."""
    (scale, skew, x), (other_skew, other_scale, y) = matrix.tolist()
    if skew or other_skew or scale != other_scale or scale <= 0:
        return None
    # The crop's edges are at -1/2 and size - 1/2.
    exact = ((-0.5 - x) / scale + 0.5, (-0.5 - y) / scale + 0.5, size / scale)
    left, top, side = (round(value) for value in exact)
    if max(abs(left - exact[0]), abs(top - exact[1]), abs(side - exact[2])) > _ROUNDING:
        return None
    return left, top, side


def _fits(square: tuple[int, int, int], size_hw: tuple[int, int]) -> bool:
    """Whether a good part of a square is in the picture, so that it costs little to fill it up."""
    (left, top, side), (height, width) = square, size_hw
    across, down = min(left + side, width) - max(left, 0), min(top + side, height) - max(top, 0)
    return across > 0 and down > 0 and _MOST_PADDING * across * down >= side * side


def _resize_square(
    picture: NDArray[np.uint8], square: tuple[int, int, int], out: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    (left, top, side), (height, width) = square, picture.shape[:2]
    part = picture[max(top, 0) : top + side, max(left, 0) : left + side]
    if part.shape[:2] != (side, side):
        before_y, before_x = max(-top, 0), max(-left, 0)
        after_y, after_x = max(top + side - height, 0), max(left + side - width, 0)
        sides = (before_y, after_y, before_x, after_x)
        part = cv2.copyMakeBorder(part, *sides, cv2.BORDER_CONSTANT, value=_FILL)
    size = len(out)
    factor = side // size
    if factor > 1:
        reduced = math.ceil(side / factor)
        part = cv2.resize(part, (reduced, reduced), interpolation=cv2.INTER_AREA)
    return cv2.resize(part, (size, size), dst=out, interpolation=cv2.INTER_LINEAR)


def _warp(picture: NDArray[np.uint8], matrix: Matrix, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = len(out)
    back = cv2.invertAffineTransform(matrix)
    factor = max(1, int(math.sqrt(abs(np.linalg.det(back[:, :2])))))
    # The part of the picture that the crop shows: little to reduce, and small numbers for OpenCV,
    # which rounds them.
    corners = to_picture([(0, 0), (size - 1, 0), (0, size - 1), (size - 1, size - 1)], matrix)
    left, right = _range(corners[:, 0], picture.shape[1], factor)
    top, bottom = _range(corners[:, 1], picture.shape[0], factor)
    if left >= right or top >= bottom:
        out[:] = _FILL
        return out
    part = picture[top:bottom, left:right]
    back[:, 2] -= left, top
    if factor > 1:
        height, width = (math.ceil(side / factor) for side in part.shape[:2])
        ratio = np.array([[width / part.shape[1]], [height / part.shape[0]]])
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        back *= ratio
        back[:, 2:] += (ratio - 1) / 2  # pixel i of the smaller one is the mean of several
    return cv2.warpAffine(
        part,
        back,
        (size, size),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_FILL,
    )


def _range(places: NDArray[np.float32], end: int, factor: int) -> tuple[int, int]:
    """Pixels along one side that hold the places and what is interpolated, clipped to 0..end.

    Runs of ``factor`` pixels, each around a pixel of the crop where that is turned by nothing, as
    far as the picture goes.
    """
    start = max(0, round(float(places.min()) - (factor - 1) / 2) - factor)
    stop = math.ceil(places.max()) + 1 + factor
    return start, min(end, start + math.ceil((stop - start) / factor) * factor)
