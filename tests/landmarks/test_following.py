"""Subjects in doubt, with an estimator that stays wherever it is put."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from binvision.detectors import Detections
from binvision.landmarks.crop import box_of
from binvision.landmarks.estimator import Points
from binvision.landmarks.following import Follower
from binvision.landmarks.settings import LandmarkSettings
from binvision.landmarks.timings import StageTimings
from binvision.media.boxes import BoxXYWH, overlaps
from binvision.trackers.association import covered_parts

FRAME = np.zeros((200, 300, 3), np.uint8)
TRUE = (100.0, 60.0, 80.0, 80.0)
CORNER = (100.0, 60.0, 50.0, 50.0)
LEAST = 0.3
NOT_SURE = 0.6  # below half-way from there to 1


class Stubborn:
    """Finds the subject in a box that is about right, and in another one the box itself.

    Attributes:
        wrong: Score where it is wrong.
        boxes: What it was asked.
    """

    settings = LandmarkSettings("face68", 64, 4, presence_threshold=LEAST)

    def __init__(self, wrong: float) -> None:
        self.wrong, self.timings = wrong, StageTimings()
        self.boxes: list[BoxXYWH] = []

    def __call__(self, picture: np.ndarray, box_xywh: Sequence[float]) -> Points:
        self.boxes.append(tuple(box_xywh))
        is_right = overlaps([box_xywh], [TRUE])[0] > 0.5
        x, y, w, h = TRUE if is_right else box_xywh
        corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]], np.float32)
        return Points(corners, np.full(4, 0.9 if is_right else self.wrong, np.float32))

    def box_in(self, detected_xywh: Sequence[float]) -> BoxXYWH:
        return tuple(detected_xywh)


class Finding:
    """A detector that finds what it is told, and counts how often it is asked."""

    def __init__(self, *boxes: BoxXYWH) -> None:
        self.boxes: Sequence[BoxXYWH] = boxes
        self.asked = 0

    def __call__(self, image: np.ndarray, /) -> Detections:
        self.asked += 1
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        count = len(boxes)
        scores, classes = np.full(count, 0.9, np.float32), np.zeros(count, np.int64)
        return Detections(boxes, scores, classes, ("face",))


def follower_of(
    estimator: Stubborn, detector: Finding, *, every: int = 30, most: int | None = None
) -> Follower:
    return Follower(estimator, detector, smooth=True, detect_every=every, most=most)


@pytest.mark.parametrize("most", [None, 1])
def test_who_is_in_doubt_is_put_right_by_the_detector(most: int | None) -> None:
    detector = Finding(CORNER)
    follower = follower_of(Stubborn(NOT_SURE), detector, most=most)
    wrong = [follower.update(FRAME) for _ in range(5)]
    assert [[one for one, _ in found] for found in wrong] == [[1]] * 5
    assert all(box_of(found[0][1].points) == pytest.approx(CORNER) for found in wrong)
    detector.boxes = (TRUE,)
    ((identity, points),) = follower.update(FRAME)  # the fifth after the first detection
    assert identity == 1 and detector.asked == 2
    # At once: what the filter knew was wrong.
    assert box_of(points.points) == pytest.approx(TRUE)
    assert points.score == pytest.approx(0.9)
    for _ in range(20):
        ((identity, points),) = follower.update(FRAME)
        assert identity == 1 and box_of(points.points) == pytest.approx(TRUE)
    assert detector.asked == 2  # beyond doubt now


def test_who_is_beyond_doubt_is_left_alone() -> None:
    estimator, detector = Stubborn(0.8), Finding(CORNER)
    follower = follower_of(estimator, detector, every=3)
    for _ in range(10):
        follower.update(FRAME)
        detector.boxes = (TRUE,)
    assert detector.asked == 4
    assert estimator.boxes == [CORNER] * 10


def test_a_box_that_gives_no_surer_points_is_not_taken() -> None:
    estimator, detector = Stubborn(NOT_SURE), Finding(CORNER)
    follower = follower_of(estimator, detector)
    other = (104.0, 64.0, 40.0, 40.0)
    for _ in range(6):
        ((_, points),) = follower.update(FRAME)
        detector.boxes = (other,)
    assert estimator.boxes.count(other) == 1
    assert box_of(points.points) == pytest.approx(CORNER)


def test_two_in_one_box_are_left_as_they_are() -> None:
    """A detection across two subjects does not put both onto one."""
    left, right = (100.0, 60.0, 38.0, 80.0), (142.0, 60.0, 38.0, 80.0)
    assert (covered_parts(np.array([TRUE]), np.array([left, right])) > 0.9).all()
    detector = Finding(left, right)
    follower = follower_of(Stubborn(NOT_SURE), detector)
    follower.update(FRAME)
    detector.boxes = (TRUE,)
    for _ in range(12):
        found = follower.update(FRAME)
        assert [one for one, _ in found] == [1, 2]
        assert [box_of(points.points) for _, points in found] == [
            pytest.approx(left), pytest.approx(right),
        ]  # fmt: skip
    assert detector.asked == 3
