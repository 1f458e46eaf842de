"""What faces and people have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.crop import box_of
from binvision.media.boxes import BoxXYWH

__all__ = ["Subject"]


@dataclass(frozen=True, eq=False)
class Subject:
    """Somebody whose points were found in a picture.

    Attributes:
        points: (P, 2) float32, x, y in pixels of the picture, counted from 0; they may lie
            outside it.
        confidences: (P,) float32, 0..1.
        frame_hw: Height and width of the picture.
        identity: Number of the subject in a video, from 1; no other subject has it. None in
            pictures that are independent.
    """

    points: NDArray[np.float32]
    confidences: NDArray[np.float32]
    frame_hw: tuple[int, int]
    identity: int | None = None

    @property
    def score(self) -> float:
        """Mean confidence of the points, 0..1."""
        return float(self.confidences.mean())

    @property
    def box_xywh(self) -> BoxXYWH:
        """Tight box of the points: left, top, width and height in pixels."""
        return box_of(self.points)
