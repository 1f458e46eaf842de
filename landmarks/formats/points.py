"""Pictures with points, as every reader of a format returns them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.schemes import SCHEMES, Scheme

__all__ = ["HEAD_BOX", "SET_BOX", "PointPicture", "PointSet", "checked_set", "scheme_of_size"]

# Names of lengths that sets give:
SET_BOX = "set's box"  # square root of the area of the set's box of a face
HEAD_BOX = "head box"  # .6 times the diagonal of the head's box that MPII gives


@dataclass(frozen=True)
class PointPicture:
    """A subject in a picture: a face or a person, and its points.

    Attributes:
        name: What the annotations call it; unique in the set.
        points: (P, 2) float32, x, y in pixels counted from 0; NaN where a point is not labelled.
        visible: (P,) bool; False where a point is hidden or not labelled.
        read: Reads the picture, (H, W, 3) uint8 BGR, as its points count pixels: a camera's note on
            how to turn it is not followed. It can be pickled.
        box_xywh: (4,) float32, the set's own box of the subject; None where it has none.
        lengths: Pixels by which the set itself says to divide errors, by name.
        subset: Part of the set that the picture belongs to; several are separated by commas.
        picture_id: What results in the set's own format call the picture, where there is one.
    """

    name: str
    points: NDArray[np.float32]
    visible: NDArray[np.bool_]
    read: Callable[[], NDArray[np.uint8]]
    box_xywh: NDArray[np.float32] | None = None
    lengths: Mapping[str, float] = field(default_factory=dict)
    subset: str = ""
    picture_id: int | str | None = None


@dataclass(frozen=True)
class PointSet:
    """Pictures whose points have the same meaning.

    Attributes:
        name: Of the set.
        scheme: Meaning of the points.
        pictures: In the order of the annotations; a picture file with several subjects is there
            as often.
        problems: What was left out, a line each.
    """

    name: str
    scheme: Scheme
    pictures: tuple[PointPicture, ...]
    problems: tuple[str, ...] = ()


def scheme_of_size(count: int, where: str) -> Scheme:
    """Scheme of so many points.

    Raises:
        DataError: There is none.
    """
    for scheme in SCHEMES.values():
        if len(scheme.points) == count:
            return scheme
    known = ", ".join(f"{len(scheme.points)} ({name})" for name, scheme in SCHEMES.items())
    raise DataError(f"{where}: {count} points a picture; known are {known}")


def checked_set(
    path: Path,
    scheme: Scheme,
    pictures: Sequence[PointPicture],
    problems: Sequence[str] = (),
    *,
    name: str = "",
    lone_points: bool = False,
) -> PointSet:
    """Leave out what cannot be used and make names unique.

    Args:
        path: What was read.
        scheme: Of the points.
        pictures: As they were read.
        problems: What had to be left out before.
        name: Of the set; that of the path if empty.
        lone_points: Keep subjects whose labelled points span no area, down to a single point.

    Raises:
        DataError: Nothing is left.
    """
    found = list(problems)
    kept = []
    for picture in pictures:
        if _can_be_used(picture.points, lone_points):
            kept.append(picture)
        else:
            found.append(f"{path}: {picture.name}: its points are no finite area; remove it")
    if not kept:
        several = f" (of {len(found)} problems)" if len(found) > 1 else ""
        first = f"; the first problem{several}: {found[0]}" if found else ""
        raise DataError(f"{path}: no picture with points can be used{first}")
    twice = [text for text, count in Counter(p.name for p in kept).items() if count > 1]
    if twice:
        raise DataError(f"{path}: two pictures are called {twice[0]}; give each its own name")
    return PointSet(name or path.stem, scheme, tuple(kept), tuple(found))


def _can_be_used(points: NDArray[np.float32], lone_points: bool) -> bool:
    """Whether points are labelled, all finite, and have a width and a height where needed."""
    labelled = points[~np.isnan(points).any(1)]
    if not len(labelled) or not np.isfinite(labelled).all():
        return False
    return lone_points or bool((labelled.max(0) > labelled.min(0)).all())
