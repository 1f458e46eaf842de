"""What a detector finds in a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detections"]


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects in one picture, the most certain first.

    Attributes:
        boxes: (N, 4) float32, x, y, w, h: left, top, width, height in pixels, counted from 0,
            inside the picture.
        scores: (N,) float32, confidence in 0..1, descending.
        labels: (N,) int64, which of ``classes`` each is.
        classes: Names of the classes that the detector knows.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def names(self) -> list[str]:
        """Name of the class of each."""
        return [self.classes[label] for label in self.labels]

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64] | Iterable[int]) -> Detections:
        """Return some of them, in their order here.

        Args:
            which: A mask (N,) of bool, or ascending indices.
        """
        chosen = which if isinstance(which, np.ndarray) else np.array(list(which), np.int64)
        return replace(
            self,
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            labels=self.labels[chosen],
        )
