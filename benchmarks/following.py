"""Trackers of any kind with what they say of themselves: box, score, and whether they are lost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.trackers import TrackResult
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.rivals import RivalTracker

__all__ = ["Follower", "follow", "open_follower"]


class Follower(Protocol):
    """What `binvision.Tracker` is, and a rival is made to be; pixels are counted from 0."""

    def init(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> None:
        """Start on a target, (H, W, 3) uint8; a second call starts afresh."""

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame."""


def open_follower(entrant: Entrant) -> Follower:
    """Load a tracker of a comparison.

    Raises:
        ModelError: The model's file cannot be used for tracking.
        UsageError: Unknown rival, or a setting out of its range.
        MissingExtraError: This OpenCV lacks the rival.
    """
    if entrant.kind == "rival":
        return _Rival(RivalTracker(entrant.source))
    return entrant.load()


def follow(
    follower: Follower, frames: Iterable[NDArray[np.uint8]], first_box: BoxXYWH
) -> list[TrackResult]:
    """Results in every frame; in the first one the box that was given."""
    pictures = iter(frames)
    follower.init(next(pictures), first_box)
    return [TrackResult(first_box, 1.0, False), *map(follower.update, pictures)]


class _Rival:
    """One of OpenCV's, which has no score; what it calls failure is its being lost."""

    def __init__(self, tracker: RivalTracker) -> None:
        self._tracker = tracker

    def init(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> None:
        self._tracker.init(frame, box_xywh)

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        x, y, w, h = self._tracker.update(frame)
        return TrackResult((x, y, w, h), math.nan, not self._tracker.found)
