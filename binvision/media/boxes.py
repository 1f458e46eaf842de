"""Boxes as people write them: on the command line and in the benchmarks' ground truth files.

A box is x, y, w, h: left, top, width and height in pixels, counted from 0.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from binvision.errors import BoxError, DataError

__all__ = ["BoxXYWH", "overlaps", "parse_box", "read_boxes"]

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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: boxes cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: is not text in UTF-8; save the file as plain text"
        ) from error
    boxes = [
        _box_of_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not boxes:
        raise DataError(f"{path}: holds no box; expected one x,y,w,h a line")
    return np.array(boxes, np.float64)


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
