from __future__ import annotations

import numpy as np
import pytest

from binvision.errors import DataError, SourceError, UsageError
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.protocols import Track, plan_runs, run_tracker
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scoring import score_run
from tests.support.sequences import StillTracker, moving_boxes, write_sequence


def visible(pattern: str) -> np.ndarray:
    return np.array([mark == "x" for mark in pattern])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x" * 12, [range(12), range(4, 12), range(11, -1, -1), range(8, -1, -1)]),
        ("x" * 10, [range(10), range(3, 10), range(9, -1, -1), range(6, -1, -1)]),
        ("xx", [range(2), range(2), range(1, -1, -1), range(1, -1, -1)]),
        # absent where a run should start: the next frame in its direction
        ("xx..xxxx.x", [range(10), range(4, 10), range(9, -1, -1), range(6, -1, -1)]),
        ("xxxxxx.xx.", [range(10), range(3, 10), range(8, -1, -1), range(5, -1, -1)]),
        # nothing visible beyond the planned start: the last one that has a frame ahead
        ("xx........", [range(10), range(0, 10), range(1, -1, -1), range(1, -1, -1)]),
        ("x........x", [range(10), range(0, 10), range(9, -1, -1), range(9, -1, -1)]),
    ],
)
def test_four_starts(pattern, expected):
    assert list(plan_runs(visible(pattern), 4)) == expected


def test_one_pass_starts_at_the_first_frame():
    assert plan_runs(visible("x..x"), 1) == (range(4),)


def test_every_run_has_a_visible_start_and_something_to_score():
    rng = np.random.default_rng(5)
    for _ in range(300):
        seen = rng.random(rng.integers(2, 30)) < 0.3
        seen[[0, rng.integers(1, len(seen))]] = True
        for run in plan_runs(seen, 4):
            assert seen[run[0]] and seen[list(run)].sum() >= 2


def test_other_numbers_of_starts_are_refused():
    with pytest.raises(UsageError, match=r"cannot start 3 times; --starts is 1 \(one pass\) or 4"):
        plan_runs(visible("xxx"), 3)


class RecordingTracker(StillTracker):
    """Remembers the boxes it was started with, and answers with thirds of pixels."""

    def __init__(self) -> None:
        self.started: list[tuple[float, ...]] = []

    def init(self, frame_bgr, box_xywh):
        self.started.append(box_xywh)
        super().init(frame_bgr, box_xywh)

    def update(self, frame_bgr):
        x, y, w, h = self._box
        return x + 1 / 3, y, w, h


@pytest.mark.parametrize(("layout", "first_x"), [("folder", 4.0), ("otb", 3.0)])
def test_trackers_count_pixels_from_zero_and_results_as_the_truth(tmp_path, layout, first_x):
    write_sequence(tmp_path, "a", moving_boxes(4), layout=layout)
    (sequence,) = find_sequences([tmp_path])
    tracker = RecordingTracker()
    track = run_tracker(tracker, sequence, range(4))
    assert tracker.started == [(first_x, first_x + 1, 10.0, 8.0)]
    np.testing.assert_array_equal(track.boxes_xywh[0], [4, 5, 10, 8])
    np.testing.assert_array_equal(track.boxes_xywh[1], [4.333, 5, 10, 8])
    assert (track.seconds > 0).all()


def test_a_backward_run_starts_from_the_truth_of_its_frame(tmp_path):
    write_sequence(tmp_path, "a", moving_boxes(6))
    (sequence,) = find_sequences([tmp_path])
    run = range(4, -1, -1)
    track = run_tracker(StillTracker(), sequence, run)
    assert np.isnan(track.boxes_xywh[5]).all() and np.isnan(track.seconds[5])
    np.testing.assert_array_equal(track.boxes_xywh[:5], np.tile([8.0, 5, 10, 8], (5, 1)))
    # The still box is 1, 2, 3, 4 pixels off its 10 pixels: overlap (10 - d) / (10 + d).
    expected = np.mean([(10 - d) / (10 + d) for d in (1, 2, 3, 4)])
    assert score_run(track, sequence, run, RULES["folder"]).scores.ao == pytest.approx(
        expected, abs=1e-12
    )


def test_absent_frames_are_tracked_but_not_scored(tmp_path):
    boxes = moving_boxes(4)
    boxes[1] = np.nan
    write_sequence(tmp_path, "a", boxes)
    (sequence,) = find_sequences([tmp_path])
    track = run_tracker(StillTracker(), sequence, range(4))
    scores = score_run(track, sequence, range(4), RULES["folder"]).scores
    assert np.isfinite(track.boxes_xywh).all()
    assert scores.frames == 2
    assert scores.ao == pytest.approx((8 / 12 + 7 / 13) / 2, abs=1e-12)


def test_a_track_of_another_length_is_refused(tmp_path):
    write_sequence(tmp_path, "a", moving_boxes(4))
    (sequence,) = find_sequences([tmp_path])
    short = Track(np.zeros((3, 4)), np.zeros(3))
    with pytest.raises(DataError, match="a: 3 tracked boxes for 4 frames"):
        score_run(short, sequence, range(4), RULES["folder"])


def test_an_unreadable_picture_is_named(tmp_path):
    folder = write_sequence(tmp_path, "a", moving_boxes(4))
    (sequence,) = find_sequences([tmp_path])
    (folder / "0003.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"a/0003\.jpg: cannot be decoded"):
        run_tracker(StillTracker(), sequence, range(4))
