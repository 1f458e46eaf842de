"""FDDB's discrete and continuous scores, from the ellipses that its faces are marked with.

The rules are those of the official program: ellipses and boxes are filled into masks of the
picture's size; for every threshold on the score, detections are matched with faces so that the sum
of overlaps (intersection over union of the masks) is greatest; a match of more than .5 is a hit in
the discrete score and adds its overlap to the continuous one, as smaller matches do too. Whatever
is no hit is a false positive, in both. A box has corners where a face has none, so that a box which
touches an ellipse on all sides has an overlap of .79 at most.

Reference:
    Jain, Learned-Miller: FDDB: A Benchmark for Face Detection in Unconstrained Settings, Technical
    Report UM-CS-2010-009, University of Massachusetts Amherst, 2010.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.detectors.annotations import Picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.operating_points import FALSE_PER_PICTURE, rate_within
from binvision.detectors.formats.coco import read_coco_document
from binvision.errors import DataError

__all__ = [
    "FALSE_IN_ALL",
    "FddbScores",
    "ellipse_overlaps",
    "fddb_scores",
    "read_ellipses",
]

FALSE_IN_ALL = (100, 500, 1000)  # where papers read the curves of the whole set, 2845 pictures
_HIT = 0.5


@dataclass(frozen=True)
class FddbScores:
    """True positive rates by the number of false positives.

    Attributes:
        pictures: How many.
        faces: How many.
        discrete: By false positives a picture.
        continuous: Likewise.
        discrete_in_all: By false positives in all pictures together.
        continuous_in_all: Likewise.
    """

    pictures: int
    faces: int
    discrete: dict[float, float]
    continuous: dict[float, float]
    discrete_in_all: dict[int, float]
    continuous_in_all: dict[int, float]


def read_ellipses(path: Path) -> dict[int | str, NDArray[np.float64]]:
    """Read the ellipses of a COCO JSON whose annotations have ``ellipse``.

    Returns:
        By the picture's id: (N, 5) float64; half the major and the minor axis in pixels, angle of
        the major axis in radians, x and y of the centre. Pictures without faces have N = 0.

    Raises:
        DataError: The file is damaged, or an annotation has no ellipse.
    """
    document = read_coco_document(path)
    rows: dict[int | str, list[list[float]]] = {row.get("id"): [] for row in document["images"]}
    for index, row in enumerate(document["annotations"]):
        ellipse, picture = row.get("ellipse"), row.get("image_id")
        if picture not in rows:
            continue
        if not _is_ellipse(ellipse):
            raise DataError(
                f"{path}: annotation {index} of the list has the ellipse "
                f"{json.dumps(ellipse):.60}; FDDB's scores need one for each face: major, minor, "
                f"angle, x, y"
            )
        rows[picture].append(ellipse)
    return {name: np.array(found, np.float64).reshape(-1, 5) for name, found in rows.items()}


def fddb_scores(
    pictures: Sequence[Picture],
    ellipses: Sequence[NDArray[np.float64]],
    found: Sequence[Detections],
) -> FddbScores:
    """Measure face detections; all are taken for faces.

    Args:
        pictures: Their sizes count.
        ellipses: (N, 5) of each picture, as `read_ellipses` gives them.
        found: What was found in each.

    Raises:
        DataError: There is no face.
        ImportError: scipy is not installed.
    """
    faces = sum(map(len, ellipses))
    if not faces:
        raise DataError("no face in any of the pictures; FDDB's scores need some")
    steps = [
        _steps(ellipse_overlaps(picture.size_hw, marks, boxes.boxes), boxes.scores)
        for picture, marks, boxes in zip(pictures, ellipses, found, strict=True)
    ]
    scores, hits, overlap, false = np.concatenate([np.zeros((0, 4)), *steps]).T

    def rate(gains: NDArray[np.float64], allowed: float) -> float:
        return rate_within(scores, gains, false, allowed) / faces

    a_picture = {allowed: allowed * len(pictures) for allowed in FALSE_PER_PICTURE}
    return FddbScores(
        len(pictures),
        faces,
        {name: rate(hits, allowed) for name, allowed in a_picture.items()},
        {name: rate(overlap, allowed) for name, allowed in a_picture.items()},
        {allowed: rate(hits, allowed) for allowed in FALSE_IN_ALL},
        {allowed: rate(overlap, allowed) for allowed in FALSE_IN_ALL},
    )


def ellipse_overlaps(
    size_hw: tuple[int, int], ellipses: NDArray[np.float64], boxes: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Intersection over union of each box with each ellipse, counted in pixels as FDDB does.

    Args:
        size_hw: Of the picture, beyond which nothing counts.
        ellipses: (N, 5), see `read_ellipses`.
        boxes: (M, 4), x, y, w, h.

    Returns:
        (M, N) float64.
    """
    height, width = size_hw
    # Corners are rounded, and the last one belongs to the box.
    ends = boxes[:, :2].astype(np.float64) + boxes[:, 2:]
    limit = np.array([width, height])
    start = np.clip(np.rint(boxes[:, :2]), 0, limit).astype(np.int64)
    stop = np.clip(np.rint(ends) + 1, start, limit).astype(np.int64)
    box_areas = (stop - start).prod(1)
    overlaps = np.zeros((len(boxes), len(ellipses)))
    for index, (major, minor, angle, x, y) in enumerate(ellipses.tolist()):
        mask = np.zeros(size_hw, np.uint8)
        centre, axes = (round(x), round(y)), (int(major), int(minor))
        cv2.ellipse(mask, centre, axes, math.degrees(angle), 0, 360, 1, cv2.FILLED)
        # sums[y, x]: pixels of the ellipse above and to the left
        sums = cv2.integral(mask).astype(np.int64)
        (left, top), (right, bottom) = start.T, stop.T
        shared = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        covered = box_areas + sums[-1, -1] - shared
        overlaps[:, index] = shared / np.maximum(covered, 1)
    return overlaps


def _steps(overlaps: NDArray[np.float64], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each threshold adds in one picture: rows of score, hits, overlap, false positives.

    Matching anew at a lower threshold may change earlier matches, so that a row may be negative.
    """
    from scipy.optimize import linear_sum_assignment

    rows, previous = [], np.zeros(3)
    matched = np.zeros(0)  # overlaps of the best matches so far
    thresholds = np.unique(scores)[::-1]
    seen = 0
    for threshold in thresholds:
        count = int((scores >= threshold).sum())
        if overlaps[seen:count].any():
            chosen = overlaps[:count]
            matched = chosen[linear_sum_assignment(chosen, maximize=True)]
        seen = count
        hits = int((matched > _HIT).sum())
        totals = np.array([hits, matched.sum(), count - hits])
        rows.append([float(threshold), *(totals - previous)])
        previous = totals
    return np.array(rows, np.float64).reshape(-1, 4)


def _is_ellipse(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 5
        and all(isinstance(part, (int, float)) and math.isfinite(part) for part in value)
        and min(value[:2]) > 0
    )
