"""What was found in each picture, kept in a file as the pictures are done.

``found.jsonl``: the first line says what made it, every other is a picture. A run that was
interrupted or killed goes on behind the last whole line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from binvision.detectors.annotations import DetectionSet, Picture
from binvision.detectors.detections import Detections
from binvision.media.kept_rows import KeptRows

__all__ = ["FILE_NAME", "Finding", "FindingStore", "coco_results"]

FILE_NAME = "found.jsonl"


@dataclass(frozen=True)
class Finding:
    """Detections in one picture, and the seconds that they took, decoding not counted."""

    found: Detections
    seconds: float


class FindingStore:
    """The findings of one detector in one folder.

    Args:
        folder: Where; made if it is not there.
        identity: What findings depend on.
        classes: Names that the detector's labels stand for.

    Raises:
        UsageError: What is there was made by another detector or with other options.
        DataError: What is there cannot be read.
        SinkError: The folder cannot be written.
    """

    def __init__(self, folder: Path, identity: dict[str, object], classes: tuple[str, ...]) -> None:
        self.path = folder / FILE_NAME
        self._classes = classes
        self._rows = KeptRows(self.path, {**identity, "classes": list(classes)}, self._finding)
        self._known = dict(self._rows.earlier)

    def get(self, picture: Picture) -> Finding | None:
        """What was found in a picture earlier, or None."""
        return self._known.get((picture.identifier, picture.path.name))

    def add(self, picture: Picture, finding: Finding) -> None:
        """Keep what was found in a picture.

        Raises:
            SinkError: It cannot be written.
        """
        self._known[picture.identifier, picture.path.name] = finding
        found = finding.found
        self._rows.add(
            {
                "picture": picture.identifier,
                "file": picture.path.name,
                "seconds": finding.seconds,
                "boxes": [_numbers(box) for box in found.boxes],
                "scores": _numbers(found.scores),
                "labels": found.labels.tolist(),
            }
        )

    def close(self) -> None:
        """Leave the file."""
        self._rows.close()

    def _finding(self, row: dict[str, Any]) -> tuple[tuple[int | str, str], Finding]:
        boxes = np.array(row["boxes"], np.float32).reshape(-1, 4)
        scores = np.array(row["scores"], np.float32)
        labels = np.array(row["labels"], np.int64)
        if not len(boxes) == len(scores) == len(labels):
            raise ValueError(f"picture {row['picture']} has not one score and label a box")
        if not set(labels.tolist()) <= set(range(len(self._classes))):
            raise ValueError(f"picture {row['picture']} has labels beyond the classes")
        found = Detections(boxes, scores, labels, self._classes)
        return (row["picture"], row["file"]), Finding(found, float(row["seconds"]))


def coco_results(data: DetectionSet, found: Sequence[Detections]) -> list[dict[str, object]]:
    """Detections as COCO's result files list them, by the numbers of the annotations.

    Args:
        data: The pictures.
        found: What was found in each, labels in the set's classes.
    """
    return [
        {
            "image_id": picture.identifier,
            "category_id": data.class_ids[label],
            "bbox": _numbers(box),
            "score": float(str(score)),
        }
        for picture, boxes in zip(data.pictures, found, strict=True)
        for box, score, label in zip(boxes.boxes, boxes.scores, boxes.labels, strict=True)
    ]


def _numbers(values: np.ndarray) -> list[float]:
    """float32 numbers with as many digits as tell them apart, not those of float64."""
    return [float(str(value)) for value in values]
