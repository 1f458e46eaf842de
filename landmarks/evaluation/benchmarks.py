"""The benchmarks of points: how each is read, where its boxes come from, how it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from binvision.landmarks.annotations import read_point_set
from binvision.landmarks.evaluation import lengths
from binvision.landmarks.evaluation.entrant import POINTS, SET
from binvision.landmarks.evaluation.nme import HIDDEN, VISIBLE, Group, NmeRules, nme_scores
from binvision.landmarks.evaluation.oks import oks_scores, read_coco_people
from binvision.landmarks.evaluation.pck import PckRules, pck_scores
from binvision.landmarks.evaluation.scores import Finding, Scores
from binvision.landmarks.formats.aflw import FRONTAL, read_aflw_pifa_test, read_aflw_test
from binvision.landmarks.formats.aflw2000 import YAWS, read_aflw2000
from binvision.landmarks.formats.cofw import read_cofw_test
from binvision.landmarks.formats.mpii import read_mpii
from binvision.landmarks.formats.points import PointSet
from binvision.landmarks.formats.three_hundred_w import CHALLENGING, COMMON, read_300w_test
from binvision.landmarks.formats.wflw import ATTRIBUTES, read_wflw_test

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


def _or_json(read: Callable[[Path], PointSet]) -> Callable[[Path], PointSet]:
    """Read a set from its own layout, or from a copy in COCO's JSON, as other programs keep it."""
    return lambda root: read_point_set(root) if root.suffix == ".json" else read(root)


def _nme(*names: str, limit: float, groups: Sequence[Group] = (), balanced: str = "") -> Measure:
    rules = NmeRules(names, limit, tuple(groups), balanced)
    return lambda root, data, found: nme_scores(data, found, rules)


def _pck(*used: tuple[str, tuple[float, ...]]) -> Measure:
    return lambda root, data, found: pck_scores(data, found, PckRules(used))


_OF_EYES = (lengths.INTER_OCULAR, lengths.INTER_PUPIL)

BENCHMARKS = {
    "300w": Benchmark(
        "300-W",
        _or_json(read_300w_test),
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
    "aflw": Benchmark(
        "AFLW, 19 points",
        _or_json(read_aflw_test),
        _nme(lengths.SET_BOX, lengths.BOX, limit=0.07, groups=[Group("frontal", FRONTAL)]),
    ),
    "aflw_pifa": Benchmark(
        "AFLW-PIFA, 34 points",
        read_aflw_pifa_test,
        _nme(lengths.SET_BOX, limit=0.07, groups=[Group("visible points", points=VISIBLE)]),
    ),
    "aflw2000": Benchmark(
        "AFLW2000-3D, 68 points",
        read_aflw2000,
        _nme(
            lengths.BOX,
            limit=0.07,
            groups=[Group(name, name) for name in YAWS],
            balanced="mean of the three",
        ),
    ),
    "cofw": Benchmark(
        "COFW, 29 points",
        _or_json(read_cofw_test),
        _nme(
            lengths.INTER_PUPIL,
            lengths.INTER_OCULAR,
            limit=0.1,
            groups=[Group("visible points", points=VISIBLE), Group("hidden points", points=HIDDEN)],
        ),
    ),
    "wflw": Benchmark(
        "WFLW, 98 points",
        _or_json(read_wflw_test),
        _nme(lengths.INTER_OCULAR, limit=0.1, groups=[Group(name, name) for name in ATTRIBUTES]),
    ),
    "mpii": Benchmark(
        "MPII",
        read_mpii,
        _pck((lengths.HEAD_BOX, (0.5, 0.1)), (lengths.HEAD_SEGMENT, (0.5,))),
        boxes=SET,
    ),
    "coco_keypoints": Benchmark("COCO keypoints", read_coco_people, oks_scores, boxes=SET),
    "pck": Benchmark(
        "joints",
        read_point_set,
        _pck((lengths.TORSO, (0.2,)), (lengths.HEAD_SEGMENT, (0.5,))),
    ),
}
