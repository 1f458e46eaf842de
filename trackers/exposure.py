"""Light that has changed since the exemplar was taken."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Exposure"]

_SIDE = 96  # pixels of the middle that count, in which the target and its margin lie
_STEP = 4
_DARKEST = 2.0  # added to a brightness: below it, a ratio is one of noise


class Exposure:
    """Brings search regions to the brightness of the exemplar where theirs is far from it.

    A network that matches two pictures has learnt from pairs of about the same light. Auto
    exposure, shadows and lamps change it several times over; a gain brings it back to within the
    band.

    Args:
        exemplar: (S, S, 3) uint8.
        band: Logarithm of a ratio of brightness that is left as it is, above 0.
    """

    def __init__(self, exemplar: NDArray[np.uint8], band: float) -> None:
        self._usual = _brightness(exemplar)
        self._band = band
        self._levels = np.arange(256, dtype=np.float32)

    def adjust(self, crop: NDArray[np.uint8]) -> None:
        """Change a search region (S, S, 3), of the same scale as the exemplar, in place."""
        apart = self._usual - _brightness(crop)
        gain = apart - min(max(apart, -self._band), self._band)
        if gain:
            table = np.minimum(self._levels * np.exp(gain), 255).astype(np.uint8)
            cv2.LUT(crop, table, crop)


def _brightness(crop: NDArray[np.uint8]) -> float:
    """Logarithm of the mean level of the middle."""
    first = max((crop.shape[0] - _SIDE) // 2, 0)
    part = slice(first, first + _SIDE, _STEP)
    return float(np.log(crop[part, part].mean() + _DARKEST))
