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
]

GREY = 128  # of what lies outside the picture

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
    back = cv2.invertAffineTransform(matrix)
    factor = max(1, int(math.sqrt(abs(np.linalg.det(back[:, :2])))))
    # The part of the picture that the crop shows: little to reduce, and small numbers for OpenCV,
    # which rounds them.
    corners = to_picture([(0, 0), (size - 1, 0), (0, size - 1), (size - 1, size - 1)], matrix)
    left, right = _range(corners[:, 0], picture.shape[1], factor)
    top, bottom = _range(corners[:, 1], picture.shape[0], factor)
    if left >= right or top >= bottom:
        out[:] = GREY
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
        borderValue=(GREY, GREY, GREY),
    )


def to_crop(points: ArrayLike, matrix: Matrix) -> NDArray[np.float32]:
    """Take points (P, 2) of the picture to the crop."""
    values = np.asarray(points, np.float64)
    return (values @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def to_picture(points: ArrayLike, matrix: Matrix) -> NDArray[np.float32]:
    """Take points (P, 2) of the crop back to the picture; ``matrix`` is from picture to crop."""
    return to_crop(points, cv2.invertAffineTransform(matrix))


def _range(places: NDArray[np.float32], end: int, factor: int) -> tuple[int, int]:
    """Pixels along one side that hold the places and what is interpolated, clipped to 0..end.

    Runs of ``factor`` pixels, each around a pixel of the crop where that is turned by nothing, as
    far as the picture goes.
    """
    start = max(0, round(float(places.min()) - (factor - 1) / 2) - factor)
    stop = math.ceil(places.max()) + 1 + factor
    return start, min(end, start + math.ceil((stop - start) / factor) * factor)
