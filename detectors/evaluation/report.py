"""What an evaluation reports, as data: all pictures, groups of them, speed, what was left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from binvision.detectors.annotations import DetectionSet
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.coco_metric import CocoScores, coco_scores
from binvision.detectors.evaluation.fddb import FddbScores, fddb_scores
from binvision.errors import DataError, UsageError

__all__ = ["ALL", "Report", "make_report"]

ALL = "all"  # name of the group of all pictures
_FORMAT = 1  # of the JSON


@dataclass(frozen=True)
class Report:
    """Scores of one detector on one set.

    Attributes:
        annotations: What was read.
        identity: What made the detections.
        classes: Of the set.
        groups: Scores of all pictures under `ALL`, and then of each group.
        fddb: FDDB's scores, or None.
        median_ms: Milliseconds of a picture, decoding not counted: the median.
        threads: With so many threads.
        problems: What was left out of the set.
    """

    annotations: str
    identity: dict[str, object]
    classes: tuple[str, ...]
    groups: dict[str, CocoScores]
    fddb: FddbScores | None
    median_ms: float
    threads: int
    problems: tuple[str, ...]

    @property
    def scores(self) -> CocoScores:
        """Of all pictures."""
        return self.groups[ALL]

    @property
    def frames_per_second(self) -> float:
        """Of the median picture."""
        return 1000 / self.median_ms if self.median_ms > 0 else 0.0

    def to_json(self) -> str:
        """The whole report; figures of nothing are null."""
        document = {
            "format": _FORMAT,
            "annotations": self.annotations,
            "detector": self.identity,
            "classes": list(self.classes),
            "median_ms": round(self.median_ms, 3),
            "frames_per_second": round(self.frames_per_second, 2),
            "threads": self.threads,
            "groups": {name: _group(scores) for name, scores in self.groups.items()},
            "fddb": _fddb(self.fddb),
            "problems": list(self.problems),
        }
        return json.dumps(document, indent=2) + "\n"


def make_report(
    annotations: str,
    data: DetectionSet,
    found: Sequence[Detections],
    *,
    identity: dict[str, object],
    seconds: Sequence[float],
    threads: int,
    prefixes: Sequence[str] = (),
    ellipses: Sequence[np.ndarray] | None = None,
) -> Report:
    """Compute all scores.

    Args:
        annotations: What the set was read from.
        data: The set.
        found: What was found in each picture, labels in the set's classes.
        identity: What made it.
        seconds: Time of each picture.
        threads: With so many threads.
        prefixes: Groups to measure apart: pictures whose names begin so.
        ellipses: Of each picture, for FDDB's scores; None leaves them out.

    Raises:
        UsageError: No picture's name begins with one of the prefixes.
        DataError: The set has no object to be found.
        ImportError: pycocotools or scipy is not installed.
    """
    if all(picture.ignore.all() for picture in data.pictures):
        raise DataError(f"{annotations}: no object to be found in any picture; nothing to measure")
    chosen = {ALL: list(range(len(data.pictures)))}
    for prefix in prefixes:
        chosen[prefix] = [
            index
            for index, picture in enumerate(data.pictures)
            if picture.path.name.startswith(prefix)
        ]
        if not chosen[prefix]:
            raise UsageError(
                f"group {prefix!r}: no picture's name begins so; the first one is called "
                f"{data.pictures[0].path.name}"
            )
    groups = {
        name: coco_scores(
            [data.pictures[index] for index in indices],
            [found[index] for index in indices],
            data.classes,
        )
        for name, indices in chosen.items()
    }
    return Report(
        annotations,
        identity,
        data.classes,
        groups,
        fddb_scores(data.pictures, ellipses, found) if ellipses is not None else None,
        1000 * float(np.median(seconds)),
        threads,
        data.problems,
    )


def _group(scores: CocoScores) -> dict[str, Any]:
    best = scores.best
    return {
        "pictures": scores.pictures,
        "numbers": _rounded(scores.numbers),
        "ap50_by_size": _rounded(scores.ap50_by_size),
        "recall_at_false_per_picture": _rounded(scores.recall_at),
        "best_f1": best
        and {
            "score": round(best.score, 4),
            "precision": round(best.precision, 6),
            "recall": round(best.recall, 6),
        },
        "classes": {
            part.name: {
                "boxes": part.boxes,
                "AP": _round(part.ap),
                "AP50": _round(part.ap50),
                "ap50_by_size": _rounded(part.ap50_by_size),
                "recall_at_false_per_picture": _rounded(part.recall_at),
                "precision_at_recall": None
                if part.precision is None
                else [round(value, 4) for value in part.precision.tolist()],
            }
            for part in scores.classes
        },
    }


def _fddb(scores: FddbScores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {
        "pictures": scores.pictures,
        "faces": scores.faces,
        "discrete_at_false_per_picture": _rounded(scores.discrete),
        "continuous_at_false_per_picture": _rounded(scores.continuous),
        "discrete_at_false_in_all": _rounded(scores.discrete_in_all),
        "continuous_at_false_in_all": _rounded(scores.continuous_in_all),
    }


def _rounded(figures: Any) -> dict[str, float | None]:
    return {str(name): _round(value) for name, value in figures.items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
