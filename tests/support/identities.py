"""How well identities were kept: CLEAR MOT's and IDF1's counts, written down from the papers.

Bernardin & Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics",
2008; Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
Tracking", 2016. Slow, and of nothing but loops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

__all__ = ["Counts", "count_identities"]

Box = Sequence[float]
Frame = Mapping[int, Box]  # box x, y, w, h by identity


class Counts(NamedTuple):
    """What is right and wrong in a run."""

    truths: int
    matched: int
    false_alarms: int
    misses: int
    switches: int
    mota: float
    idf1: float


def count_identities(truth: Sequence[Frame], found: Sequence[Frame], least: float = 0.5) -> Counts:
    """Compare the boxes of each frame; a pair needs an overlap of ``least``."""
    last: dict[int, int] = {}  # identity found last for a true one
    matched = switches = 0
    together: Counter[tuple[int, int]] = Counter()
    for true, hypotheses in zip(truth, found, strict=True):
        pairs = {
            (t, h): overlap(box, other)
            for t, box in true.items()
            for h, other in hypotheses.items()
            if overlap(box, other) >= least
        }
        together.update(pairs.keys())
        # What belonged together before stays together where it still fits; then the best overlap.
        order = sorted(pairs, key=lambda pair: (last.get(pair[0]) != pair[1], -pairs[pair]))
        taken: dict[int, int] = {}
        for t, h in order:
            if t not in taken and h not in taken.values():
                taken[t] = h
        matched += len(taken)
        switches += sum(last.get(t, h) != h for t, h in taken.items())
        last.update(taken)
    truths, hypotheses_count = sum(map(len, truth)), sum(map(len, found))
    misses, false_alarms = truths - matched, hypotheses_count - matched
    return Counts(
        truths,
        matched,
        false_alarms,
        misses,
        switches,
        1 - (misses + false_alarms + switches) / truths,
        2 * _best_sum(together) / (truths + hypotheses_count),
    )


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (first[2] * first[3] + second[2] * second[3] - width * height)


def _best_sum(together: Counter[tuple[int, int]]) -> int:
    """Frames in which identities agree, for the best of all ways to pair the identities."""
    true = sorted({pair[0] for pair in together})
    found = sorted({pair[1] for pair in together})
    if len(true) > len(found):
        together = Counter({(h, t): count for (t, h), count in together.items()})
        true, found = found, true
    return max(
        sum(together[pair] for pair in zip(true, chosen, strict=True))
        for chosen in permutations(found, len(true))
    )
