"""Boxes as people write them: on the command line and in the benchmarks' ground truth files.

A box is x, y, w, h: left, top, width and height in pixels, counted from 0.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from binvision.errors import BoxError, DataError

__all__ = ["BoxXYWH", "overlaps", "parse_box", "read_boxes", "read_picture_boxes"]

BoxXYWH = tuple[float, float, float, float]
"""Left, top, width, height in pixels, counted from 0."""

# OTB's files alone use commas, tabs and spaces, sometimes in one line.
_SEPARATORS = re.compile(r"\s*[,;\t ]\s*")


def parse_box(text: str) -> BoxXYWH:
    """Read one box from ``"X,Y,W,H"``; comma, semicolon, tab or space between the numbers.

    Raises:
        BoxError: There are not four finite numbers, or width or height is not positive.
    """
    numbers = _numbers(text)
    if numbers is None or len(numbers) != 4 or not np.isfinite(numbers).all():
        raise BoxError(
            f"box {text!r}: expected four numbers X,Y,W,H (left, top, width, height in pixels), "
            f"for example 120,80,64,48"
        )
    x, y, w, h = numbers
    if w <= 0 or h <= 0:
        raise BoxError(f"box {text!r}: has no area (width {w:g}, height {h:g}); both must be > 0")
    return x, y, w, h


def read_boxes(path: str | Path) -> NDArray[np.float64]:
    """Read a ground truth file: one ``x,y,w,h`` a line, any of the benchmarks' separators.

    Lines of NaN, which some benchmarks write where the target is out of view, are kept.

    Returns:
        Boxes (N, 4) float64, x, y, w, h in the file's own pixel counting.

    Raises:
        DataError: The file is missing, empty, or a line does not hold four numbers.
    """
    path = Path(path)
    lines = _lines(path)
    boxes = [
        _box_of_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not boxes:
        raise DataError(f"{path}: holds no box; expected one x,y,w,h a line")
    return np.array(boxes, np.float64)


def read_picture_boxes(path: str | Path) -> dict[str, list[BoxXYWH]]:
    """Read boxes of several pictures or frames: CSV with ``picture,x,y,w,h`` a line.

    Where the first line names columns they may come in any order, with others among them, as
    ``binvision detect --results`` writes them; the first is called ``picture`` or ``frame``.

    Returns:
        Boxes in the file's order, by picture: its name, or the number of the frame, as written.

    Raises:
        DataError: The file is missing or empty, or a line is wrong.
    """
    path = Path(path)
    rows = [row for row in enumerate(csv.reader(_lines(path)), 1) if row[1]]
    places = _columns(path, rows[0][1]) if rows else None
    if places:
        rows = rows[1:]
    boxes: dict[str, list[BoxXYWH]] = {}
    for number, row in rows:
        try:
            picture, *texts = (row[place].strip() for place in places or range(5))
            if places is None and len(row) != 5:
                raise IndexError
            x, y, w, h = map(float, texts)
        except (IndexError, ValueError):
            raise DataError(
                f"{path}, line {number}: expected a picture or frame and its box as "
                f"picture,x,y,w,h, found {','.join(row)!r}"
            ) from None
        if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
            raise DataError(
                f"{path}, line {number}: a box without area ({x:g},{y:g},{w:g},{h:g}); "
                f"width and height must be > 0"
            )
        boxes.setdefault(picture, []).append((x, y, w, h))
    if not boxes:
        raise DataError(f"{path}: holds no box; expected picture,x,y,w,h a line")
    return boxes


def overlaps(first_xywh: ArrayLike, second_xywh: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each pair of boxes, 0..1.

    Args:
        first_xywh: (N, 4) x, y, w, h.
        second_xywh: (N, 4) in the same pixels.

    Returns:
        (N,) float64; 0 where both boxes have no area.
    """
    first = np.asarray(first_xywh, np.float64).reshape(-1, 4)
    second = np.asarray(second_xywh, np.float64).reshape(-1, 4)
    start = np.maximum(first[:, :2], second[:, :2])
    end = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    shared = np.clip(end - start, 0, None).prod(1)
    covered = first[:, 2:].prod(1) + second[:, 2:].prod(1) - shared
    return np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: boxes cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: is not text in UTF-8; save the file as plain text"
        ) from error


def _columns(path: Path, head: Sequence[str]) -> list[int] | None:
    """Where a head has the picture and its box; None where the first line is no head."""
    names = [name.strip().lower() for name in head]
    if not set("xywh") & set(names):
        return None
    pictures = [names.index(name) for name in ("picture", "frame") if name in names]
    if not pictures or not set("xywh") <= set(names):
        raise DataError(
            f"{path}, line 1: names the columns {', '.join(names)}; expected picture (or frame) "
            f"and x, y, w, h among them"
        )
    return [pictures[0], *(names.index(name) for name in "xywh")]


def _box_of_line(path: Path, number: int, line: str) -> list[float]:
    numbers = _numbers(line)
    if numbers is None or len(numbers) != 4:
        raise DataError(
            f"{path}, line {number}: expected four numbers x,y,w,h, found {line.strip()!r}"
        )
    return numbers


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in _SEPARATORS.split(text.strip())]
    except ValueError:
        return None
