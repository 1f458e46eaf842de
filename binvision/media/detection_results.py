"""Files of what was detected in pictures: CSV, JSON, or the result list of COCO's tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from binvision.media.boxes import BoxXYWH
from binvision.media.record_files import (
    JSONSink,
    PictureResult,
    PictureSink,
    TableSink,
    json_head,
    not_written,
)

__all__ = ["FoundObject", "open_detection_results"]

SUFFIXES = (".csv", ".coco.json", ".json")
_HEAD = ("picture", "class", "score", "x", "y", "w", "h")


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


def open_detection_results(path: str | Path, about: Mapping[str, Any]) -> PictureSink[FoundObject]:
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
        return TableSink(path, _HEAD, _cells)
    if name.endswith(".coco.json"):
        return JSONSink(path, "[", _coco_records, "\n]\n")
    if name.endswith(".json"):
        return JSONSink(path, json_head(about), _records, "\n]}\n")
    raise not_written(path, SUFFIXES)


def _cells(result: PictureResult[FoundObject]) -> list[Sequence[Any]]:
    return [
        [
            result.picture,
            found.name,
            f"{found.score:.4f}",
            *[f"{value:.2f}" for value in found.box_xywh],
        ]
        for found in result.objects
    ]


def _records(result: PictureResult[FoundObject]) -> list[dict[str, Any]]:
    height, width = result.image.shape[:2]
    objects = [
        {"class": found.name, "score": round(found.score, 4), "box_xywh": _rounded(found.box_xywh)}
        for found in result.objects
    ]
    return [{"picture": result.picture, "width": width, "height": height, "objects": objects}]


def _coco_records(result: PictureResult[FoundObject]) -> list[dict[str, Any]]:
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
