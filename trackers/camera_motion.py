"""How far the picture as a whole has moved since the last frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraMotion"]

_LEAST_RESPONSE = 0.1  # share of the correlation in its peak, below which the frames have no motion
_LEAST_SIDE = 16  # pixels


class CameraMotion:
    """Measures shifts by phase correlation (Kuglin and Hines, 1975) on small grey pictures."""

    def __init__(self, frame: NDArray[np.uint8], side: int) -> None:
        """Start with a frame.

        Args:
            frame: (H, W, 3) uint8, BGR.
            side: Longer side of the small pictures, pixels.
        """
        height, width = frame.shape[:2]
        shrink = min(1.0, side / max(height, width))
        self._size_wh = (
            max(_LEAST_SIDE, round(width * shrink)),
            max(_LEAST_SIDE, round(height * shrink)),
        )
        self._scale = (width / self._size_wh[0], height / self._size_wh[1])
        self._window = cv2.createHanningWindow(self._size_wh, cv2.CV_32F)
        self._last = self._small(frame)

    def shift(self, frame: NDArray[np.uint8]) -> tuple[float, float]:
        """How far things that stand still have moved, x and y in pixels; (0, 0) if unclear."""
        small = self._small(frame)
        (x, y), response = cv2.phaseCorrelate(self._last, small, self._window)
        self._last = small
        if not response >= _LEAST_RESPONSE:
            return 0.0, 0.0
        return float(x * self._scale[0]), float(y * self._scale[1])

    def _small(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Nearest neighbours first: averaging all pixels of a large frame would cost more than
        # the correlation.
        height, width = frame.shape[:2]
        step = max(1, min(height // self._size_wh[1], width // self._size_wh[0]) // 2)
        small = cv2.resize(frame[::step, ::step], self._size_wh, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
