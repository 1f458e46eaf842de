"""FDDB's scores against its rules, one threshold and one mask at a time."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")

from binvision.detectors.annotations import Picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.fddb import ellipse_overlaps, fddb_scores, read_ellipses
from binvision.errors import DataError
from tests.support.detection_sets import coco_document, write_coco

SIZE_HW = (90, 121)


def picture() -> Picture:
    nothing = np.zeros(0)
    return Picture(
        Path("a.jpg"), SIZE_HW, nothing.reshape(0, 4).astype(np.float32),
        nothing.astype(np.int64), nothing.astype(bool), 1,
    )  # fmt: skip


def random_case(rng: np.random.Generator, faces: int, boxes: int) -> tuple[np.ndarray, Detections]:
    """Ellipses, some over the edge, and boxes around some of them, moved."""
    ellipses = np.column_stack([
        rng.uniform(10, 25, faces), rng.uniform(6, 18, faces), rng.uniform(-1.6, 1.6, faces),
        rng.uniform(0, SIZE_HW[1], faces), rng.uniform(0, SIZE_HW[0], faces),
    ])  # fmt: skip
    rows = []
    for _ in range(boxes):
        x, y = rng.uniform(0, SIZE_HW[1]), rng.uniform(0, SIZE_HW[0])
        if faces and rng.random() < 0.8:
            x, y = ellipses[rng.integers(faces), 3:] + rng.normal(0, 4, 2)
        w, h = rng.uniform(15, 45, 2)
        rows.append((x - w / 2, y - h / 2, w, h))
    scores = np.sort(np.round(rng.random(boxes), 1))[::-1].astype(np.float32)
    found = Detections(
        np.array(rows, np.float32).reshape(-1, 4), scores, np.zeros(boxes, np.int64), ("face",)
    )
    return ellipses, found


def overlaps_by_masks(ellipses: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    result = np.zeros((len(boxes), len(ellipses)))
    for row, (x, y, w, h) in enumerate(boxes.astype(np.float64)):
        box = np.zeros(SIZE_HW, np.uint8)
        cv2.rectangle(box, (round(x), round(y)), (round(x + w), round(y + h)), 1, cv2.FILLED)
        for column, (major, minor, angle, cx, cy) in enumerate(ellipses):
            face = np.zeros(SIZE_HW, np.uint8)
            # The official program turns the angle twice, from pi and from 180 degrees.
            turned = 180 - (math.pi - angle) * 180 / math.pi
            axes = (int(major), int(minor))
            cv2.ellipse(face, (round(cx), round(cy)), axes, turned, 0, 360, 1, cv2.FILLED)
            result[row, column] = (box & face).sum() / max(1, (box | face).sum())
    return result


def best_match(overlaps: np.ndarray) -> np.ndarray:
    """Overlaps of the matching with the greatest sum, all of them tried."""
    if overlaps.shape[0] > overlaps.shape[1]:
        overlaps = overlaps.T
    rows, columns = overlaps.shape
    tried = [
        overlaps[range(rows), list(order)] for order in itertools.permutations(range(columns), rows)
    ]
    return max(tried, key=lambda chosen: chosen.sum())


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_are_those_of_masks(seed: int) -> None:
    ellipses, found = random_case(np.random.default_rng(seed), 4, 8)
    np.testing.assert_allclose(
        ellipse_overlaps(SIZE_HW, ellipses, found.boxes),
        overlaps_by_masks(ellipses, found.boxes),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("seed", range(4))
def test_scores_by_hand(seed: int) -> None:
    rng = np.random.default_rng(10 + seed)
    cases = [random_case(rng, int(rng.integers(0, 4)), int(rng.integers(0, 5))) for _ in range(8)]
    faces = sum(len(ellipses) for ellipses, _ in cases)
    scores = fddb_scores(
        [picture()] * len(cases), [marks for marks, _ in cases], [found for _, found in cases]
    )
    assert (scores.pictures, scores.faces) == (len(cases), faces)
    curve = []  # false positives, hits, overlap
    for threshold in np.arange(0, 11, dtype=np.float32) / np.float32(10):
        hits = false = 0
        overlap = 0.0
        for ellipses, found in cases:
            boxes = found.boxes[found.scores >= threshold - np.float32(1e-3)]
            matched = np.zeros(0)
            if len(boxes) and len(ellipses):
                matched = best_match(overlaps_by_masks(ellipses, boxes))
            hits += int((matched > 0.5).sum())
            overlap += matched.sum()
            false += len(boxes) - int((matched > 0.5).sum())
        curve.append((false, hits, overlap))
    for allowed in (0.1, 0.5, 1.0):
        within = [row for row in curve if row[0] <= allowed * len(cases)]
        hits = max((row[1] for row in within), default=0)
        overlap = max((row[2] for row in within), default=0)
        assert scores.discrete[allowed] == pytest.approx(hits / faces)
        assert scores.continuous[allowed] == pytest.approx(overlap / faces)
    assert scores.discrete_in_all[100] == pytest.approx(max(row[1] for row in curve) / faces)


def test_a_box_that_touches_an_ellipse() -> None:
    ellipse = np.array([[30.0, 20.0, 0.0, 60.0, 45.0]])
    box = np.array([[30, 25, 60, 40]], np.float32)
    found = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64), ("face",))
    scores = fddb_scores([picture()], [ellipse], [found])
    assert scores.discrete[0.1] == 1
    assert scores.continuous[0.1] == pytest.approx(math.pi / 4, abs=0.02)


def test_no_face_and_no_detection() -> None:
    ellipses, found = random_case(np.random.default_rng(0), 2, 0)
    scores = fddb_scores([picture()], [ellipses], [found])
    assert set(scores.discrete.values()) == set(scores.continuous_in_all.values()) == {0}
    with pytest.raises(DataError, match="no face in any of the pictures"):
        fddb_scores([picture()], [ellipses[:0]], [found])


def test_ellipses_are_read(tmp_path: Path) -> None:
    document = coco_document()
    for index, row in enumerate(document["annotations"]):
        row["ellipse"] = [20, 10.5, 0.5, 30 + index, 20]
    path = write_coco(tmp_path, document)
    ellipses = read_ellipses(path)
    assert {name: rows.shape for name, rows in ellipses.items()} == {10: (2, 5), 11: (1, 5),
                                                                     12: (0, 5)}  # fmt: skip
    assert ellipses[11][0].tolist() == [20, 10.5, 0.5, 32, 20]
    for bad in (None, [1, 2, 3], [0, 1, 2, 3, 4], [1, 1, "x", 3, 4], [1, 1, math.nan, 3, 4]):
        document["annotations"][1]["ellipse"] = bad
        path.write_text(json.dumps(document))
        with pytest.raises(DataError, match=r"set\.json: annotation 1 of the list has the ellipse"):
            read_ellipses(path)
