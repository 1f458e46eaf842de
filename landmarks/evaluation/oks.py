"""COCO's keypoint metric, computed by its own tools: average precision over similarities (OKS).

    OKS = mean_p exp(-d_p^2 / (2 s^2 k_p^2)) over the labelled joints

with d_p the distance in pixels, s^2 the person's area and k_p a constant of each joint. The ten
numbers are those of ``COCOeval.summarize``; a figure of nothing, -1 there, is None here. People
are found in given boxes, so that the figures leave a detector of people out.

References:
    Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014;
    https://cocodataset.org/#keypoints-eval.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from binvision.detectors.formats.coco import read_coco_document
from binvision.landmarks.evaluation.scores import Finding, Scores
from binvision.landmarks.formats.coco_points import read_coco_points
from binvision.landmarks.formats.mat_files import find_file
from binvision.landmarks.formats.points import PointSet

__all__ = ["NUMBERS", "coco_results", "oks_scores", "read_coco_people"]

NUMBERS = (
    "AP", "AP50", "AP75", "APmedium", "APlarge", "AR", "AR50", "AR75", "ARmedium", "ARlarge",
)  # fmt: skip

_ANNOTATIONS = "annotations/person_keypoints_val2017.json"


def read_coco_people(root: Path) -> PointSet:
    """Read the people of COCO's validation set, or of any keypoint JSON.

    Args:
        root: COCO's folder, with ``annotations`` and ``val2017``, or the JSON.

    Raises:
        DataError: There is no JSON, it is damaged, or no person can be used.
    """
    return read_coco_points(_document_of(root), lone_points=True)


def oks_scores(root: Path, data: PointSet, found: Sequence[Finding]) -> tuple[Scores, ...]:
    """Compute the ten numbers.

    Args:
        root: As for `read_coco_people`: areas, crowds and unlabelled people are read from it.
        data: The people who were looked for; pictures of none of them do not count.
        found: Of each.

    Raises:
        DataError: The JSON is damaged.
        ImportError: pycocotools is not installed.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, results = COCO(), COCO()
    truth.dataset = read_coco_document(_document_of(root))
    category = truth.dataset["categories"][0]["id"] if truth.dataset["categories"] else 1
    rows = coco_results(data, found, category)
    numbered = [_as_loaded(number, row) for number, row in enumerate(rows, 1)]
    results.dataset = {**truth.dataset, "annotations": numbered}
    with redirect_stdout(io.StringIO()):  # the tools tell of each step
        truth.createIndex()
        results.createIndex()
        evaluation = COCOeval(truth, results, "keypoints")
        evaluation.params.imgIds = sorted({p.picture_id for p in data.pictures}, key=str)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = [None if value < 0 else float(value) for value in evaluation.stats]
    return (
        Scores(
            group=data.name,
            length="",
            pictures=len(data.pictures),
            missed=sum(finding.points is None for finding in found),
            points=len(data.scheme.points),
            figures=dict(zip(NUMBERS, values, strict=True)),
        ),
    )


def coco_results(data: PointSet, found: Sequence[Finding], category: int) -> list[dict[str, Any]]:
    """What was found, as COCO's result files list it; a person's score is that of the points.

    Args:
        data: The people.
        found: Of each; those who were missed have no line.
        category: Number of the category of people.
    """
    return [
        {
            "image_id": picture.picture_id,
            "category_id": category,
            "keypoints": [
                number for x, y in finding.points.astype(float).round(3) for number in (x, y, 1.0)
            ],
            "score": finding.score,
        }
        for picture, finding in zip(data.pictures, found, strict=True)
        if finding.points is not None
    ]


def _as_loaded(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """A result as ``COCO.loadRes`` completes it."""
    x, y = row["keypoints"][0::3], row["keypoints"][1::3]
    left, top, width, height = min(x), min(y), max(x) - min(x), max(y) - min(y)
    box = [left, top, width, height]
    return {**row, "id": number, "area": width * height, "bbox": box, "iscrowd": 0}


def _document_of(root: Path) -> Path:
    if root.suffix == ".json":
        return root
    return find_file(root, _ANNOTATIONS, Path(_ANNOTATIONS).name)
