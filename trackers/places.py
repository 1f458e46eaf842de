"""Where a lost target is sought."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["SPACING", "Places"]

SPACING = 0.6
"""Distance of two places searched for a lost target, in sides of a search crop."""


class Places:
    """The places where a lost target is sought: a grid over the frame, nearest first, again."""

    def __init__(
        self, centre_xy: tuple[float, float], spacing: float, size_hw: tuple[int, int]
    ) -> None:
        columns, rows = (
            np.arange(-int(centre / spacing), int((extent - centre) / spacing) + 1) * spacing
            for centre, extent in zip(centre_xy, size_hw[::-1], strict=True)
        )
        offsets = [(x, y) for x in columns for y in rows if (x, y) != (0, 0)] or [(0.0, 0.0)]
        offsets.sort(key=lambda offset: (math.hypot(*offset), offset))
        self._places = [(centre_xy[0] + x, centre_xy[1] + y) for x, y in offsets]
        self._next = 0

    def take(self, count: int) -> list[tuple[float, float]]:
        """Return the next ``count`` places; after the furthest comes the nearest."""
        taken = [self._places[(self._next + step) % len(self._places)] for step in range(count)]
        self._next += count
        return taken
