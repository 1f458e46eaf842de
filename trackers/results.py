"""What trackers of one target say of a frame, and where their time goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Timings", "TrackResult", "sigmoid"]


@dataclass(frozen=True)
class TrackResult:
    """What a tracker found in a frame.

    Attributes:
        box_xywh: Left, top, width, height of the target in pixels, counted from 0; the last
            known box while it is lost. It may reach beyond the frame.
        score: Confidence in 0..1, the sigmoid of the response at the target.
        lost: True while the target is taken for lost.
    """

    box_xywh: tuple[float, float, float, float]
    score: float
    lost: bool


@dataclass
class Timings:
    """Seconds spent since the tracker was made, by stage.

    Attributes:
        crop: Cutting and resizing.
        network: Features.
        post: Correlation, search of the peak, update of the box.
        frames: Number of frames that ``update`` was called for; ``init`` is not counted.
    """

    crop: float = 0.0
    network: float = 0.0
    post: float = 0.0
    frames: int = 0

    @property
    def total(self) -> float:
        """Seconds spent in all stages."""
        return self.crop + self.network + self.post


def sigmoid(logit: float) -> float:
    """Map a logit to a score, without overflow."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
