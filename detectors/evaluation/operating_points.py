"""How much is found where so many false detections are allowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FALSE_PER_PICTURE", "rate_within"]

FALSE_PER_PICTURE = (0.1, 0.5, 1.0)  # at which recall is reported


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
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    is_last = np.append(ranked[1:] < ranked[:-1], True)[: len(ranked)]
    sums, wrong = np.cumsum(gains[order])[is_last], np.cumsum(false[order])[is_last]
    return float(sums[wrong <= allowed].max(initial=0.0))
