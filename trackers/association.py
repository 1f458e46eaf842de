"""Which detection belongs to which target: overlaps of all pairs, and the choice among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import overlaps

__all__ = ["covered_parts", "pair_overlaps", "surest_pairs"]

Floats = NDArray[np.float64]


def pair_overlaps(first_xywh: Floats, second_xywh: Floats) -> Floats:
    """Intersection over union of each of (N, 4) boxes with each of (M, 4): (N, M), 0..1."""
    count, other = len(first_xywh), len(second_xywh)
    left = np.repeat(first_xywh, other, axis=0)
    return overlaps(left, np.tile(second_xywh, (count, 1))).reshape(count, other)


def covered_parts(first_xywh: Floats, second_xywh: Floats) -> Floats:
    """Intersection over the smaller area of each of (N, 4) boxes with each of (M, 4): (N, M).

    It is 1 where one box lies in the other, however small it is.
    """
    shared = pair_overlaps(first_xywh, second_xywh)
    areas = first_xywh[:, 2:].prod(1)[:, None], second_xywh[:, 2:].prod(1)[None]
    # With o = s / (a + b - s), the area shared is s = o (a + b) / (1 + o).
    return shared * (areas[0] + areas[1]) / (1 + shared) / np.maximum(np.minimum(*areas), 1e-12)


def surest_pairs(weights: Floats) -> list[tuple[int, int]]:
    """Choose pairs of a row and a column, each in one pair at most, the greatest weight first.

    The sum of the weights is not always the greatest that could be had: an optimal assignment
    gives up a sure pair for two halfway likely ones. Here that is the wrong bargain. A target
    without a detection is still followed by its tracker and loses nothing; an identity that
    was exchanged stays exchanged.

    Args:
        weights: (N, M); -inf where a pair is impossible.
    """
    weights = weights.copy()
    pairs = []
    while weights.size:
        row, column = np.unravel_index(int(weights.argmax()), weights.shape)
        if weights[row, column] == -np.inf:
            break
        pairs.append((int(row), int(column)))
        weights[row, :] = weights[:, column] = -np.inf
    return pairs
