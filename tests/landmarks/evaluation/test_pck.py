"""PCK and PCKh against the formula of the official code, restated with its array layout."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.landmarks.evaluation.pck import PckRules, pck_scores
from binvision.landmarks.evaluation.scores import Finding
from binvision.landmarks.formats.points import HEAD_BOX, PointSet
from tests.support.random_points import make_set, noisy, perfect

HEADS = [14.0, 30.0, 22.0, 9.0, 41.0, 25.0]
MPII = PckRules(((HEAD_BOX, (0.5, 0.1)),))
# Columns of MPII's official table, by its numbers of joints.
JOINTS = {
    "head_top": (9,), "shoulder": (12, 13), "elbow": (11, 14), "wrist": (10, 15),
    "hip": (2, 3), "knee": (1, 4), "ankle": (0, 5),
}  # fmt: skip


def people(missing: float = 0.15) -> PointSet:
    lengths = [{HEAD_BOX: size} for size in HEADS]
    return make_set("pose16", len(HEADS), 11, missing=missing, lengths=lengths)


def officially(data: PointSet, found: list[Finding], threshold: float) -> dict[str, float]:
    """Arrays are (joint, axis, person) and errors are masked by what is labelled, as there."""
    true = np.stack([picture.points for picture in data.pictures], 2).astype(np.float64)
    shape = true.shape[:2]
    there = [np.full(shape, 1e9) if f.points is None else f.points for f in found]
    guess = np.stack(there, 2).astype(np.float64)
    present = 1 - np.isnan(true[:, 0, :]).astype(int)
    errors = np.linalg.norm(guess - np.nan_to_num(true), axis=1)
    errors = errors / (np.array([p.lengths[HEAD_BOX] for p in data.pictures]) * np.ones((16, 1)))
    correct = (errors * present <= threshold) * present
    count = present.sum(1)
    pck = 100.0 * correct.sum(1) / count
    figures = {f"{name} %": np.mean([pck[place] for place in at]) for name, at in JOINTS.items()}
    counted = np.delete(np.arange(16), [6, 7])  # without pelvis and thorax
    share = count[counted] / count[counted].sum()
    return {"PCK %": float((pck[counted] * share).sum()), **figures}


@pytest.mark.parametrize("missed", [(), (1, 4)])
def test_pckh_of_noisy_joints(missed: tuple[int, ...]) -> None:
    data = people()
    found = noisy(data, 2.5, 2, missed)
    rows = pck_scores(data, found, MPII)
    assert [row.limit for row in rows] == [0.5, 0.1]
    for row in rows:
        expected = officially(data, found, row.limit)
        assert {name: row.figures[name] for name in expected} == pytest.approx(expected)
        assert (row.pictures, row.missed, row.points) == (6, len(missed), 14)
        assert row.curve[-1] == pytest.approx(expected["PCK %"] / 100)
    assert 3 < rows[1].figures["PCK %"] < rows[0].figures["PCK %"] < 98  # type: ignore[operator]


def test_pckh_of_perfect_and_of_no_joints() -> None:
    data = people()
    for row in pck_scores(data, perfect(data), MPII):
        assert set(row.figures.values()) == {100.0}
    for row in pck_scores(data, [Finding(None, 0, 0)] * len(HEADS), MPII):
        assert set(row.figures.values()) == {0.0} and row.missed == len(HEADS)


def test_a_joint_on_the_threshold_is_correct() -> None:
    data = make_set("pose16", 1, 1, lengths=[{HEAD_BOX: 16.0}])
    points = np.round(data.pictures[0].points)
    data.pictures[0].points[:] = points
    for shift, expected in ((8, 100.0), (9, 0.0)):
        moved = Finding((points + (0, shift)).astype(np.float32), 1, 0)
        (row,) = pck_scores(data, [moved], PckRules(((HEAD_BOX, (0.5,)),)))
        assert row.figures["PCK %"] == expected


def test_pck_of_the_torso_and_of_the_head() -> None:
    data = make_set("pose14", 8, 3)
    found = noisy(data, 8.0, 4)
    rules = PckRules((("torso", (0.2,)), ("head", (0.5,)), (HEAD_BOX, (0.5,))))
    torso, head = pck_scores(data, found, rules)  # the set has no boxes of heads
    # LSP's order: 2 and 9 are the right hip and the left shoulder, 12 and 13 neck and head.
    for row, first, second, threshold in ((torso, 2, 9, 0.2), (head, 12, 13, 0.5)):
        hits = []
        for picture, finding in zip(data.pictures, found, strict=True):
            assert finding.points is not None
            true = picture.points.astype(np.float64)
            length = np.linalg.norm(true[first] - true[second])
            hits.append(np.linalg.norm(finding.points - true, axis=1) <= threshold * length)
        assert row.figures["PCK %"] == pytest.approx(100 * np.mean(hits))
        assert row.figures["ankle %"] == pytest.approx(100 * np.array(hits)[:, [0, 5]].mean())
    assert list(torso.figures) == [
        f"{name} %"
        for name in (
            "PCK", "head_top", "neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle",
        )
    ]  # fmt: skip


def test_people_without_the_length_do_not_count() -> None:
    data = make_set("pose14", 3, 3)
    data.pictures[1].points[9] = np.nan
    (row,) = pck_scores(data, perfect(data), PckRules((("torso", (0.2,)),)))
    assert row.pictures == 2


def test_a_joint_that_nobody_has_gets_no_figure() -> None:
    data = make_set("pose14", 2, 3)
    for picture in data.pictures:
        picture.points[13] = np.nan
    (row,) = pck_scores(data, perfect(data), PckRules((("torso", (0.2,)),)))
    assert row.figures["head_top %"] is None and row.figures["PCK %"] == 100
