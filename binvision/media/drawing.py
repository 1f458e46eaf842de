"""Marks on pictures: boxes, solid while a target is held and dashed while it is lost, or points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH

__all__ = ["Mark", "Outline", "annotate", "has_room"]

Point = tuple[int, int]

# Bright, far apart, and told from each other by colour-blind eyes as well (BGR).
_COLOURS = (
    (80, 220, 120),
    (40, 170, 255),
    (255, 170, 70),
    (190, 110, 240),
    (60, 230, 245),
    (230, 220, 90),
)
_SHADE = (24, 24, 24)
_PAPER = (245, 245, 245)
_FEW = 12  # marks in a picture that all have their names beside them
_NAMED = 1 / 8  # width of the smallest that has among more, of the picture's shorter side
_SHIFT = 3  # OpenCV draws at 1/8 pixel with this many fractional bits


@dataclass(frozen=True)
class Outline:
    """Points, and the lines between them.

    Attributes:
        points: (P, 2), x and y in pixels, counted from 0.
        lines: Polylines, as indices of points.
        certain: (P,) bool. A point that is not certain is drawn hollow, without its lines.
    """

    points: NDArray[np.floating]
    lines: Sequence[Sequence[int]]
    certain: NDArray[np.bool_]


@dataclass(frozen=True)
class Mark:
    """What to draw for one target.

    Attributes:
        box_xywh: Left, top, width, height in pixels, counted from 0.
        label: Short text above the box.
        score: Confidence in 0..1, drawn as a bar; None draws none.
        lost: Draw the box dashed.
        colour: Which colour of the palette; any whole number.
        dashed: Draw the box dashed, without a word of being lost.
        outline: Drawn in place of the box.
    """

    box_xywh: BoxXYWH
    label: str = ""
    score: float | None = None
    lost: bool = False
    colour: int = 0
    dashed: bool = False
    outline: Outline | None = field(default=None, compare=False)


def annotate(
    frame: NDArray[np.uint8], marks: Sequence[Mark], caption: str = ""
) -> NDArray[np.uint8]:
    """Return a copy of ``frame`` with the marks drawn, line widths by its size.

    Args:
        frame: (H, W, 3) uint8, BGR.
        marks: What to draw, the last one on top.
        caption: Small text in the lower left corner.
    """
    canvas = frame.copy()
    scale = max(0.5, min(canvas.shape[:2]) / 480)
    for mark in marks:
        colour = _COLOURS[mark.colour % len(_COLOURS)]
        if mark.outline:
            _draw_outline(canvas, mark.outline, max(mark.box_xywh[2:]), colour, scale)
        else:
            _draw_box(canvas, mark, colour, max(1, round(2 * scale)))
        _draw_plate(canvas, mark, colour, scale)
    if caption:
        _draw_text(canvas, caption, (round(10 * scale), canvas.shape[0] - round(10 * scale)), scale)
    return canvas


def has_room(box_xywh: BoxXYWH, count: int, size_hw: tuple[int, int]) -> bool:
    """Whether a box shall have its name beside it, among ``count`` of a picture.

    Where there are many, the names of small ones would hide their neighbours.
    """
    return count <= _FEW or box_xywh[2] >= min(size_hw) * _NAMED


def _draw_box(
    canvas: NDArray[np.uint8], mark: Mark, colour: tuple[int, int, int], width: int
) -> None:
    x, y, w, h = mark.box_xywh
    # What lies far outside is not seen, but would cost dashes without number.
    reach_y, reach_x = canvas.shape[:2]
    left, right = (min(max(value, -reach_x), 2 * reach_x) for value in (x, x + w))
    top, bottom = (min(max(value, -reach_y), 2 * reach_y) for value in (y, y + h))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    if mark.lost or mark.dashed:
        sides = [piece for side in sides for piece in _dashes(*side, 5.0 * width)]
    # A dark line beneath keeps the box readable on any ground.
    for ink, thickness in ((_SHADE, width + 2), (colour, width)):
        for start, end in sides:
            cv2.line(canvas, _fixed(start), _fixed(end), ink, thickness, cv2.LINE_AA, _SHIFT)


def _draw_outline(
    canvas: NDArray[np.uint8],
    outline: Outline,
    side: float,
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    """Draw lines, then points on top; both thinner where ``side`` is small, so that it is seen."""
    # Where many points share a small side, their dots would run into each other.
    radius = min(max(side / (14 * len(outline.points) ** 0.5), 0.6), 3.5 * scale)
    width = max(1, round(radius * 0.7))
    # What lies far outside is not seen, but OpenCV's fixed point would overflow.
    reach = max(canvas.shape[:2])
    points = [_fixed((x, y)) for x, y in np.clip(outline.points, -reach, 2 * reach).tolist()]
    pieces = [
        (points[start], points[end])
        for line in outline.lines
        for start, end in zip(line, line[1:], strict=False)
        if outline.certain[start] and outline.certain[end]
    ]
    inks = [(_SHADE, width + 2), (colour, width)]
    for ink, thickness in inks if width > 1 else inks[1:]:
        for start, end in pieces:
            cv2.line(canvas, start, end, ink, thickness, cv2.LINE_AA, _SHIFT)
    for point, certain in zip(points, outline.certain.tolist(), strict=True):
        length = round(radius * 2**_SHIFT)
        if certain:
            cv2.circle(canvas, point, length, _PAPER, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        else:
            cv2.circle(canvas, point, length, colour, 1, cv2.LINE_AA, _SHIFT)


def _dashes(
    start: tuple[float, float], end: tuple[float, float], length: float
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Cut a line into dashes of about ``length``, a dash at both ends."""
    span = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    pieces = 2 * max(1, round(span / length / 2)) + 1
    stops = np.linspace(start, end, pieces + 1).tolist()
    return [(tuple(stops[i]), tuple(stops[i + 1])) for i in range(0, pieces, 2)]


