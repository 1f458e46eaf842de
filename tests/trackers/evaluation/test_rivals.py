from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from binvision.errors import MissingExtraError, UsageError
from binvision.trackers.evaluation.rivals import RivalTracker


def frame_with_target(left: int, top: int) -> np.ndarray:
    """A textured 30x24 patch on a smooth background, 160x120."""
    rng = np.random.default_rng(1)
    frame = np.full((120, 160, 3), 90, np.uint8)
    frame[top : top + 24, left : left + 30] = cv2.resize(
        rng.integers(0, 256, (8, 10, 3), dtype=np.uint8), (30, 24)
    )
    return frame


def follow(name: str) -> list[tuple[float, ...]]:
    """Boxes in seven frames in which the patch moves right by 3 pixels each."""
    if not hasattr(cv2, f"Tracker{name.upper()}_create"):
        pytest.skip(f"this OpenCV has no {name}")
    tracker = RivalTracker(name)
    tracker.init(frame_with_target(20, 40), (20.2, 39.9, 30.4, 23.8))
    return [tracker.update(frame_with_target(20 + 3 * step, 40)) for step in range(1, 8)]


@pytest.mark.parametrize("name", ["kcf", "csrt"])
def test_follows_a_moving_patch_from_the_first_frame_on(name):
    boxes = follow(name)
    assert all(isinstance(value, float) for value in boxes[-1])
    assert [box[0] for box in boxes] == pytest.approx([20 + 3 * s for s in range(1, 8)], abs=1)
    assert [box[1] for box in boxes] == pytest.approx([40] * 7, abs=1)


def test_mil_stays_on_the_patch_and_repeats_itself():
    boxes = follow("mil")
    x, y, w, h = boxes[-1]
    assert (w, h) == (30, 24)
    assert abs(x - 41) < w and abs(y - 40) < h  # loose: MIL wanders, see the results page
    if sys.platform != "win32":
        assert follow("mil") == boxes


class BrokenTracker:
    """Answers once, then reports failure, then fails inside OpenCV."""

    def __init__(self) -> None:
        self._answers = [(True, (3, 4, 5, 6)), (False, (0, 0, 0, 0))]

    def init(self, frame, box):
        assert all(isinstance(value, int) for value in box) and min(box[2:]) >= 1

    def update(self, frame):
        if not self._answers:
            raise cv2.error("box outside the image")
        return self._answers.pop(0)


def test_keeps_the_last_box_on_failure(monkeypatch):
    monkeypatch.setattr(cv2, "TrackerMIL_create", BrokenTracker)
    tracker = RivalTracker("mil")
    frame = frame_with_target(20, 40)
    tracker.init(frame, (1.4, 2.6, 0.2, 7.0))
    answers = [(tracker.update(frame), tracker.found) for _ in range(3)]
    assert answers == [((3.0, 4.0, 5.0, 6.0), claim) for claim in (True, False, False)]


def test_a_start_afresh_forgets_the_last_target(monkeypatch):
    monkeypatch.setattr(cv2, "TrackerMIL_create", BrokenTracker)
    tracker = RivalTracker("mil")
    frame = frame_with_target(20, 40)
    for _ in range(2):
        tracker.init(frame, (1, 2, 3, 4))
        assert tracker.update(frame) == (3.0, 4.0, 5.0, 6.0)


def test_unknown_and_missing_rivals(monkeypatch):
    with pytest.raises(UsageError, match="unknown rival 'tld'; expected one of mil, kcf, csrt"):
        RivalTracker("tld")
    monkeypatch.delattr(cv2, "TrackerCSRT_create", raising=False)
    with pytest.raises(MissingExtraError, match=r"no CSRT tracker.*opencv-contrib-python-headless"):
        RivalTracker("csrt")
