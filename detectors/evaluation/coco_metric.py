"""COCO's detection metric, computed by its own tools.

The twelve numbers are those of ``COCOeval.summarize`` with its settings: IoU .50 to .95 in steps of
.05, 101 recall levels, up to 100 detections a picture and class, sizes by the objects' areas.
Classes without objects do not count. A figure of nothing, -1 there, is None here.

References:
    Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014,
    doi 10.1007/978-3-319-10602-1_48; https://cocodataset.org/#detection-eval.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.annotations import Picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.operating_points import (
    FALSE_PER_PICTURE,
    OperatingPoint,
    best_point,
    rate_within,
)

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

__all__ = [
    "NUMBERS",
    "RECALL_LEVELS",
    "SIZES",
    "ClassScores",
    "CocoScores",
    "PictureMatches",
    "coco_scores",
    "in_classes",
]

NUMBERS = (
    "AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge",
    "AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge",
)  # fmt: skip
SIZES = ("small", "medium", "large")
RECALL_LEVELS = np.linspace(0, 1, 101)

_AP50, _ALL_SIZES, _MOST = 0, 0, 2  # indices into what the tools accumulate


@dataclass(frozen=True)
class PictureMatches:
    """What COCO's matching at IoU .50 says of one picture's detections and objects.

    Attributes:
        counts: (N,) bool; False for detections of ignored objects, and beyond the 100 best.
        hit: (N,) bool.
        found_with: (M,) score of the detection that hit each object; -1 if none did, infinite for
            objects to be ignored.
    """

    counts: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    found_with: NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """What was measured of one class.

    Attributes:
        name: The class.
        boxes: Objects that count.
        ap: Average precision over IoU .50 to .95; None without objects.
        ap50: At IoU .50.
        ap50_by_size: At IoU .50, of small, medium and large objects.
        precision: (101,) precision at IoU .50 and `RECALL_LEVELS`; None without objects.
        recall_at: Recall at IoU .50 by the number of false detections a picture.
    """

    name: str
    boxes: int
    ap: float | None
    ap50: float | None
    ap50_by_size: dict[str, float | None]
    precision: NDArray[np.float64] | None
    recall_at: dict[float, float | None]


@dataclass(frozen=True)
class CocoScores:
    """What was measured on a set of pictures.

    Attributes:
        pictures: How many.
        numbers: The twelve of `NUMBERS`.
        ap50_by_size: Mean over the classes, at IoU .50, of small, medium and large objects.
        recall_at: Recall at IoU .50 by the number of false detections a picture, of all classes
            together with one threshold.
        best: The threshold on the score where F1 is greatest, all classes together; None without
            objects or detections.
        classes: In the order of the set.
        matches: Of each picture.
    """

    pictures: int
    numbers: dict[str, float | None]
    ap50_by_size: dict[str, float | None]
    recall_at: dict[float, float | None]
    best: OperatingPoint | None
    classes: tuple[ClassScores, ...]
    matches: tuple[PictureMatches, ...]


def in_classes(found: Detections, classes: tuple[str, ...]) -> Detections:
    """Number the detections by other classes; those of classes that are not there are left out."""
    numbers = {name: index for index, name in enumerate(classes)}
    table = np.array([numbers.get(name, -1) for name in found.classes], np.int64)
    labels = table[found.labels] if len(found) else found.labels
    kept = labels >= 0
    return Detections(found.boxes[kept], found.scores[kept], labels[kept], classes)


def coco_scores(
    pictures: Sequence[Picture], found: Sequence[Detections], classes: tuple[str, ...]
) -> CocoScores:
    """Measure detections.

    Args:
        pictures: With the truth; their ``labels`` are indices into ``classes``.
        found: What was found in each; theirs as well (see `in_classes`).
        classes: Names.

    Raises:
        ImportError: pycocotools is not installed.
    """
    evaluation = _evaluated(pictures, found, classes)
    precision, numbers = evaluation.eval["precision"], evaluation.stats.tolist()
    matches = tuple(_matches(evaluation, pictures, found, len(classes)))
    hits = [_hits(pictures, found, matches, index) for index in range(len(classes))]
    per_class = tuple(
        ClassScores(
            name,
            hits[index].boxes,
            _mean(precision[:, :, index, _ALL_SIZES, _MOST]),
            _mean(precision[_AP50, :, index, _ALL_SIZES, _MOST]),
            _by_size(precision[_AP50, :, index, :, _MOST]),
            precision[_AP50, :, index, _ALL_SIZES, _MOST].copy() if hits[index].boxes else None,
            _recall_at(hits[index], len(pictures)),
        )
        for index, name in enumerate(classes)
    )
    # Detections of classes without objects can only be false; COCO leaves such classes out.
    together = _joined([part for part in hits if part.boxes])
    return CocoScores(
        len(pictures),
        {name: value if value >= 0 else None for name, value in zip(NUMBERS, numbers, strict=True)},
        _by_size(precision[_AP50, :, :, :, _MOST]),
        _recall_at(together, len(pictures)),
        best_point(together.scores, together.hit, together.boxes),
        per_class,
        matches,
    )


@dataclass(frozen=True)
class _Hits:
    """Detections that count, and which of them hit an object."""

    boxes: int
    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]


def _evaluated(
    pictures: Sequence[Picture], found: Sequence[Detections], classes: tuple[str, ...]
) -> COCOeval:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    # Identifiers start at 1: the tools take a match with number 0 for none.
    head = {
        "images": [{"id": number} for number in range(1, len(pictures) + 1)],
        "categories": [{"id": number} for number in range(1, len(classes) + 1)],
    }
    truth, results = COCO(), COCO()
    truth.dataset = {**head, "annotations": _numbered(map(_truth_rows, pictures))}
    results.dataset = {**head, "annotations": _numbered(map(_found_rows, found))}
    with redirect_stdout(io.StringIO()):  # the tools tell of each step
        truth.createIndex()
        results.createIndex()
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _numbered(rows: Any) -> list[dict[str, Any]]:
    listed = [{**row, "image_id": number} for number, part in enumerate(rows, 1) for row in part]
    return [{**row, "id": number} for number, row in enumerate(listed, 1)]


def _truth_rows(picture: Picture) -> list[dict[str, Any]]:
    areas = picture.boxes[:, 2:].prod(1) if picture.areas is None else picture.areas
    return [
        {"bbox": box, "category_id": label + 1, "area": area, "iscrowd": int(ignore)}
        for box, label, area, ignore in zip(
            picture.boxes.tolist(),
            picture.labels.tolist(),
            areas.tolist(),
            picture.ignore.tolist(),
            strict=True,
        )
    ]


def _found_rows(found: Detections) -> list[dict[str, Any]]:
    return [
        {"bbox": box, "category_id": label + 1, "area": box[2] * box[3], "score": score}
        for box, label, score in zip(
            found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True
        )
    ]


def _matches(
    evaluation: COCOeval, pictures: Sequence[Picture], found: Sequence[Detections], classes: int
) -> Iterator[PictureMatches]:
    truth_first = found_first = 1  # numbers run through all pictures
    for place, (picture, boxes) in enumerate(zip(pictures, found, strict=True)):
        counts, hit = np.zeros(len(boxes), bool), np.zeros(len(boxes), bool)
        found_with = np.where(picture.ignore, np.inf, -1.0)
        for index in range(classes):
            # The tools list classes, in each the four ranges of sizes, in each the pictures.
            row = evaluation.evalImgs[index * (len(SIZES) + 1) * len(pictures) + place]
            if row is None:
                continue
            chosen = np.asarray(row["dtIds"], np.int64) - found_first
            counts[chosen] = ~row["dtIgnore"][_AP50]
            hit[chosen] = row["dtMatches"][_AP50] > 0
            by = row["gtMatches"][_AP50].astype(np.int64) - found_first
            objects = np.asarray(row["gtIds"], np.int64) - truth_first
            wanted = (by >= 0) & ~picture.ignore[objects]
            found_with[objects[wanted]] = boxes.scores[by[wanted]]
        yield PictureMatches(counts, hit & counts, found_with)
        truth_first += len(picture.boxes)
        found_first += len(boxes)


def _hits(
    pictures: Sequence[Picture],
    found: Sequence[Detections],
    matches: Sequence[PictureMatches],
    label: int,
) -> _Hits:
    boxes = sum(int((~p.ignore & (p.labels == label)).sum()) for p in pictures)
    parts = [
        _Hits(0, boxes_of.scores[chosen].astype(np.float64), match.hit[chosen])
        for boxes_of, match in zip(found, matches, strict=True)
        for chosen in [match.counts & (boxes_of.labels == label)]
    ]
    return replace(_joined(parts), boxes=boxes)


def _joined(parts: Sequence[_Hits]) -> _Hits:
    return _Hits(
        sum(part.boxes for part in parts),
        np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
        np.concatenate([np.zeros(0, bool), *(part.hit for part in parts)]),
    )


def _recall_at(hits: _Hits, pictures: int) -> dict[float, float | None]:
    if not hits.boxes:
        return dict.fromkeys(FALSE_PER_PICTURE)
    hit = hits.hit.astype(np.float64)
    return {
        allowed: rate_within(hits.scores, hit, 1 - hit, allowed * pictures) / hits.boxes
        for allowed in FALSE_PER_PICTURE
    }


def _by_size(precision: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean over all but the last axis, which has all sizes and then small, medium, large."""
    return {name: _mean(precision[..., index]) for index, name in enumerate(SIZES, 1)}


def _mean(precision: NDArray[np.float64]) -> float | None:
    measured = precision[precision > -1]
    return float(measured.mean()) if measured.size else None
