"""Subjects from frame to frame: the next box comes from the last points, not from a detector.

The detector runs where nobody is followed, where somebody was just lost, and every few frames to
find who is new. Somebody is lost when the points' mean confidence falls below the presence
threshold. Who is found where somebody was lost is taken for that one and has the old identity.

A crop that lies wrongly finds wrong points, and from them the next crop, wrong again; a mean
confidence that is not high tells. So who is in doubt is also looked for in the box in which the
detector sees him, and followed from there where that gives surer points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from binvision.errors import UsageError
from binvision.landmarks.crop import box_of
from binvision.landmarks.estimator import PointEstimator, Points
from binvision.landmarks.same_subject import (
    LEAST_SIDE,
    box_array,
    covers,
    has_moved,
    is_possible,
)
from binvision.landmarks.smoothing import OneEuroFilter
from binvision.landmarks.timings import RestOfTime, SubjectTimings
from binvision.media.boxes import BoxXYWH
from binvision.media.images import check_frame
from binvision.trackers.association import pair_overlaps, surest_pairs

if TYPE_CHECKING:
    from binvision.trackers.multi import ObjectDetector

__all__ = ["Follower"]

_AGAIN = 0.2  # least overlap of a new box with where somebody was lost
_KEEP_LOST = 150  # frames for which who was lost keeps the identity
_SEARCH = 5  # frames from one detection to the next while somebody is lost or in doubt
_DOUBT = 0.5  # of the way from the presence threshold to 1: in doubt below


@dataclass(eq=False)
class _Followed:
    """A subject in sight.

    Attributes:
        identity: Its number.
        box: Where its points were, for the next crop.
        shown: Its points in this frame as the caller shall see them.
        smooth: Filter of its points.
    """

    identity: int
    box: BoxXYWH
    shown: Points
    smooth: OneEuroFilter = field(default_factory=OneEuroFilter)


@dataclass
class _Lost:
    """A subject out of sight: its last box, and for how many frames."""

    box: BoxXYWH
    frames: int = 0


class Follower:
    """Finds subjects in pictures, or follows them through the frames of a video.

    Attributes:
        timings: Time spent, by stage.
    """

    def __init__(
        self,
        estimator: PointEstimator,
        detector: ObjectDetector | None,
        *,
        smooth: bool,
        detect_every: int,
        most: int | None,
    ) -> None:
        """Take what finds boxes and points.

        Args:
            estimator: Finds the points in a box.
            detector: Finds the boxes; None takes the whole picture for the one subject.
            smooth: Smooth the points in videos.
            detect_every: Frames from one detection to the next while nobody was lost.
            most: Most subjects at once; None for any number.

        Raises:
            UsageError: A number is less than 1.
        """
        for name, value in (("detect_every", detect_every), ("most subjects", most)):
            if value is not None and value < 1:
                raise UsageError(f"{name} = {value}: expected 1 or more")
        self._estimator, self._detector = estimator, detector
        self._is_smooth, self._every = smooth, detect_every
        self._most = 1 if detector is None else most
        self.timings = estimator.timings = SubjectTimings()
        self._identities = 0
        self.reset()

    def reset(self) -> None:
        """Forget everybody, as before the first frame of another video."""
        self._followed: list[_Followed] = []
        self._lost: dict[int, _Lost] = {}
        self._since_detection = 0
        self._are_named = False  # by the caller
        self._size_hw: tuple[int, int] | None = None

    def find(
        self, picture: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None
    ) -> list[Points]:
        """Find the subjects of a picture that has to do with no other.

        Args:
            picture: (H, W, 3) uint8, BGR.
            boxes: Tight boxes of the points of each subject, which are all answered; None asks
                the detector, and leaves out what has too low a score.
        """
        check_frame(picture, "picture")
        with RestOfTime(self.timings):
            if boxes is not None:
                return [self._estimator(picture, box) for box in boxes]
            found: list[Points] = []
            for box in self._detect(picture):
                if self._most is not None and len(found) >= self._most:
                    break
                points = self._estimator(picture, box)
                if self._is_there(points) and not covers(map(_box, found), _box(points)):
                    found.append(points)
            return found

    def update(
        self, frame: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None = None
    ) -> list[tuple[int, Points]]:
        """Find the subjects of the next frame of a video, with their identities.

        Args:
            frame: (H, W, 3) uint8, BGR. Where its size is another than the last frame's,
                everybody is looked for anew.
            boxes: Tight boxes of the points of who shall be followed from this frame on, beside
                those that are. Where there is no detector, nobody else is looked for then.
        """
        check_frame(frame)
        with RestOfTime(self.timings):
            if frame.shape[:2] != self._size_hw:
                self.reset()
                self._size_hw = frame.shape[:2]
            lost_one = self._follow(frame)
            self._since_detection += 1
            if boxes is not None:
                self._are_named = True
                self._take_new(frame, boxes, None)
            elif self._detection_is_due(lost_one):
                self._since_detection = 0
                self._take_new(frame, self._detect(frame), self._most)
            for lost in self._lost.values():
                lost.frames += 1
            self._lost = {k: v for k, v in self._lost.items() if v.frames <= _KEEP_LOST}
            return [(item.identity, item.shown) for item in self._followed]

    def _follow(self, frame: NDArray[np.uint8]) -> bool:
        """Take everybody on to this frame; tell whether somebody was lost."""
        kept: list[_Followed] = []
        before = len(self._followed)
        for item in self._followed:  # the eldest first
            found = self._estimator(frame, item.box)
            box = _box(found)
            if covers((other.box for other in kept), box):
                continue  # two boxes on one subject: the younger one goes
            if self._is_there(found) and is_possible(item.box, box, frame.shape[:2]):
                self._show(item, found, box)
                kept.append(item)
            else:
                self._lost[item.identity] = _Lost(item.box)
        self._followed = kept
        return len(kept) < before

    def _show(self, item: _Followed, found: Points, box: BoxXYWH) -> None:
        """Take over the points of this frame, and where the next crop lies."""
        # A crop that rests shows a face at rest in the same pixels, and so the same points.
        if has_moved(item.box, box):
            item.box = box
        smooth = item.smooth(found.points, max(box[2:])) if self._is_smooth else found.points
        item.shown = Points(smooth, found.confidences)

    def _detection_is_due(self, lost_one: bool) -> bool:
        if self._detector is None and (self._are_named or self._followed):
            return False
        in_doubt = any(map(self._is_in_doubt, self._followed))
        if self._most is not None and len(self._followed) >= self._most and not in_doubt:
            return False
        every = min(self._every, _SEARCH) if self._lost or in_doubt else self._every
        return not self._followed or lost_one or self._since_detection >= every

    def _take_new(
        self, frame: NDArray[np.uint8], boxes: Iterable[Sequence[float]], most: int | None
    ) -> None:
        """Look in boxes for subjects that are not followed, or in doubt."""
        new: list[tuple[Points, BoxXYWH]] = []
        for box in boxes:
            held = [item.box for item in self._followed] + [other for _, other in new]
            if covers(held, box):
                self._look_again(frame, box)
                continue
            if most is not None and len(self._followed) + len(new) >= most:
                continue
            found = self._estimator(frame, box)
            tight = _box(found)
            if (
                self._is_there(found)
                and is_possible(tight, tight, frame.shape[:2])
                and not covers(held, tight)
            ):
                new.append((found, tight))
        for (found, box), identity in zip(new, self._identities_of(new), strict=True):
            item = _Followed(identity, box, found)
            self._show(item, found, box)
            self._followed.append(item)
        self._followed.sort(key=lambda item: item.identity)

    def _look_again(self, frame: NDArray[np.uint8], box: Sequence[float]) -> None:
        """Put who is followed in this box right, if he alone is, and in doubt."""
        same = [item for item in self._followed if covers([item.box], box)]
        if len(same) != 1 or not self._is_in_doubt(same[0]):
            return
        (item,) = same
        found = self._estimator(frame, box)
        tight = _box(found)
        others = [other.box for other in self._followed if other is not item]
        if (
            found.score > item.shown.score
            and is_possible(tight, tight, frame.shape[:2])
            and not covers(others, tight)
        ):
            item.box, item.smooth = tight, OneEuroFilter()
            self._show(item, found, tight)

    def _identities_of(self, new: Sequence[tuple[Points, BoxXYWH]]) -> list[int]:
        """Old identities for who is found where somebody was lost, new ones for the others."""
        if not new:
            return []
        lost = list(self._lost)
        weights = pair_overlaps(
            box_array([box for _, box in new]), box_array([self._lost[one].box for one in lost])
        )
        weights[weights < _AGAIN] = -np.inf
        again = {row: lost[column] for row, column in surest_pairs(weights)}
        for identity in again.values():
            del self._lost[identity]
        return [again[row] if row in again else self._next_identity() for row in range(len(new))]

    def _next_identity(self) -> int:
        self._identities += 1
        return self._identities

    def _detect(self, picture: NDArray[np.uint8]) -> list[BoxXYWH]:
        """Boxes of the points of who may be there, the surest first."""
        if self._detector is None:
            return self._whole(picture)
        started = perf_counter()
        found = self._detector(picture)
        self.timings.detect += perf_counter() - started
        self.timings.detections += 1
        boxes = [box for box in found.boxes.tolist() if max(box[2:]) >= LEAST_SIDE]
        return [self._estimator.box_in(box) for box in boxes]

    def _whole(self, picture: NDArray[np.uint8]) -> list[BoxXYWH]:
        """Box of the one subject that fills the picture, from its points in all of the picture."""
        height, width = picture.shape[:2]
        side = max(height, width) / self._estimator.settings.crop
        if side < LEAST_SIDE:
            return []
        whole = ((width - 1 - side) / 2, (height - 1 - side) / 2, side, side)
        box = _box(self._estimator(picture, whole))
        return [box] if max(box[2:]) >= LEAST_SIDE else []

    def _is_there(self, found: Points) -> bool:
        return found.score >= self._estimator.settings.presence_threshold

    def _is_in_doubt(self, item: _Followed) -> bool:
        least = self._estimator.settings.presence_threshold
        return item.shown.score < least + _DOUBT * (1 - least)


def _box(found: Points) -> BoxXYWH:
    return box_of(found.points)
