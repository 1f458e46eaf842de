"""A network that knows the truth: it finds rectangles of the exemplar's colour, to the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binvision.trackers.box_network import Exemplar
from binvision.trackers.box_settings import BoxSettings

__all__ = ["ColourNetwork", "coloured_boxes"]

_NEAR = 60  # greatest difference of a colour that is taken for the target's
_SEEN, _UNSEEN = 3.0, -6.0  # logits


class ColourNetwork:
    """A `BoxNetwork`: the exemplar is the mean colour of the middle of its crop.

    Attributes:
        looks: Number of calls of ``look``.
        searches: Number of calls of ``search``.
        spoil: Factor on what ``search`` returns.
        habit: Left, top, right, bottom of what it proposes, moved by these parts of width and
            height.
    """

    def __init__(self, **settings: float) -> None:
        self.settings = BoxSettings.from_mapping(settings, "test network")
        self.name = "colours"
        self.looks = self.searches = 0
        self.spoil = 1.0
        self.habit = (0.0, 0.0, 0.0, 0.0)

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        assert crop.shape == (self.settings.exemplar_size,) * 2 + (3,)
        self.looks += 1
        middle = crop.shape[0] // 2
        colour = crop[middle - 8 : middle + 8, middle - 8 : middle + 8].mean((0, 1))
        one = np.float32(colour)[None, None]
        return Exemplar(one, one)

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.searches += 1
        size, settings = crop.shape[0], self.settings
        line = settings.origin + 0.5 + settings.stride * np.arange(size // settings.stride + 1)
        line = line[line < size]
        side = len(line)
        logits = np.full((side, side), _UNSEEN, np.float32)
        raw = np.zeros((side, side, 4), np.float32)
        alike = np.abs(crop - exemplar.fine).sum(2) < _NEAR
        if alike.sum() >= 9:
            rows, columns = (np.flatnonzero(alike.any(axis)) for axis in (1, 0))
            left, top = columns[0], rows[0]
            right, bottom = columns[-1] + 1, rows[-1] + 1
            w, h = right - left, bottom - top
            left, top = left + self.habit[0] * w, top + self.habit[1] * h
            right, bottom = right + self.habit[2] * w, bottom + self.habit[3] * h
            x, y = np.meshgrid(line, line)
            distances = np.stack([x - left, y - top, right - x, bottom - y], -1)
            raw[:] = np.log(np.maximum(distances, 1e-3) / settings.stride)
            away = np.hypot(x - (left + right) / 2, y - (top + bottom) / 2)
            logits[:] = np.maximum(_SEEN - away / 16, _UNSEEN)
        return self.spoil * logits, self.spoil * raw


def coloured_boxes(
    boxes_xywh: NDArray[np.float64],
    size_hw: tuple[int, int] = (240, 320),
    colours: tuple[tuple[int, int, int], ...] = ((40, 60, 230),),
) -> list[NDArray[np.uint8]]:
    """Frames with a box each, of whole pixels; empty boxes are not there. Colours take turns."""
    frames = []
    for number, box in enumerate(np.asarray(boxes_xywh)):
        frame = np.full((*size_hw, 3), (90, 160, 90), np.uint8)
        x, y, w, h = np.rint(box).astype(int)
        frame[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = colours[number % len(colours)]
        frames.append(frame)
    return frames