def _draw_plate(
    canvas: NDArray[np.uint8], mark: Mark, colour: tuple[int, int, int], scale: float
) -> None:
    """Draw the label and the score bar on a dark plate above the box, inside the frame."""
    text = f"{mark.label} lost".strip() if mark.lost else mark.label
    if not text and mark.score is None:
        return
    size = 0.42 * scale
    (text_width, text_height), _ = cv2.getTextSize(text or " ", cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    pad, bar = round(5 * scale), round(44 * scale) if mark.score is not None else 0
    gap = pad if text and bar else 0
    width = pad * 2 + (text_width if text else 0) + gap + bar
    height = text_height + 2 * pad
    left = int(np.clip(mark.box_xywh[0], 0, max(0, canvas.shape[1] - width)))
    top = int(np.clip(mark.box_xywh[1] - height - pad, 0, max(0, canvas.shape[0] - height)))
    plate = canvas[top : top + height, left : left + width]
    plate[:] = (plate * 0.25 + np.array(_SHADE) * 0.75).astype(np.uint8)
    if text:
        place = (left + pad, top + pad + text_height)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _PAPER, 1, cv2.LINE_AA)
    if mark.score is not None:
        first = left + width - pad - bar
        thick = max(2, round(5 * scale))
        middle = top + height // 2 - thick // 2
        filled = round(bar * float(np.clip(mark.score, 0, 1)))
        canvas[middle : middle + thick, first : first + bar] = (90, 90, 90)
        canvas[middle : middle + thick, first : first + filled] = colour


def _draw_text(canvas: NDArray[np.uint8], text: str, place: Point, scale: float) -> None:
    for ink, thickness in ((_SHADE, 3), (_PAPER, 1)):
        cv2.putText(
            canvas,
            text,
            place,
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42 * scale,
            ink,
            thickness,
            cv2.LINE_AA,
        )


def _fixed(point: tuple[float, float]) -> Point:
    return round(point[0] * 2**_SHIFT), round(point[1] * 2**_SHIFT)
