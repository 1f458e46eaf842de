"""Pictures of any size into the one frame of a network's input."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.detectors.decoding import Placement

__all__ = ["Letterbox"]

_GREY = 128  # of the padding


class Letterbox:
    """Scales pictures to a size and pads them right and below with grey.

    Its memory is used again while pictures have the same size.

    Args:
        multiple: The sides of the result are multiples of it.
    """

    def __init__(self, multiple: int) -> None:
        self._multiple = multiple
        self._sizes = ((0, 0), (0, 0))
        self._halves: list[NDArray[np.uint8]] = []
        self._padded = np.empty((1, 0, 0, 3), np.uint8)

    def __call__(
        self, picture: NDArray[np.uint8], longest: int | None
    ) -> tuple[NDArray[np.uint8], Placement]:
        """Scale and pad a picture.

        Args:
            picture: (H, W, 3) uint8.
            longest: Longest side that it is scaled to, pixels; None leaves it as it is.

        Returns:
            (1, H', W', 3) uint8, overwritten by the next call, and where the picture lies in it.
        """
        height, width = picture.shape[:2]
        scale = longest / max(height, width) if longest else 1.0
        inner_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
        if self._sizes != ((height, width), inner_hw):
            self._sizes = ((height, width), inner_hw)
            self._allocate()
        inner = self._padded[0, : inner_hw[0], : inner_hw[1]]
        if inner_hw == (height, width):
            np.copyto(inner, picture)
        else:
            # Interpolation alone would skip pixels where a picture is much reduced. Halving is
            # its cheapest reduction, several times cheaper than averaging over any area.
            for half in self._halves:
                picture = cv2.resize(picture, half.shape[1::-1], dst=half)
            cv2.resize(picture, inner_hw[::-1], dst=inner)
        return self._padded, Placement((height, width), (inner_hw[1] / width, inner_hw[0] / height))

    def _allocate(self) -> None:
        (height, width), inner_hw = self._sizes
        sides = (-(-side // self._multiple) * self._multiple for side in inner_hw)
        self._padded = np.full((1, *sides, 3), _GREY, np.uint8)
        self._halves = []
        while max(height, width) > 2 * max(inner_hw):
            height, width = -(-height // 2), -(-width // 2)
            self._halves.append(np.empty((height, width, 3), np.uint8))
