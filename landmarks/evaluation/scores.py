"""What every metric of points gives: rows of figures, each with what it was counted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.formats.points import PointPicture

__all__ = ["CURVE_STEPS", "Finding", "Scores", "distances"]

CURVE_STEPS = 100  # of a cumulative curve, from 0 to its limit


@dataclass(frozen=True)
class Finding:
    """What was found of one subject.

    Attributes:
        points: (P, 2) float32, pixels counted from 0; None where no box of the subject was found.
        score: Mean confidence of the points.
        seconds: Crop, network and decoding of the maps.
    """

    points: NDArray[np.float32] | None
    score: float
    seconds: float


@dataclass(frozen=True)
class Scores:
    """A row of a report.

    Attributes:
        group: Which pictures, or which of their points.
        length: What errors are divided by; empty where figures are no errors.
        pictures: Subjects that were measured.
        missed: Of these, those of which no box was found.
        points: Points of a subject that count.
        figures: By name, in the order of the table.
        curve: Share of subjects, or of points, whose error is within i / `CURVE_STEPS` of the
            limit, for i from 0; empty where the metric has none.
        limit: Error, in lengths, up to which a subject is no failure or a joint is correct; the
            end of the curve.
    """

    group: str
    length: str
    pictures: int
    missed: int
    points: int
    figures: dict[str, float | None]
    curve: tuple[float, ...] = ()
    limit: float = 0.0


def distances(pictures: Sequence[PointPicture], found: Sequence[Finding]) -> NDArray[np.float64]:
    """Distance of each point from where it should be.

    Returns:
        (N, P) pixels; NaN where a point is not labelled, infinite where the subject was missed.
    """
    rows = []
    for picture, finding in zip(pictures, found, strict=True):
        if finding.points is None:
            labelled = ~np.isnan(picture.points).any(1)
            rows.append(np.where(labelled, np.inf, np.nan))
        else:
            difference = finding.points.astype(np.float64) - picture.points
            rows.append(np.hypot(difference[:, 0], difference[:, 1]))
    return np.array(rows)
