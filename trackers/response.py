"""Where the response of SiamFC peaks: cosine window, scale penalty, cubic up-sampling.

The response has a cell for each stride of the search crop, too coarse for a box. Bertinetto et al.
(2016, section 4.1) up-sample it whole, by 16, before they look for the maximum. Up-sampling is
local, so here only the neighbourhood of the coarse maximum is up-sampled: the same values in the
place that matters, for a twentieth of the work.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.trackers.settings import MAX_SIDE

__all__ = ["Peak", "PeakFinder"]

_REACH = 1  # cells around the coarse maximum in which the fine one is sought
_SUPPORT = 2  # further cells that cubic interpolation looks at


class Peak(NamedTuple):
    """The best place in a stack of responses.

    Attributes:
        response: Which response it is in.
        offset_xy: Displacement from the centre of the response, cells.
        logit: Value of the up-sampled response there.
    """

    response: int
    offset_xy: tuple[float, float]
    logit: float


class PeakFinder:
    """Finds peaks in responses of one size; buffers and windows are made once."""

    def __init__(self, side: int, up: int, window_influence: float) -> None:
        """Prepare for responses (side, side), up-sampled by ``up``.

        Args:
            side: Side of a response, cells.
            up: Factor of the up-sampling.
            window_influence: Weight of the cosine window against the response, 0..1.

        Raises:
            ModelError: The up-sampled response is beyond any use.
        """
        if side * up > MAX_SIDE:
            raise ModelError(
                f"a response of {side} cells, up-sampled by {up}, is {side * up} wide, expected "
                f"at most {MAX_SIDE}; the model's settings do not fit its network"
            )
        self._side, self._up, self._influence = side, up, window_influence
        fine = np.hanning(side * up)
        # The window is divided by its sum, as the response will be, so that the influence weighs
        # two maps of equal mass.
        fine /= fine.reshape(side, up).mean(1).sum()
        self._fine_window = np.outer(fine, fine).astype(np.float32)
        coarse = fine.reshape(side, up).mean(1)
        self._coarse_window = np.outer(coarse, coarse).astype(np.float32)
        self._neighbourhood = 2 * (_REACH + _SUPPORT) + 1
        fine_side = self._neighbourhood * up
        self._fine = np.empty((fine_side, fine_side), np.float32)
        reach = (2 * _REACH + 1) * up
        self._weighted = np.empty((reach, reach), np.float32)

    def find(
        self, responses: NDArray[np.float32], penalties: NDArray[np.float32], *, windowed: bool
    ) -> Peak:
        """Find the best place in ``responses``.

        Args:
            responses: (N, side, side) float32 logits.
            penalties: (N,) float32 factors in 0..1, by which a response counts less.
            windowed: Whether places far from the centre count less.
        """
        floor = responses.min()
        # The responses share one divisor, so that they stay comparable with each other.
        mass = float((responses[len(responses) // 2] - floor).sum()) + 1e-12
        influence = self._influence if windowed else 0.0
        best, best_value = Peak(0, (0.0, 0.0), 0.0), -np.inf
        for index, response in enumerate(responses):
            factor = (1 - influence) * float(penalties[index]) / mass
            weighted = (response - floor) * factor + influence * self._coarse_window
            row, column = divmod(int(weighted.argmax()), self._side)
            value, peak = self._refine(index, response, floor, row, column, factor, influence)
            if value > best_value:
                best, best_value = peak, value
        return best

    def _refine(
        self,
        index: int,
        response: NDArray[np.float32],
        floor: float,
        row: int,
        column: int,
        factor: float,
        influence: float,
    ) -> tuple[float, Peak]:
        """Up-sample around a coarse maximum; return the weighted value and the peak there."""
        margin, up = _REACH + _SUPPORT, self._up
        around = np.arange(-margin, margin + 1)
        rows = np.clip(row + around, 0, self._side - 1)
        columns = np.clip(column + around, 0, self._side - 1)
        patch = response[rows[:, None], columns]
        cv2.resize(patch, self._fine.shape, dst=self._fine, interpolation=cv2.INTER_CUBIC)
        # Cut to the reach, and to the response where the maximum lies at its border.
        first_row, first_column = max(row - _REACH, 0), max(column - _REACH, 0)
        last_row = min(row + _REACH, self._side - 1) + 1
        last_column = min(column + _REACH, self._side - 1) + 1
        fine = self._fine[
            (first_row - row + margin) * up : (last_row - row + margin) * up,
            (first_column - column + margin) * up : (last_column - column + margin) * up,
        ]
        window = self._fine_window[
            first_row * up : last_row * up, first_column * up : last_column * up
        ]
        weighted = self._weighted[: fine.shape[0], : fine.shape[1]]
        np.subtract(fine, floor, out=weighted)
        weighted *= factor
        weighted += influence * window
        y, x = divmod(int(weighted.argmax()), fine.shape[1])
        middle = (self._side * up - 1) / 2
        offset = (
            (first_column * up + x - middle) / up,
            (first_row * up + y - middle) / up,
        )
        return float(weighted[y, x]), Peak(index, offset, float(fine[y, x]))
