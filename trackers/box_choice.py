"""Which of the boxes that a network proposes is the target's: penalty, cosine window, vote.

Everything is in pixels of the search crop, counted as positions are: pixel i covers i..i+1. The
network's own cells have their centres at whole numbers, half a pixel less.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.trackers.box_settings import BoxSettings

__all__ = ["BoxChooser", "Choice"]

_RAW_LIMIT = 4.0  # of the logarithm of a distance, as in training
_LOGIT_LIMIT = 80.0  # beyond it float32 overflows

Floats = NDArray[np.float32]
Point = tuple[float, float]


class Choice(NamedTuple):
    """The best box of a search crop.

    Attributes:
        centre_xy: Its centre, pixels of the crop.
        size_wh: Its width and height, pixels of the crop.
        score: How sure the network is of it, 0..1.
        weight: How much of its size is to be trusted, 0..1: what its cell has before the window.
    """

    centre_xy: tuple[float, float]
    size_wh: tuple[float, float]
    score: float
    weight: float


class BoxChooser:
    """Chooses among boxes of one grid of cells; buffers and the window are made once."""

    def __init__(self, settings: BoxSettings, side: int) -> None:
        """Prepare for a grid of ``side`` x ``side`` cells."""
        self._settings = settings
        self._line = settings.stride * np.arange(side, dtype=np.float32) + settings.origin + 0.5
        # By distance from the crop's centre, which need not be a cell nor the middle of the grid.
        away = np.clip(2 * self._line / settings.search_size - 1, -1, 1)
        hann = 0.5 + 0.5 * np.cos(np.pi * away)
        self._window = (settings.window_influence * np.outer(hann, hann)).astype(np.float32)
        self._scores, self._weighted, self._penalty = np.empty((3, side, side), np.float32)
        self._distances = np.empty((side, side, 4), np.float32)
        self._corrected = np.empty_like(self._distances)
        self.forget()

    def forget(self) -> None:
        """Take boxes as the network gives them."""
        self._shift_xy, self._growth_wh = np.zeros(2, np.float32), np.ones(2, np.float32)

    def learn(self, choice: Choice, centre_xy: Point, size_wh: Point) -> None:
        """Correct all further boxes as the chosen one is to be corrected.

        A network has an idea of its own of where an object ends. Where the user drew the box
        otherwise, round the head and not the man, it is wrong by the same parts of the box in
        every frame. What the network makes of the very picture whose box is known tells them.

        Args:
            choice: The network's box of a picture.
            centre_xy: The true centre there, pixels of the crop.
            size_wh: The true size.
        """
        limit = self._settings.habit_limit
        found = np.asarray(choice.size_wh)
        shift = (np.asarray(centre_xy) - choice.centre_xy) / found
        growth = np.log(np.asarray(size_wh) / found)
        self._shift_xy = np.clip(shift, -limit / 2, limit / 2).astype(np.float32)
        self._growth_wh = np.exp(np.clip(growth, -limit, limit)).astype(np.float32)

    def choose(
        self, logits: Floats, raw: Floats, size_wh: tuple[float, float], *, windowed: bool
    ) -> Choice:
        """Choose the best box.

        The penalty is that of SiamRPN (Li et al., CVPR 2018, section 4.3):

            exp(-k (max(r / r', r' / r) max(s / s', s' / s) - 1))

        with r the ratio of the sides and s the side of the box with its margin.

        Args:
            logits: (side, side) float32.
            raw: (side, side, 4) float32, logarithms of the distances to left, top, right and
                bottom, in strides.
            size_wh: The target's last size, pixels of the crop.
            windowed: Whether places far from the centre count less.

        Raises:
            ModelError: The network's output is not finite.
        """
        if not (np.isfinite(logits).all() and np.isfinite(raw).all()):
            raise ModelError(
                "the network's response is not finite: the model's numbers are far beyond those "
                "of any trained network; fetch it again or export it again"
            )
        settings, scores, weighted = self._settings, self._scores, self._weighted
        np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT, out=scores)
        np.exp(np.negative(scores, out=scores), out=scores)
        np.reciprocal(np.add(scores, 1, out=scores), out=scores)
        distances = self._distances
        np.exp(np.clip(raw, -_RAW_LIMIT, _RAW_LIMIT, out=distances), out=distances)
        distances *= settings.stride
        self._correct()
        penalty = self._penalties(size_wh)
        np.multiply(scores, penalty, out=weighted)
        if windowed:
            weighted *= 1 - settings.window_influence
            weighted += self._window
        row, column = divmod(int(weighted.argmax()), len(scores))
        left, top, right, bottom = self._box(row, column)
        return Choice(
            ((left + right) / 2, (top + bottom) / 2),
            (right - left, bottom - top),
            settings.score(float(logits[row, column])),
            float(scores[row, column] * penalty[row, column]),
        )

    def _correct(self) -> None:
        """Move and scale every box by what was learnt, in parts of its own size."""
        first, second = self._distances[:, :, :2], self._distances[:, :, 2:]
        size, corrected = self._corrected[:, :, :2], self._corrected[:, :, 2:]
        np.add(first, second, out=size)
        # From the cell to the box's centre, and half of its new size.
        np.subtract(second, first, out=corrected)
        corrected *= 0.5
        corrected += np.multiply(size, self._shift_xy, out=second)
        size *= 0.5 * self._growth_wh
        np.subtract(size, corrected, out=first)
        np.add(size, corrected, out=second)

    def _penalties(self, size_wh: tuple[float, float]) -> Floats:
        """Compute the factors of all boxes, valid until the next call."""
        width = self._distances[:, :, 0] + self._distances[:, :, 2]
        height = self._distances[:, :, 1] + self._distances[:, :, 3]
        w, h = size_wh
        # Squares of the sides with margins: (w + p)(h + p) with p = (w + h) / 2.
        size = (1.5 * width + 0.5 * height) * (0.5 * width + 1.5 * height)
        size *= 1 / ((1.5 * w + 0.5 * h) * (0.5 * w + 1.5 * h))
        ratio = width / height
        ratio *= h / w
        np.maximum(size, 1 / size, out=size)
        np.maximum(ratio, 1 / ratio, out=ratio)
        change = np.multiply(ratio, np.sqrt(size, out=size), out=self._penalty)
        change -= 1
        change *= -self._settings.penalty_k
        return np.exp(change, out=change)

    def _box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a cell's box."""
        left, top, right, bottom = self._distances[row, column].tolist()
        x, y = float(self._line[column]), float(self._line[row])
        return x - left, y - top, x + right, y + bottom
