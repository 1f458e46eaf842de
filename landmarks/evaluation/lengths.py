"""Lengths of a subject by which errors of its points are divided, in pixels.

A figure means little without its length: the same points score 4.0 % of the distance between the
outer eye corners, 5.5 % of that between the pupils, and 2.7 % of the box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.formats.points import HEAD_BOX, SET_BOX, PointPicture
from binvision.landmarks.schemes import Scheme

__all__ = [
    "BOX",
    "HEAD_BOX",
    "HEAD_SEGMENT",
    "INTER_OCULAR",
    "INTER_PUPIL",
    "SET_BOX",
    "TORSO",
    "length_of",
    "lengths_of",
]

INTER_OCULAR = "inter-ocular"  # outer eye corners
INTER_PUPIL = "inter-pupil"  # pupils, or the means of the eyes' points
BOX = "box"  # square root of the area of the tight box of the points
HEAD_SEGMENT = "head"  # from the neck to the top of the head
TORSO = "torso"  # from the left shoulder to the right hip


def lengths_of(
    name: str, scheme: Scheme, pictures: Sequence[PointPicture]
) -> NDArray[np.float64] | None:
    """Length of each subject; NaN where its points are missing.

    Args:
        name: Which length.
        scheme: Of the points.
        pictures: The subjects.

    Returns:
        (N,), or None where the scheme or the set has no such length.
    """
    found = np.array([length_of(name, scheme, picture) for picture in pictures], np.float64)
    found[~(found > 0)] = np.nan
    return None if np.isnan(found).all() else found


def length_of(name: str, scheme: Scheme, picture: PointPicture) -> float:
    """Length of one subject; NaN where it has none."""
    if name in picture.lengths:
        return picture.lengths[name]
    measure = _MEASURES.get(name)
    return measure(scheme, picture.points.astype(np.float64)) if measure else float("nan")


def _between(first: str, second: str) -> Callable[[Scheme, NDArray[np.float64]], float]:
    def measure(scheme: Scheme, points: NDArray[np.float64]) -> float:
        places = [_place(name, scheme, points) for name in (first, second)]
        return float(np.linalg.norm(places[0] - places[1]))

    return measure


def _place(name: str, scheme: Scheme, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point, or the mean of the points of a part; NaN where the scheme has neither."""
    if name in scheme.points:
        return points[scheme.points.index(name)]
    if name.endswith("_pupil") and len(part := scheme.parts.get(_eye(name), ())) > 1:
        mean: NDArray[np.float64] = points[list(part)].mean(0)
        return mean
    return np.full(2, np.nan)


def _eye(pupil: str) -> str:
    return pupil.replace("pupil", "eye")


def _root_of_area(scheme: Scheme, points: NDArray[np.float64]) -> float:
    labelled = points[~np.isnan(points).any(1)]
    return float(np.sqrt(np.prod(np.ptp(labelled, 0)))) if len(labelled) else float("nan")


_MEASURES: dict[str, Callable[[Scheme, NDArray[np.float64]], float]] = {
    INTER_OCULAR: _between("right_eye_outer", "left_eye_outer"),
    INTER_PUPIL: _between("right_pupil", "left_pupil"),
    BOX: _root_of_area,
    HEAD_SEGMENT: _between("neck", "head_top"),
    TORSO: _between("left_shoulder", "right_hip"),
}
