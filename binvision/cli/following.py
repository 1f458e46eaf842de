"""What ``track`` follows: targets that the user names, or whatever a detector finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from binvision.cli.finder import Finder
from binvision.media.boxes import BoxXYWH
from binvision.media.results import ResultRow
from binvision.trackers.multi import MultiTracker
from binvision.trackers.networks import TrackingNetwork
from binvision.trackers.tracker import Tracker

__all__ = ["DetectedTargets", "Detecting", "GivenTargets"]


class GivenTargets:
    """Targets with a box in the first frame, each with a tracker of its own."""

    def __init__(self, network: TrackingNetwork, boxes: Sequence[BoxXYWH]) -> None:
        self._trackers = [Tracker(network) for _ in boxes]
        self._boxes = boxes
        self.targets: int | None = len(boxes)
        self.detections = 0

    def start(self, first: NDArray[np.uint8]) -> list[ResultRow]:
        """Take over the targets in the first frame."""
        for tracker, box in zip(self._trackers, self._boxes, strict=True):
            tracker.init(first, box)
        return [ResultRow(0, number, box, 1.0, False) for number, box in enumerate(self._boxes, 1)]

    def go_on(self, frame: NDArray[np.uint8], number: int) -> list[ResultRow]:
        """Find every target in the next frame."""
        rows = []
        for target, tracker in enumerate(self._trackers, 1):
            found = tracker.update(frame)
            rows.append(ResultRow(number, target, found.box_xywh, found.score, found.lost))
        return rows

    def seconds(self) -> dict[str, float]:
        """Time of all trackers together, by stage."""
        timings = [tracker.timings for tracker in self._trackers]
        return {
            "crop": sum(timing.crop for timing in timings),
            "network": sum(timing.network for timing in timings),
            "post": sum(timing.post for timing in timings),
        }


@dataclass(frozen=True)
class Detecting:
    """How a detector finds the targets.

    Attributes:
        detector: Shipped model or packed file.
        classes: Which of its classes are followed; empty for all.
        targets: Follow all that is found, or the best.
        every: Frames from one detection to the next while all targets are in sight.
        score: Least score of a detection, 0..1; None for the model's own.
        size: Longest side to which frames are scaled for it, pixels; None for the model's own.
    """

    detector: str
    classes: tuple[str, ...]
    targets: Literal["all", "best"]
    every: int
    score: float | None
    size: int | None


class DetectedTargets:
    """Targets that a detector finds.

    Attributes:
        detector: Name of its model.
    """

    def __init__(self, wanted: Detecting, network: TrackingNetwork, threads: int) -> None:
        """Load the detector.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            UsageError: It does not know one of the classes, or a number is out of range.
        """
        self._finder = Finder(
            wanted.detector,
            score=wanted.score,
            classes=wanted.classes,
            size=wanted.size,
            tiles=None,
            threads=threads,
        )
        self._tracker = MultiTracker(
            self._finder, network, targets=wanted.targets, detect_every=wanted.every
        )
        self.detector = self._finder.model
        self.targets: int | None = None

    @property
    def detections(self) -> int:
        """Number of frames in which the detector ran."""
        return self._tracker.timings.detections

    def start(self, first: NDArray[np.uint8]) -> list[ResultRow]:
        """Prepare for frames of this size, and see what is in the first."""
        self._finder.prepare(first)
        return self.go_on(first, 0)

    def go_on(self, frame: NDArray[np.uint8], number: int) -> list[ResultRow]:
        """Follow the targets, and let the detector look where it is due."""
        return [
            ResultRow(
                number, target.identity, target.box_xywh, target.score, target.lost, target.label
            )
            for target in self._tracker.update(frame)
        ]

    def seconds(self) -> dict[str, float]:
        """Time of the detector and of all trackers together, by stage."""
        timings = self._tracker.timings
        return {
            "detect": timings.detect,
            "crop": timings.crop,
            "network": timings.network,
            "post": timings.post,
        }
