"""From a network's heat maps to points.

Under the softmax p over all cells of its map, a point lies at the mean place (soft-argmax: Sun et
al., Integral Human Pose Regression, ECCV 2018, eq. 2; Luvizon et al., 2019):

    x = stride * (sum of p[i, j] * j + 1/2) - 1/2

and likewise y with i, so that cell j covers the pixels of the crop that it was made from. Its
confidence is the part of p in the 5x5 cells around the one that it lies in: a map with one narrow
peak gives nearly 1, a flat one nearly 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.kernels.soft_argmax import LANES, soft_argmax

__all__ = ["Decoder"]

_REACH = 2  # cells around that of a point whose mass is its confidence


class Decoder:
    """Decodes the maps of one network; keeps its memory from one call to the next.

    Args:
        stride: Pixels of the crop between two cells.
    """

    def __init__(self, stride: int) -> None:
        self._stride = stride
        self._sums = np.empty((6, 0), np.float32)

    def __call__(
        self, maps: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode the maps of one crop.

        Args:
            maps: (h, w, P) float32, logits of a softmax over the cells for each point.

        Returns:
            Points (P, 2) float32, x, y in pixels of the crop, and confidences (P,) float32 in 0..1.

        Raises:
            ModelError: A map holds numbers that are not finite.
        """
        count = maps.shape[2]
        lanes = -(-count // LANES) * LANES
        if self._sums.shape[1] != lanes:
            self._sums = np.empty((6, lanes), np.float32)
        points = np.empty((count, 2), np.float32)
        confidences = np.empty(count, np.float32)
        soft_argmax(np.ascontiguousarray(maps), _REACH, self._sums, points, confidences)
        if not np.isfinite(points).all():
            raise ModelError(
                "the network's output is not finite: the model's numbers are far beyond those of "
                "any trained network; fetch it again or export it again"
            )
        points += np.float32(0.5)
        points *= np.float32(self._stride)
        points -= np.float32(0.5)
        return points, confidences
