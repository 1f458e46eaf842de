"""Point sets without pictures, and findings near their points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.evaluation.scores import Finding
from binvision.landmarks.formats.points import PointPicture, PointSet
from binvision.landmarks.schemes import find_scheme

__all__ = ["make_set", "no_picture", "noisy", "perfect"]


def no_picture() -> NDArray[np.uint8]:
    """What is never read."""
    raise AssertionError("no picture is needed here")


def make_set(
    scheme: str, count: int, seed: int, *, hidden: float = 0.0, missing: float = 0.0, **more: Any
) -> PointSet:
    """A set of random points.

    Args:
        scheme: Of the points.
        count: Subjects.
        seed: Of everything.
        hidden: Share of points that are not visible.
        missing: Share of points that are not labelled.
        more: Sequences of a field of `PointPicture` each, by its name.
    """
    rng = np.random.default_rng(seed)
    size = len(find_scheme(scheme).points)
    pictures = []
    for index in range(count):
        points = rng.uniform(20, 100 + 20 * index, (size, 2)).astype(np.float32)
        is_missing = rng.random(size) < missing
        points[is_missing] = np.nan
        fields = {name: values[index] for name, values in more.items()}
        pictures.append(
            PointPicture(
                name=f"{index}.png",
                points=points,
                visible=~is_missing & (rng.random(size) >= hidden),
                read=no_picture,
                **fields,
            )
        )
    return PointSet("made up", find_scheme(scheme), tuple(pictures))


def perfect(data: PointSet) -> list[Finding]:
    """Every labelled point where it is, and the others anywhere."""
    return [
        Finding(np.nan_to_num(picture.points, nan=5.0), 0.9, 0.001) for picture in data.pictures
    ]


def noisy(data: PointSet, pixels: float, seed: int, missed: Sequence[int] = ()) -> list[Finding]:
    """Points off by normal noise, heavier in some subjects, and nothing in those of ``missed``."""
    rng = np.random.default_rng(seed)
    found = []
    for index, finding in enumerate(perfect(data)):
        assert finding.points is not None
        noise = rng.normal(0, pixels * (1 + index % 3), finding.points.shape)
        points = (finding.points + noise).astype(np.float32)
        score = float(rng.uniform(0.1, 1))
        found.append(Finding(None if index in missed else points, score, 0.001))
    return found
