"""Normalised mean errors against loops and numerical integration, as the official codes count."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from binvision.landmarks.evaluation import lengths
from binvision.landmarks.evaluation.benchmarks import BENCHMARKS
from binvision.landmarks.evaluation.nme import HIDDEN, VISIBLE, Group, NmeRules, nme_scores
from binvision.landmarks.evaluation.scores import Finding, Scores
from binvision.landmarks.formats.points import HEAD_BOX, SET_BOX, PointSet
from tests.support.random_points import make_set, noisy, perfect
from tests.support.repository import ROOT

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / "formats"

# Outer eye corners and all points of each eye, as the authors number them.
CORNERS = {"face68": (36, 45), "face98": (60, 72), "face29": (8, 9), "face19": (6, 11)}

LIMIT = 0.04  # some of the made-up subjects are better, some worse


def by_hand(data: PointSet, found: list[Finding], length: str, limit: float) -> dict[str, float]:
    """Loops over subjects and points; AUC by Simpson's rule as the 300-W codes have it."""
    errors, contour, inner = [], [], []
    for picture, finding in zip(data.pictures, found, strict=True):
        true = picture.points.astype(np.float64)
        if length == "box":
            (x0, y0), (x1, y1) = np.nanmin(true, 0), np.nanmax(true, 0)
            norm = math.sqrt((x1 - x0) * (y1 - y0))
        elif length == "inter-ocular":
            first, second = CORNERS[data.scheme.name]
            norm = math.dist(true[first], true[second])
        else:
            eyes = [true[36:42].mean(0), true[42:48].mean(0)]
            norm = math.dist(*eyes)
        if finding.points is None:
            errors.append(math.inf)
            continue
        of_points = {}
        for index, point in enumerate(finding.points.tolist()):
            if not np.isnan(true[index]).any():
                of_points[index] = math.dist(point, true[index]) / norm
        errors.append(sum(of_points.values()) / len(of_points))
        contour.append(np.mean([value for index, value in of_points.items() if index < 17]))
        inner.append(np.mean([value for index, value in of_points.items() if index >= 17]))
    steps = np.arange(0, limit + 1e-9, limit / 20000)
    curve = [sum(error <= step for error in errors) / len(errors) for step in steps]
    area = (np.sum(curve) - (curve[0] + curve[-1]) / 2) * (steps[1] - steps[0])
    finite = [error for error in errors if error < math.inf]
    return {
        "NME %": 100 * float(np.mean(finite)),
        "contour %": 100 * float(np.mean(contour)),
        "inner %": 100 * float(np.mean(inner)),
        "AUC": area / limit,
        "failures %": 100 * sum(error > limit for error in errors) / len(errors),
    }


def row_of(rows: tuple[Scores, ...], group: str, length: str) -> Scores:
    (row,) = [row for row in rows if (row.group, row.length) == (group, length)]
    return row


@pytest.mark.parametrize("length", ["inter-ocular", "inter-pupil", "box"])
@pytest.mark.parametrize("missed", [(), (2, 5)])
def test_against_loops(length: str, missed: tuple[int, ...]) -> None:
    data = make_set("face68", 9, 3)
    found = noisy(data, 1.6, 4, missed)
    rows = nme_scores(data, found, NmeRules((length,), LIMIT))
    (row,) = rows
    expected = by_hand(data, found, length, LIMIT)
    assert row.figures == pytest.approx(expected, abs=2e-4)
    assert (row.pictures, row.missed, row.points) == (9, len(missed), 68)
    assert 0 < expected["failures %"] < 100  # the noise makes a case of it
    thresholds = np.linspace(0, LIMIT, len(row.curve))
    assert row.curve[-1] == pytest.approx(1 - expected["failures %"] / 100)
    assert np.trapezoid(row.curve, thresholds) / LIMIT == pytest.approx(expected["AUC"], abs=0.01)


@pytest.mark.parametrize("scheme", list(CORNERS))
def test_length_between_the_outer_corners_of_the_eyes(scheme: str) -> None:
    data = make_set(scheme, 2, 1)
    first, second = CORNERS[scheme]
    points = data.pictures[0].points.astype(np.float64)
    found = lengths.length_of(lengths.INTER_OCULAR, data.scheme, data.pictures[0])
    assert found == pytest.approx(math.dist(points[first], points[second]))


@pytest.mark.parametrize(("scheme", "pupils"), [("face98", (96, 97)), ("face29", (16, 17))])
def test_length_between_pupils_that_are_points(scheme: str, pupils: tuple[int, int]) -> None:
    data = make_set(scheme, 1, 1)
    points = data.pictures[0].points.astype(np.float64)
    found = lengths.length_of(lengths.INTER_PUPIL, data.scheme, data.pictures[0])
    assert found == pytest.approx(math.dist(points[pupils[0]], points[pupils[1]]))


def test_perfect_points_have_no_error() -> None:
    data = make_set("face68", 3, 1)
    (row,) = nme_scores(data, perfect(data), NmeRules(("box",), 0.07))
    assert row.figures["NME %"] == 0 and row.figures["AUC"] == 1 and row.figures["failures %"] == 0
    assert set(row.curve) == {1.0} and row.limit == 0.07


