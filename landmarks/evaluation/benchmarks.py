"""The benchmarks of points: how each is read, where its boxes come from, how it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from binvision.landmarks.annotations import read_point_set
from binvision.landmarks.evaluation import lengths
from binvision.landmarks.evaluation.entrant import POINTS
from binvision.landmarks.evaluation.nme import Group, NmeRules, nme_scores
from binvision.landmarks.evaluation.pck import PckRules, pck_scores
from binvision.landmarks.evaluation.scores import Finding, Scores
from binvision.landmarks.formats.points import PointSet
from binvision.landmarks.formats.three_hundred_w import CHALLENGING, COMMON, read_300w_test

__all__ = ["BENCHMARKS", "Benchmark"]

Measure = Callable[[Path, PointSet, Sequence[Finding]], tuple[Scores, ...]]


@dataclass(frozen=True)
class Benchmark:
    """A data set and its rules.

    Attributes:
        title: Name for people.
        read: From the path that a user gives to the subjects.
        measure: From that path, the subjects and what was found of them to the rows of a report.
        boxes: Where boxes come from unless the user says otherwise.
    """

    title: str
    read: Callable[[Path], PointSet]
    measure: Measure
    boxes: str = POINTS


def _nme(*names: str, limit: float, groups: Sequence[Group] = (), balanced: str = "") -> Measure:
    rules = NmeRules(names, limit, tuple(groups), balanced)
    return lambda root, data, found: nme_scores(data, found, rules)


def _pck(*used: tuple[str, tuple[float, ...]]) -> Measure:
    return lambda root, data, found: pck_scores(data, found, PckRules(used))


_OF_EYES = (lengths.INTER_OCULAR, lengths.INTER_PUPIL)

BENCHMARKS = {
    "300w": Benchmark(
        "300-W",
        read_300w_test,
        _nme(
            *_OF_EYES,
            lengths.BOX,
            limit=0.08,
            groups=(Group(COMMON, COMMON), Group(CHALLENGING, CHALLENGING)),
        ),
    ),
    "ytf68": Benchmark(
        "YouTube Faces, 68 points",
        read_point_set,
        _nme(lengths.BOX, *_OF_EYES, limit=0.08),
    ),
    "pck": Benchmark(
        "joints",
        read_point_set,
        _pck((lengths.TORSO, (0.2,)), (lengths.HEAD_SEGMENT, (0.5,))),
    ),
}
