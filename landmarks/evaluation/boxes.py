"""Where the crop of a subject comes from: its points, the set's box, a detector, a file; and noise.

Boxes from the points are what papers report on most sets, since it leaves the detector out. A user
has a detector's, or those of the frame before: both are off by some part of their size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError, UsageError
from binvision.landmarks.crop import box_of
from binvision.landmarks.formats.points import PointPicture
from binvision.media.boxes import BoxXYWH, overlaps, read_picture_boxes

__all__ = ["FindBox", "box_in_file", "detected_box", "points_box", "set_box", "shaken"]

# The box of a subject's points in its picture; None where none is found.
FindBox = Callable[[PointPicture, NDArray[np.uint8]], BoxXYWH | None]
Place = Callable[[Sequence[float]], BoxXYWH]

_LEAST_OVERLAP = 0.3  # with the square around the true points, of a box that is the subject's


def points_box(picture: PointPicture, image: NDArray[np.uint8]) -> BoxXYWH | None:
    """Tight box of the labelled points; that of the set where these have no extent."""
    x, y, w, h = box_of(picture.points)
    return (x, y, w, h) if max(w, h) >= 1 else set_box(picture, image)


def set_box(picture: PointPicture, image: NDArray[np.uint8]) -> BoxXYWH:
    """Box that the set gives.

    Raises:
        DataError: It gives none.
    """
    if picture.box_xywh is None:
        raise DataError(
            f"{picture.name}: the set gives no box; --boxes points takes that of the points"
        )
    x, y, w, h = picture.box_xywh.tolist()
    return x, y, w, h


def detected_box(
    detect: Callable[[NDArray[np.uint8]], NDArray[np.float32]], place: Place
) -> FindBox:
    """Return what finds boxes with a detector.

    Of several the one that overlaps most with the square around the true points is the subject's,
    if their intersection over union is .3 or more.

    Args:
        detect: From a picture to boxes (N, 4).
        place: From a detector's box to that of the points.
    """

    def find(picture: PointPicture, image: NDArray[np.uint8]) -> BoxXYWH | None:
        return _best([place(box) for box in detect(image).tolist()], picture)

    return find


def box_in_file(path: Path, place: Place) -> FindBox:
    """Return what finds boxes in a file, as ``binvision detect --results`` writes them.

    Of several boxes of a picture the same one is taken as of a detector's.

    Args:
        path: The file.
        place: From one of its boxes to that of the points.

    Raises:
        DataError: It cannot be read or holds something else.
    """
    boxes = read_picture_boxes(path)

    def find(picture: PointPicture, image: NDArray[np.uint8]) -> BoxXYWH | None:
        file = picture.name.partition("#")[0]
        names = (picture.name, file, Path(file).name)
        found = next((boxes[name] for name in names if name in boxes), [])
        return _best([place(box) for box in found], picture)

    return find


def shaken(find: FindBox, noise: float, seed: int) -> FindBox:
    """Return what moves and scales boxes at random.

    With s the longer side and u_1..u_3 uniform in -noise..noise, centre += (u_1, u_2) * s and both
    sides *= 1 + u_3. Numbers depend on the seed and the picture's name alone.

    Raises:
        UsageError: The noise is not in 0..1.
    """
    if not 0 <= noise < 1:
        raise UsageError(
            f"box noise {noise:g}: expected a part of the box's size, from 0 to below 1"
        )
    if not noise:
        return find

    def find_shaken(picture: PointPicture, image: NDArray[np.uint8]) -> BoxXYWH | None:
        box = find(picture, image)
        if box is None:
            return None
        x, y, w, h = box
        rng = np.random.default_rng((seed, crc32(picture.name.encode())))
        dx, dy, growth = rng.uniform(-noise, noise, 3).tolist()
        longer, scale = max(w, h), 1 + growth
        centre_x, centre_y = x + w / 2 + dx * longer, y + h / 2 + dy * longer
        return centre_x - scale * w / 2, centre_y - scale * h / 2, scale * w, scale * h

    return find_shaken


def _best(boxes: Sequence[BoxXYWH], picture: PointPicture) -> BoxXYWH | None:
    """Of several boxes that of the subject, or None."""
    x, y, w, h = box_of(picture.points)
    side = max(w, h)
    true = (x + (w - side) / 2, y + (h - side) / 2, side, side)
    if not boxes:
        return None
    shared = overlaps(boxes, [true] * len(boxes))
    best = int(shared.argmax())
    return boxes[best] if shared[best] >= _LEAST_OVERLAP else None
