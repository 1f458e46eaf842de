"""Files of the points that were found on faces and people: CSV, JSON, and 300-W's ``.pts``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.media.files import write_atomically
from binvision.media.pictures import write_picture
from binvision.media.record_files import (
    JSONSink,
    PictureResult,
    PictureSink,
    TableSink,
    json_head,
    not_written,
)

__all__ = ["PLURALS", "FoundPoints", "PointColumns", "PointsFolder", "open_point_results"]

PLURALS = {"face": "faces", "person": "people"}
SUFFIXES = (".csv", ".json")
_BOX = ("x", "y", "w", "h")


@dataclass(frozen=True)
class FoundPoints:
    """The points of one face or person in a picture.

    Attributes:
        name: What has the points: face or person.
        number: Of a video the number that it keeps from frame to frame, else its place among
            those of the picture; from 1.
        box_xywh: Tight box of the points: left, top, width, height in pixels, counted from 0.
        score: Confidence in 0..1.
        points: (P, 2) float32, x and y in pixels, counted from 0.
        confidences: (P,) float32 in 0..1.
        measures: Further figures by name; NaN where they cannot be told.
    """

    name: str
    number: int
    box_xywh: BoxXYWH
    score: float
    points: NDArray[np.float32] = field(compare=False)
    confidences: NDArray[np.float32] = field(compare=False)
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PointColumns:
    """What a file says of each face or person beside its box.

    Attributes:
        subject: Face or person.
        points: Names of the points.
        measures: Names of the further figures.
        confidences: Whether lines of CSV have the confidence of each point; JSON always has them.
    """

    subject: str
    points: Sequence[str]
    measures: Sequence[str] = ()
    confidences: bool = False


def open_point_results(
    path: str | Path, columns: PointColumns, about: Mapping[str, Any]
) -> PictureSink[FoundPoints]:
    """Open a result file; its kind follows from its suffix.

    Args:
        path: Ends in .csv (a line for each face or person, with a head) or .json (``about``,
            the names of the points, and ``pictures``).
        columns: What is said of each.
        about: What JSON says of the run before the pictures: source, model.

    Raises:
        UsageError: The suffix is none of these.
        SinkError: The file cannot be made.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix == ".csv":
        axes = ("x", "y", "confidence")[: 3 if columns.confidences else 2]
        places = [f"{point}_{axis}" for point in columns.points for axis in axes]
        head = ["picture", columns.subject, "score", *_BOX, *columns.measures, *places]
        return TableSink(path, head, lambda result: _lines(result, columns))
    if suffix == ".json" and not path.name.lower().endswith(".coco.json"):
        head_of_all = json_head({**about, "points": list(columns.points)})
        return JSONSink(path, head_of_all, lambda result: _records(result, columns), "\n]}\n")
    raise not_written(path, SUFFIXES)


class PointsFolder:
    """Pictures and ``.pts`` files of the same names beside them, as 300-W has them.

    Points count from 1 in these files. A picture with several faces is there several times, as
    NAME, NAME.2 and so on. Pictures are written upright, as the points count them.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._named: Counter[Path] = Counter()

    def write(self, result: PictureResult[FoundPoints]) -> None:
        """Add a picture that has a name, once for each of its faces.

        Raises:
            SinkError: It cannot be written.
        """
        place = self.path / str(result.picture)
        for found in result.objects:
            number = self._named[place.with_suffix("")] + 1
            stem = place.stem if number == 1 else f"{place.stem}.{number}"
            write_picture(place.with_name(stem + place.suffix), result.image)
            write_atomically(place.with_name(f"{stem}.pts"), _points_text(found.points))
            self._named[place.with_suffix("")] = number

    def close(self) -> bool:
        """Tell whether there was a face; all of it has been written."""
        return bool(self._named)

    def discard(self) -> None:
        """What was written before something else failed is whole, and stays."""


def _points_text(points: NDArray[np.float32]) -> str:
    lines = "".join(f"{x:.3f} {y:.3f}\n" for x, y in (points + 1).tolist())
    return f"version: 1\nn_points: {len(points)}\n{{\n{lines}}}\n"


def _lines(result: PictureResult[FoundPoints], columns: PointColumns) -> list[Sequence[Any]]:
    lines: list[Sequence[Any]] = []
    for found in result.objects:
        places = [[f"{x:.2f}", f"{y:.2f}"] for x, y in found.points.tolist()]
        if columns.confidences:
            for place, confidence in zip(places, found.confidences.tolist(), strict=True):
                place.append(f"{confidence:.3f}")
        lines.append(
            [
                *(result.picture, found.number, f"{found.score:.4f}"),
                *(f"{value:.2f}" for value in found.box_xywh),
                *(_text(found.measures[name]) for name in columns.measures),
                *(value for place in places for value in place),
            ]
        )
    return lines


def _records(result: PictureResult[FoundPoints], columns: PointColumns) -> list[dict[str, Any]]:
    found = [
        {
            columns.subject: each.number,
            "score": round(each.score, 4),
            "box_xywh": _rounded(each.box_xywh),
            **{name: _number(each.measures[name]) for name in columns.measures},
            "points": [_rounded(point) for point in each.points.tolist()],
            "confidences": [round(value, 3) for value in each.confidences.tolist()],
        }
        for each in result.objects
    ]
    height, width = result.image.shape[:2]
    picture = {"picture": result.picture, "width": width, "height": height}
    return [picture | {PLURALS[columns.subject]: found}]


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
