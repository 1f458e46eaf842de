"""Pairs of targets and detections: overlaps against the pairwise function, and the choice."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.media import overlaps
from binvision.trackers.association import covered_parts, pair_overlaps, surest_pairs


def boxes(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-5, 40, (count, 2)), rng.uniform(1, 30, (count, 2))])


@pytest.mark.parametrize(("count", "other"), [(3, 5), (1, 1), (0, 4), (4, 0), (0, 0)])
def test_all_pairs_are_the_pairs_one_by_one(count: int, other: int) -> None:
    first, second = boxes(count, 1), boxes(other, 2)
    shared, parts = pair_overlaps(first, second), covered_parts(first, second)
    assert shared.shape == parts.shape == (count, other)
    for row, box in enumerate(first):
        for column, against in enumerate(second):
            start = np.maximum(box[:2], against[:2])
            end = np.minimum(box[:2] + box[2:], against[:2] + against[2:])
            both = np.clip(end - start, 0, None).prod()
            smaller = min(box[2] * box[3], against[2] * against[3])
            assert shared[row, column] == pytest.approx(overlaps([box], [against])[0])
            assert parts[row, column] == pytest.approx(both / smaller)


def test_a_box_inside_another_is_covered_whole() -> None:
    outer, inner = np.array([[0.0, 0, 100, 100]]), np.array([[10.0, 10, 5, 5]])
    assert covered_parts(outer, inner)[0, 0] == pytest.approx(1)
    assert covered_parts(inner, outer)[0, 0] == pytest.approx(1)


no = -np.inf


@pytest.mark.parametrize(
    ("weights", "pairs"),
    [
        # One is surer than the other, whatever the sum.
        ([[0.9, 0.8], [0.85, 0.1]], [(0, 0), (1, 1)]),
        ([[0.8, no], [0.9, no]], [(1, 0)]),
        ([[no, no], [no, no]], []),
        ([[-1.0]], [(0, 0)]),
    ],
)
def test_the_surest_pair_comes_first(
    weights: list[list[float]], pairs: list[tuple[int, int]]
) -> None:
    given = np.array(weights)
    kept = given.copy()
    assert surest_pairs(given) == pairs
    np.testing.assert_array_equal(given, kept)


def test_nothing_to_choose_from() -> None:
    for shape in ((0, 0), (0, 3), (3, 0)):
        assert surest_pairs(np.zeros(shape)) == []
