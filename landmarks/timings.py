"""Where the time goes that finding points takes."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

__all__ = ["RestOfTime", "StageTimings", "SubjectTimings"]


@dataclass
class StageTimings:
    """Seconds spent on crops, by stage.

    Attributes:
        crop: Cutting and scaling.
        network: The heat maps.
        post: Points from the maps.
        crops: Number of crops.
    """

    crop: float = 0.0
    network: float = 0.0
    post: float = 0.0
    crops: int = 0


@dataclass
class SubjectTimings(StageTimings):
    """Seconds spent, by stage; ``post`` holds all that is in no other.

    Attributes:
        detect: In the detector.
        detections: Number of frames in which it ran.
        frames: Number of frames and pictures.
    """

    detect: float = 0.0
    detections: int = 0
    frames: int = 0

    @property
    def total(self) -> float:
        """Seconds spent in all stages."""
        return self.detect + self.crop + self.network + self.post


class RestOfTime:
    """Context of one frame: counts it, and adds to ``post`` the time that no stage has counted."""

    def __init__(self, timings: SubjectTimings) -> None:
        self._timings = timings

    def __enter__(self) -> None:
        self._counted, self._started = self._timings.total, perf_counter()

    def __exit__(self, *exception: object) -> None:
        counted = self._timings.total - self._counted
        self._timings.post += perf_counter() - self._started - counted
        self._timings.frames += 1