def test_all_missed() -> None:
    data = make_set("face68", 3, 1)
    found = [Finding(None, 0, 0)] * 3
    (row,) = nme_scores(data, found, NmeRules(("box",), 0.07))
    assert row.figures["NME %"] is None and row.figures["contour %"] is None
    assert row.figures["AUC"] == 0 and row.figures["failures %"] == 100
    assert row.missed == 3 and set(row.curve) == {0.0}


def test_groups_by_subset_and_by_visibility() -> None:
    subsets = ["pose", "", "pose,blur", "blur"]
    data = make_set("face98", 4, 5, hidden=0.3, subset=subsets)
    found = noisy(data, 1.0, 6)
    groups = (
        Group("pose", "pose"),
        Group("blur", "blur"),
        Group("seen", points=VISIBLE),
        Group("unseen", points=HIDDEN),
        Group("nobody", "make-up"),
    )
    rows = nme_scores(data, found, NmeRules(("inter-ocular",), 0.1, groups))
    assert [row.group for row in rows] == ["made up", "pose", "blur", "seen", "unseen"]
    errors = []
    for picture, finding in zip(data.pictures, found, strict=True):
        assert finding.points is not None
        pixels = np.hypot(*(finding.points.astype(np.float64) - picture.points).T)
        errors.append(pixels / math.dist(picture.points[60], picture.points[72]))
    pose = row_of(rows, "pose", "inter-ocular")
    assert pose.figures["NME %"] == pytest.approx(100 * np.mean([errors[0], errors[2]]))
    assert pose.pictures == 2
    seen = np.mean([e[p.visible].mean() for e, p in zip(errors, data.pictures, strict=True)])
    unseen = np.mean([e[~p.visible].mean() for e, p in zip(errors, data.pictures, strict=True)])
    assert row_of(rows, "seen", "inter-ocular").figures["NME %"] == pytest.approx(100 * seen)
    assert row_of(rows, "unseen", "inter-ocular").figures["NME %"] == pytest.approx(100 * unseen)
    assert row_of(rows, "seen", "inter-ocular").points < 98


def test_balanced_mean_of_groups() -> None:
    data = make_set("face68", 4, 5, subset=["a", "a", "a", "b"])
    found = noisy(data, 1.0, 6)
    groups = (Group("a", "a"), Group("b", "b"))
    rows = nme_scores(data, found, NmeRules(("box",), 0.07, groups, balanced="mean"))
    means = {row.group: row.figures["NME %"] for row in rows}
    assert means["mean"] == pytest.approx((means["a"] + means["b"]) / 2)  # type: ignore[operator]
    # With a group that is not there the mean would be of something else.
    groups = (*groups, Group("c", "c"))
    rows = nme_scores(data, found, NmeRules(("box",), 0.07, groups, balanced="mean"))
    assert [row.group for row in rows] == ["made up", "a", "b"]


def test_lengths_of_the_set_and_those_it_lacks() -> None:
    data = make_set("face19", 3, 1, lengths=[{SET_BOX: 50.0}, {SET_BOX: 100.0}, {}])
    found = [Finding((picture.points + np.float32(3)), 1, 0) for picture in data.pictures]
    rows = nme_scores(data, found, NmeRules((SET_BOX, HEAD_BOX), 0.07))
    (row,) = rows  # faces have no box of the head
    assert row.pictures == 2
    assert row.figures["NME %"] == pytest.approx(100 * math.sqrt(18) * (1 / 50 + 1 / 100) / 2)


def test_points_that_are_not_labelled_do_not_count() -> None:
    data = make_set("face68", 4, 7, missing=0.2)
    found = noisy(data, 1.0, 8)
    (row,) = nme_scores(data, found, NmeRules(("box",), 0.08))
    assert row.figures == pytest.approx(by_hand(data, found, "box", 0.08), abs=2e-4)
    assert row.points < 68


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no samples in {REAL}; set BINVISION_DATA")
@pytest.mark.parametrize(
    ("benchmark", "file"),
    [("300w", "300w"), ("wflw", "wflw"), ("cofw", "cofw"), ("aflw", "aflw")],
)
def test_real_samples_whose_points_are_all_shifted(benchmark: str, file: str) -> None:
    """Each point is off by 3 and 4 pixels, so that every error is 5 over the length."""
    path = REAL / file / f"test_{file}.json"
    data = BENCHMARKS[benchmark].read(path)
    found = [Finding(p.points + np.float32([3, 4]), 1, 0) for p in data.pictures]
    rows = BENCHMARKS[benchmark].measure(path, data, found)
    true = [picture.points.astype(np.float64) for picture in data.pictures]
    if benchmark == "aflw":
        rows_of_set = json.loads(path.read_text())["annotations"]
        expected = {SET_BOX: [row["box_size"] for row in rows_of_set]}
    else:
        first, second = CORNERS[data.scheme.name]
        expected = {"inter-ocular": [math.dist(p[first], p[second]) for p in true]}
        if benchmark == "cofw":
            expected["inter-pupil"] = [math.dist(p[16], p[17]) for p in true]
    for length, norms in expected.items():
        row = next(row for row in rows if row.length == length)
        assert row.figures["NME %"] == pytest.approx(100 * np.mean(5 / np.array(norms)), rel=1e-4)
