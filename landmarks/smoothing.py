"""The One-Euro filter: steady when points rest, quick when they move.

Casiez, Roussel and Vogel, CHI 2012. With the period T and a cutoff frequency f,

    alpha(f) = 1 / (1 + 1 / (2 pi f T))                         (eq. 3 and 4 in one)
    smooth(x, f) = alpha(f) x + (1 - alpha(f)) last smooth x    (eq. 1)
    f = f_min + beta max(|smooth(dx / dt, f_d)| - v_0, 0)       (eq. 5, where v_0 = 0)

The speed v_0 is what the noise of points at rest amounts to: it must not open the filter, and so a
larger beta is possible, which leaves points that move behind by less.

Points are filtered one by one, each by its own speed. Speeds count in sizes of the subject, so
that a face that is near and one that is far are treated alike, and a second has 30 frames.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["OneEuroFilter"]

_PERIOD = 1 / 30  # seconds from a frame to the next
_MIN_CUTOFF = 0.7  # Hz, of points that rest
_BETA = 60.0  # Hz for a speed of one size a second
_REST_SPEED = 0.15  # sizes a second, of the noise of points that rest
_SPEED_CUTOFF = 2.0  # Hz, of the speed itself


class OneEuroFilter:
    """Smooths the points of one subject from frame to frame."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None  # as given
        self._smooth = self._speed = np.empty((0, 2), np.float32)

    def __call__(self, points: NDArray[np.float32], size: float) -> NDArray[np.float32]:
        """Take the points of the next frame.

        Args:
            points: (P, 2) float32, pixels.
            size: Longer side of the subject, pixels.

        Returns:
            (P, 2) float32, the smoothed points.
        """
        if self._last is None:
            self._last, self._smooth = points, points
            self._speed = np.zeros_like(points)
            return points.copy()
        step = (points - self._last) / np.float32(_PERIOD * size)
        self._speed = self._speed + np.float32(_alpha(_SPEED_CUTOFF)) * (step - self._speed)
        speed = np.hypot(self._speed[:, :1], self._speed[:, 1:])
        motion = np.maximum(speed - np.float32(_REST_SPEED), np.float32(0))
        cutoff = np.float32(_MIN_CUTOFF) + np.float32(_BETA) * motion
        self._smooth = self._smooth + _alpha(cutoff) * (points - self._smooth)
        self._last = points
        return self._smooth.copy()


def _alpha(cutoff):  # type: ignore[no-untyped-def]
    """Weight of the newest value for a cutoff frequency in Hz, a number or an array."""
    turns = 2 * math.pi * _PERIOD * cutoff
    return turns / (1 + turns)
