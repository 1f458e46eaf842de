"""Thresholds on the score: how much is found with each, and how much of it is false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FALSE_PER_PICTURE", "OperatingPoint", "best_point", "rate_within"]

FALSE_PER_PICTURE = (0.1, 0.5, 1.0)  # at which recall is reported


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold on the score means.

    Attributes:
        score: The threshold; detections of this score count.
        precision: Part of the detections that hit an object, 0..1.
        recall: Part of the objects that are hit, 0..1.
    """

    score: float
    precision: float
    recall: float


def best_point(
    scores: NDArray[np.float64], hit: NDArray[np.bool_], objects: int
) -> OperatingPoint | None:
    """Find the threshold with the greatest F1, the harmonic mean of precision and recall.

    Args:
        scores: (N,) of the detections, in any order.
        hit: (N,) which of them hit an object that no better one hit.
        objects: How many there are to hit.

    Returns:
        The highest of the best thresholds; None without detections or objects.
    """
    if not len(scores) or not objects:
        return None
    ranked, is_last, order = _ranked(scores)
    hits = np.cumsum(hit[order])[is_last]
    count = np.arange(1, len(scores) + 1)[is_last]
    best = int(np.argmax(2 * hits / (count + objects)))
    return OperatingPoint(
        float(ranked[is_last][best]), float(hits[best] / count[best]), float(hits[best] / objects)
    )


def rate_within(
    scores: NDArray[np.float64],
    gains: NDArray[np.float64],
    false: NDArray[np.float64],
    allowed: float,
) -> float:
    """Sum of the gains of the most certain detections, as long as few enough of them are false.

    Only thresholds on the score are tried: of detections with equal scores all count, or none.

    Args:
        scores: (N,) of the detections, in any order.
        gains: (N,) what each adds to the figure, 1 for a hit.
        false: (N,) what each adds to the false detections.
        allowed: So many false detections, in all.

    Returns:
        The greatest sum of gains over the thresholds with at most ``allowed`` false detections;
        0 where already the first ones are too many.
    """
    _, is_last, order = _ranked(scores)
    sums, wrong = np.cumsum(gains[order])[is_last], np.cumsum(false[order])[is_last]
    return float(sums[wrong <= allowed].max(initial=0.0))


def _ranked(
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Scores from the greatest down, which of them is the last of its equals, and their order."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    return ranked, np.append(ranked[1:] < ranked[:-1], True)[: len(ranked)], order
