"""COCO's numbers against its own tools, used as their authors use them: through files."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pycocotools")

from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.coco_metric import NUMBERS, coco_scores, in_classes
from binvision.detectors.evaluation.operating_points import rate_within
from tests.support.random_detections import random_detections, random_pictures

CLASSES = ("cat", "dog", "owl")


def official(folder: Path, pictures: list, found: list[Detections]) -> np.ndarray:
    """The twelve numbers by annotation and result files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for number, (picture, boxes) in enumerate(zip(pictures, found, strict=True), 1):
        areas = picture.boxes[:, 2:].prod(1) if picture.areas is None else picture.areas
        for box, label, area, ignore in zip(
            picture.boxes.tolist(), picture.labels, areas, picture.ignore, strict=True
        ):
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": int(label)}
            annotations.append({**row, "bbox": box, "area": float(area), "iscrowd": int(ignore)})
        for box, score, label in zip(boxes.boxes.tolist(), boxes.scores, boxes.labels, strict=True):
            row = {"image_id": number, "category_id": int(label), "bbox": box}
            results.append({**row, "score": float(score)})
    document = {
        "info": {},
        "images": [{"id": number + 1} for number in range(len(pictures))],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES)],
        "annotations": annotations,
    }
    truth_path, results_path = folder / "truth.json", folder / "results.json"
    truth_path.write_text(json.dumps(document))
    results_path.write_text(json.dumps(results))
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(truth_path))
        evaluation = COCOeval(truth, truth.loadRes(str(results_path)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(4))
def test_the_twelve_numbers_are_the_official_ones(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = random_pictures(rng, 12, len(CLASSES))
    found = [random_detections(rng, picture, CLASSES) for picture in pictures]
    if seed == 1:  # areas of their own, as outlines have them
        pictures = [
            replace(picture, areas=picture.boxes[:, 2:].prod(1) * np.float32(0.4))
            for picture in pictures
        ]
    scores = coco_scores(pictures, found, CLASSES)
    assert tuple(scores.numbers) == NUMBERS
    expected = [None if value == -1 else value for value in official(tmp_path, pictures, found)]
    assert list(scores.numbers.values()) == pytest.approx(expected, abs=1e-12)
    # Means of the parts that the summary is made of:
    assert scores.numbers["AP"] == pytest.approx(np.mean([c.ap for c in scores.classes]))
    assert scores.numbers["AP50"] == pytest.approx(np.mean([c.ap50 for c in scores.classes]))
    for part in scores.classes:
        assert part.precision is not None and part.precision.shape == (101,)
        assert part.ap50 == pytest.approx(part.precision.mean())


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    pictures = random_pictures(rng, 2, 1)
    coco_scores(pictures, [random_detections(rng, p, ("cat",)) for p in pictures], ("cat",))
    assert capsys.readouterr() == ("", "")


def recall_by_hand(
    pictures: list, found: list[Detections], classes: tuple[str, ...], allowed: float
) -> float | None:
    """Thresholds one by one; greedy matching at IoU .5, each detection to the best free object."""
    total = sum(int((~picture.ignore).sum()) for picture in pictures)
    best = 0.0
    thresholds = sorted({float(score) for boxes in found for score in boxes.scores})
    for threshold in thresholds:
        hits = false = 0
        for picture, boxes in zip(pictures, found, strict=True):
            for label in range(len(classes)):
                truth = picture.boxes[picture.labels == label]
                ignore = picture.ignore[picture.labels == label]
                free = np.ones(len(truth), bool)
                chosen = (boxes.labels == label) & (boxes.scores >= np.float32(threshold))
                for box in boxes.boxes[chosen]:
                    end = np.minimum(box[:2] + box[2:], truth[:, :2] + truth[:, 2:])
                    shared = np.clip(end - np.maximum(box[:2], truth[:, :2]), 0, None).prod(1)
                    union = box[2:].prod() + np.where(ignore, 0, truth[:, 2:].prod(1) - shared)
                    overlap = shared / union
                    counted = np.where(~ignore & free, overlap, -1)
                    if len(truth) and counted.max() >= 0.5:
                        free[counted.argmax()] = False
                        hits += 1
                    elif not (ignore & (overlap >= 0.5)).any():
                        false += 1
        if false <= allowed * len(pictures):
            best = max(best, hits / total)
    return best


@pytest.mark.parametrize("seed", range(3))
def test_recall_at_false_detections(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    pictures = random_pictures(rng, 10, len(CLASSES), most=5)
    found = [random_detections(rng, picture, CLASSES, extra=2) for picture in pictures]
    scores = coco_scores(pictures, found, CLASSES)
    assert sorted(scores.recall_at) == [0.1, 0.5, 1.0]
    for allowed, recall in scores.recall_at.items():
        expected = recall_by_hand(pictures, found, CLASSES, allowed)
        assert recall == pytest.approx(expected), allowed


def test_rate_within_counts_equal_scores_together() -> None:
    scores, hit = np.array([0.5, 0.9, 0.5, 0.2]), np.array([1.0, 1.0, 0.0, 1.0])
    assert rate_within(scores, hit, 1 - hit, 0) == 1
    assert rate_within(scores, hit, 1 - hit, 1) == 3
    assert rate_within(scores[:0], hit[:0], hit[:0], 5) == 0


@pytest.mark.parametrize("seed", range(3))
def test_matches_and_the_best_threshold(seed: int) -> None:
    """Counted picture by picture at every threshold."""
    rng = np.random.default_rng(200 + seed)
    pictures = random_pictures(rng, 10, len(CLASSES), most=5)
    found = [random_detections(rng, picture, CLASSES, extra=3) for picture in pictures]
    scores = coco_scores(pictures, found, CLASSES)
    objects = sum(int((~picture.ignore).sum()) for picture in pictures)
    points = []
    for threshold in np.unique(np.concatenate([boxes.scores for boxes in found])):
        hits = missed = false = 0
        for boxes, match in zip(found, scores.matches, strict=True):
            above = boxes.scores >= threshold
            hits += int((match.hit & above).sum())
            false += int((match.counts & ~match.hit & above).sum())
            missed += int((match.found_with < threshold).sum())
        assert hits + missed == objects
        precision, recall = hits / max(hits + false, 1), hits / objects
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        points.append((f1, float(threshold), precision, recall))
    f1, threshold, precision, recall = max(points)
    assert scores.best is not None and scores.best.score == pytest.approx(threshold)
    assert (scores.best.precision, scores.best.recall) == pytest.approx((precision, recall))


def test_classes_and_sizes_without_objects() -> None:
    rng = np.random.default_rng(5)
    (picture,) = random_pictures(rng, 1, 1, most=0)
    thing = np.array([[10, 10, 20, 20]], np.float32)
    picture = replace(picture, boxes=thing, labels=np.array([1]), ignore=np.array([False]))
    found = Detections(thing, np.array([0.9], np.float32), np.array([1]), CLASSES)
    scores = coco_scores([picture], [found], CLASSES)
    assert scores.numbers["AP"] == scores.numbers["APsmall"] == pytest.approx(1)
    assert scores.numbers["APlarge"] is None and scores.numbers["ARmedium"] is None
    assert scores.ap50_by_size == {"small": pytest.approx(1), "medium": None, "large": None}
    cat, dog, _ = scores.classes
    assert (cat.boxes, cat.ap, cat.ap50, cat.precision) == (0, None, None, None)
    assert set(cat.recall_at.values()) == {None}
    assert (dog.boxes, dog.ap, dog.recall_at[0.1]) == (1, pytest.approx(1), 1)


def test_nothing_found_and_nothing_there() -> None:
    rng = np.random.default_rng(6)
    nothing = Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), ("cat",)
    )
    pictures = random_pictures(rng, 4, 1)
    scores = coco_scores(pictures, [nothing] * 4, ("cat",))
    assert scores.numbers["AP"] == scores.numbers["AR100"] == 0 and scores.best is None
    assert set(scores.recall_at.values()) == {0}
    empty = random_pictures(rng, 2, 1, most=0)
    scores = coco_scores(empty, [nothing] * 2, ("cat",))
    assert set(scores.numbers.values()) == {None} and set(scores.recall_at.values()) == {None}


def test_detections_of_other_classes() -> None:
    found = Detections(
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.array([2, 0, 1]),
        ("owl", "elk", "cat"),
    )
    kept = in_classes(found, CLASSES)
    assert kept.classes == CLASSES and kept.labels.tolist() == [0, 2]
    assert kept.boxes[:, 0].tolist() == [0, 4] and kept.scores.tolist() == found.scores[:2].tolist()
