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
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.annotations import Picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.operating_points import FALSE_PER_PICTURE, rate_within

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

__all__ = [
    "NUMBERS",
    "RECALL_LEVELS",
    "SIZES",
    "ClassScores",
    "CocoScores",
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
        classes: In the order of the set.
    """

    pictures: int
    numbers: dict[str, float | None]
    ap50_by_size: dict[str, float | None]
    recall_at: dict[float, float | None]
    classes: tuple[ClassScores, ...]


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
    hits = [_hits(evaluation, index, len(pictures)) for index in range(len(classes))]
    per_class = tuple(
        ClassScores(
            name,
            hits[index].boxes,
            _mean(precision[:, :, index, _ALL_SIZES, _MOST]),
            _mean(precision[_AP50, :, index, _ALL_SIZES, _MOST]),
            _by_size(precision[_AP50, :, index, :, _MOST]),
            precision[_AP50, :, index, _ALL_SIZES, _MOST].copy() if hits[index].boxes else None,
            _recall_at(hits[index : index + 1], len(pictures)),
        )
        for index, name in enumerate(classes)
    )
    return CocoScores(
        len(pictures),
        {name: value if value >= 0 else None for name, value in zip(NUMBERS, numbers, strict=True)},
        _by_size(precision[_AP50, :, :, :, _MOST]),
        _recall_at(hits, len(pictures)),
        per_class,
    )


@dataclass(frozen=True)
class _Hits:
    """Detections of one class that count, and which of them hit at IoU .50."""

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


def _hits(evaluation: COCOeval, index: int, pictures: int) -> _Hits:
    # The tools list classes, in each the four ranges of sizes, in each the pictures.
    first = index * (len(SIZES) + 1) * pictures
    rows = [row for row in evaluation.evalImgs[first : first + pictures] if row is not None]
    boxes = sum(int((np.asarray(row["gtIgnore"]) == 0).sum()) for row in rows)
    scores = np.concatenate([np.zeros(0), *(np.asarray(row["dtScores"]) for row in rows)])
    nothing = np.zeros(0, bool)
    hit = np.concatenate([nothing, *(row["dtMatches"][_AP50] > 0 for row in rows)])
    counts = ~np.concatenate([nothing, *(row["dtIgnore"][_AP50] for row in rows)])
    return _Hits(boxes, scores[counts], hit[counts])


def _recall_at(hits: Sequence[_Hits], pictures: int) -> dict[float, float | None]:
    boxes = sum(part.boxes for part in hits)
    if not boxes:
        return dict.fromkeys(FALSE_PER_PICTURE)
    # Detections of classes without objects can only be false; COCO leaves such classes out.
    parts = [part for part in hits if part.boxes]
    scores = np.concatenate([part.scores for part in parts])
    hit = np.concatenate([part.hit for part in parts]).astype(np.float64)
    return {
        allowed: rate_within(scores, hit, 1 - hit, allowed * pictures) / boxes
        for allowed in FALSE_PER_PICTURE
    }


def _by_size(precision: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean over all but the last axis, which has all sizes and then small, medium, large."""
    return {name: _mean(precision[..., index]) for index, name in enumerate(SIZES, 1)}


def _mean(precision: NDArray[np.float64]) -> float | None:
    measured = precision[precision > -1]
    return float(measured.mean()) if measured.size else None
