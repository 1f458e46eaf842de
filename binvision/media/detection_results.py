"""Files of what was found in pictures: CSV, JSON, or the result list of COCO's tools.

Objects go to a file beside the final one as they come; closing gives it its name. An interrupted
run is closed like any other, so what was found until then is kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from binvision.errors import UsageError
from binvision.media.boxes import BoxXYWH
from binvision.media.files import PendingFile

__all__ = ["DetectionsSink", "FoundObject", "PictureResult", "open_detection_results"]

SUFFIXES = (".csv", ".coco.json", ".json")


@dataclass(frozen=True)
class FoundObject:
    """One object in a picture.

    Attributes:
        box_xywh: Left, top, width, height in pixels, counted from 0.
        score: Confidence in 0..1.
        label: Number of its class, from 0.
        name: Name of its class.
    """

    box_xywh: BoxXYWH
    score: float
    label: int
    name: str


@dataclass(frozen=True)
class PictureResult:
    """What was found in one picture.

    Attributes:
        picture: Its name; of a video the number of the frame, from 0.
        identifier: What COCO's annotations would call it.
        size_hw: Height and width, pixels.
        objects: The most certain first.
    """

    picture: int | str
    identifier: int | str
    size_hw: tuple[int, int]
    objects: Sequence[FoundObject]


class DetectionsSink(Protocol):
    """Takes results picture by picture."""

    path: Path

    def write(self, result: PictureResult) -> None:
        """Add a picture.

        Raises:
            SinkError: It cannot be written.
        """
        ...

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            SinkError: The end cannot be written.
        """
        ...

    def discard(self) -> None:
        """Leave no file behind."""
        ...


def open_detection_results(path: str | Path, about: Mapping[str, Any]) -> DetectionsSink:
    """Open a result file; its kind follows from its suffix.

    Args:
        path: Ends in .csv (a line for each object, with a head), .coco.json (what pycocotools
            loads as results: categories are counted from 1 in the order of the model's classes)
            or any other .json (``about`` and ``pictures``).
        about: What JSON says of the run before the pictures: source, model, classes.

    Raises:
        UsageError: The suffix is none of these.
        SinkError: The file cannot be made.
    """
    path = Path(path).expanduser()
    name = path.name.lower()
    if name.endswith(".csv"):
        return _TableSink(path)
    if name.endswith(".coco.json"):
        return _JSONSink(path, "[", _coco_records, "\n]\n")
    if name.endswith(".json"):
        head = json.dumps(dict(about), ensure_ascii=False)[:-1]
        head += ', "pictures": [' if about else '"pictures": ['
        return _JSONSink(path, head, _records, "\n]}\n")
    raise UsageError(
        f"{path}: results are written as {', '.join(SUFFIXES)}, "
        f"not {path.suffix or 'a name without suffix'}"
    )


class _TableSink:
    """A line for each object; names are quoted where they hold commas."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = PendingFile(path)
        self._file.write("picture,class,score,x,y,w,h\n")

    def write(self, result: PictureResult) -> None:
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        for found in result.objects:
            box = [f"{value:.2f}" for value in found.box_xywh]
            lines.writerow([result.picture, found.name, f"{found.score:.4f}", *box])
        self._file.write(text.getvalue())

    def close(self) -> None:
        self._file.finish()

    def discard(self) -> None:
        self._file.discard()


class _JSONSink:
    """A list with a record a line, between a head and an end."""

    def __init__(self, path: Path, head: str, records: Any, end: str) -> None:
        self.path = path
        self._records, self._end = records, end
        self._file = PendingFile(path)
        self._file.write(head)
        self._separator = "\n"

    def write(self, result: PictureResult) -> None:
        for record in self._records(result):
            self._file.write(self._separator + json.dumps(record, ensure_ascii=False))
            self._separator = ",\n"

    def close(self) -> None:
        self._file.write(self._end)
        self._file.finish()

    def discard(self) -> None:
        self._file.discard()


def _records(result: PictureResult) -> list[dict[str, Any]]:
    height, width = result.size_hw
    objects = [
        {"class": found.name, "score": round(found.score, 4), "box_xywh": _rounded(found.box_xywh)}
        for found in result.objects
    ]
    return [{"picture": result.picture, "width": width, "height": height, "objects": objects}]


def _coco_records(result: PictureResult) -> list[dict[str, Any]]:
    return [
        {
            "image_id": result.identifier,
            "category_id": found.label + 1,
            "bbox": _rounded(found.box_xywh),
            "score": round(found.score, 5),
        }
        for found in result.objects
    ]


def _rounded(box_xywh: BoxXYWH) -> list[float]:
    return [round(value, 2) for value in box_xywh]
