"""The tracking loop on rendered targets, with features that need no training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from binvision.errors import BoxError, FrameError, ModelError, UsageError
from binvision.media import overlaps
from binvision.trackers import Tracker, TrackResult
from tests.support.footage import moving_patch, texture
from tests.support.numpy_embedder import NumpyEmbedder


def follow(frames: list[np.ndarray], box: Any, **settings: float) -> list[TrackResult]:
    tracker = Tracker(NumpyEmbedder(**settings))
    tracker.init(frames[0], box)
    return [tracker.update(frame) for frame in frames[1:]]


def boxes_of(results: list[TrackResult]) -> np.ndarray:
    return np.array([result.box_xywh for result in results])


def circle(count: int) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, count)
    return [(160 + 70 * np.cos(a), 120 + 50 * np.sin(a)) for a in angles]


def test_a_moving_target_is_followed_to_a_pixel_or_two() -> None:
    frames, truth = moving_patch(circle(60))
    results = follow(frames, truth[0])
    assert not any(result.lost for result in results)
    centres = boxes_of(results)[:, :2] + boxes_of(results)[:, 2:] / 2
    errors = np.hypot(*(centres - (truth[1:, :2] + truth[1:, 2:] / 2)).T)
    assert errors.max() < 3
    assert np.mean(errors) < 1.5


def test_a_resting_target_does_not_drift() -> None:
    frames, truth = moving_patch([(150.5, 120.25)] * 40)
    last = follow(frames, truth[0])[-1]
    assert last.box_xywh == pytest.approx(truth[0], abs=1.0)
    assert last.score > 0.9


@pytest.mark.parametrize("ratio", [1.8, 0.55])
def test_size_follows_the_target(ratio: float) -> None:
    sides = list(np.geomspace(44, 44 * ratio, 60))
    frames, truth = moving_patch([(160.0, 120.0)] * 60, sides=sides)
    results = follow(frames, truth[0])
    found = results[-1].box_xywh
    assert found[2] == pytest.approx(truth[-1][2], rel=0.12)
    assert found[2] == pytest.approx(found[3])
    assert overlaps(boxes_of(results), truth[1:]).min() > 0.6


def test_a_target_at_the_border_is_followed_out_and_in() -> None:
    path = [(160 + 7.0 * i, 120.0) for i in range(22)]
    path += path[::-1]
    frames, truth = moving_patch(path)
    results = follow(frames, truth[0])
    assert overlaps(boxes_of(results)[-5:], truth[-5:]).min() > 0.6


def test_lost_and_found_again_elsewhere() -> None:
    """The target vanishes, and comes back beyond the reach of a plain search region."""
    before, gone, after = [(80.0, 70.0)] * 5, [(0.0, 0.0)] * 12, [(430.0, 260.0)] * 25
    sides = [44.0] * 5 + [0.0] * 12 + [44.0] * 25
    frames, truth = moving_patch(before + gone + after, (340, 520), sides)
    results = follow(frames, truth[0])
    assert not any(result.lost for result in results[:4])
    # The first frame without the target already says so, and the box stays where it was.
    assert all(result.lost for result in results[4:16])
    for result in results[4:16]:
        assert overlaps([result.box_xywh], [truth[0]])[0] > 0.7
        assert result.score < 0.5
    assert not results[-1].lost
    assert overlaps([results[-1].box_xywh], [truth[-1]])[0] > 0.7
    assert results[-1].score > 0.5


def test_nothing_is_found_where_nothing_comes_back() -> None:
    sides = [44.0] * 3 + [0.0] * 40
    frames, truth = moving_patch([(80.0, 70.0)] * 43, (340, 520), sides)
    results = follow(frames, truth[0])
    assert all(result.lost for result in results[2:])


def test_between_the_thresholds_the_state_stays_what_it_was() -> None:
    frames, truth = moving_patch([(160.0, 120.0)] * 30)
    half = [np.uint8(0.3 * f + 0.7 * texture(240, 320, 99)) for f in frames[10:20]]
    mixed = frames[:10] + half + frames[20:]
    scores = [result.score for result in follow(mixed, truth[0], lost_threshold=0.0)]
    middle = float(np.mean(scores[9:19]))
    assert middle < scores[0] - 0.05, "the disturbance must show"
    # Held: the score falls, but not below the first threshold.
    held = follow(mixed, truth[0], lost_threshold=middle / 2, found_threshold=0.999)
    assert not any(result.lost for result in held)
    # Lost by a stricter first threshold, the target stays so until the second one is reached.
    strict = min(scores[9:19]) + 0.01
    lost = follow(mixed, truth[0], lost_threshold=strict, found_threshold=0.9)
    first = next(index for index, result in enumerate(lost) if result.lost)
    assert 9 <= first <= 18
    assert not lost[-1].lost


def test_a_frame_costs_one_pass_of_the_network_lost_or_not() -> None:
    frames, truth = moving_patch([(80.0, 70.0)] * 8, (340, 520), [44.0] * 3 + [0.0] * 5)
    embedder = NumpyEmbedder()
    tracker = Tracker(embedder)
    tracker.init(frames[0], truth[0])
    assert embedder.calls == 1
    for number, frame in enumerate(frames[1:], 2):
        tracker.update(frame)
        assert embedder.calls == number


def test_the_same_frames_give_the_same_track() -> None:
    frames, truth = moving_patch(circle(25))
    assert follow(frames, truth[0]) == follow(frames, truth[0])


def test_init_starts_anew() -> None:
    frames, truth = moving_patch(circle(12))
    tracker = Tracker(NumpyEmbedder())
    tracker.init(texture(100, 100, 5), (20, 20, 30, 30))
    tracker.update(texture(100, 100, 6))
    tracker.init(frames[0], truth[0])
    assert [tracker.update(frame) for frame in frames[1:]] == follow(frames, truth[0])


def test_frames_and_boxes_are_left_alone() -> None:
    frames, truth = moving_patch(circle(4))
    copies, box = [frame.copy() for frame in frames], truth[0].copy()
    follow(frames, box)
    for frame, copy in zip(frames, copies, strict=True):
        np.testing.assert_array_equal(frame, copy)
    np.testing.assert_array_equal(box, truth[0])


def test_results_are_plain_numbers() -> None:
    frames, truth = moving_patch(circle(3))
    result = follow(frames, truth[0])[0]
    assert all(type(value) is float for value in (*result.box_xywh, result.score))
    assert type(result.lost) is bool


def test_time_is_taken_by_stage() -> None:
    frames, truth = moving_patch(circle(5))
    tracker = Tracker(NumpyEmbedder())
    tracker.init(frames[0], truth[0])
    assert tracker.timings.total == 0
    for frame in frames[1:]:
        tracker.update(frame)
    timings = tracker.timings
    assert timings.frames == 4
    assert min(timings.crop, timings.network, timings.post) > 0
    assert timings.total == pytest.approx(timings.crop + timings.network + timings.post)


def test_a_corrected_box_is_followed_from_there() -> None:
    frames, truth = moving_patch(circle(8))
    tracker = Tracker(NumpyEmbedder())
    tracker.init(frames[0], truth[0])
    tracker.update(frames[1])
    tracker.correct((*truth[1][:2], 48, 40))
    result = tracker.update(frames[2])
    assert result.box_xywh[2:] == pytest.approx((48, 40), rel=0.03)
    assert result.box_xywh[:2] == pytest.approx(truth[2][:2], abs=4)


def test_a_corrected_target_is_no_longer_lost() -> None:
    sides = [44.0] * 2 + [0.0] * 3 + [44.0] * 2
    path = [(80.0, 70.0)] * 5 + [(400.0, 250.0)] * 2
    frames, truth = moving_patch(path, (340, 520), sides)
    tracker = Tracker(NumpyEmbedder())
    tracker.init(frames[0], truth[0])
    assert tracker.update(frames[2]).lost
    tracker.correct(truth[5])
    result = tracker.update(frames[6])
    assert not result.lost
    assert result.box_xywh == pytest.approx(truth[6], abs=2)


def test_a_target_is_like_itself_and_unlike_others() -> None:
    frames, truth = moving_patch(circle(8))
    tracker = Tracker(NumpyEmbedder())
    tracker.init(frames[0], truth[0])

    def likeness(box: Any) -> float:
        return tracker.likeness(frames[5], box)

    x, y, w, h = truth[5]
    assert likeness((x, y, w, h)) > 0.9
    assert likeness((x + 4, y - 3, w, h)) > 0.8
    assert likeness((20, 20, w, h)) < 0.1


@pytest.mark.parametrize("call", ["correct", "likeness"])
def test_a_target_must_be_given_first(call: str) -> None:
    box = (20, 20, 30, 30)
    arguments = (texture(240, 320, 0), box) if call == "likeness" else (box,)
    with pytest.raises(UsageError, match=rf"{call}\(\) before init\(\): call init"):
        getattr(Tracker(NumpyEmbedder()), call)(*arguments)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((320, 10, 20, 20), r"box 320,10,20,20: lies outside the frame of 320x240 pixels"),
        ((10, -30, 20, 30), "lies outside"),
        ((10, 10, 0, 20), r"box 10,10,0,20: has no area; width and height must be > 0"),
        ((10, 10, 20, -1), "has no area"),
        ((10, float("nan"), 20, 20), "expected four finite numbers"),
        ((10, 10, float("inf"), 20), "expected four finite numbers"),
        ((10, 10, 20), "expected four finite numbers"),
        ((10, 10, 1e-9, 20), "width and height must be 0.01 to 32000 pixels in a frame of 320x240"),
        ((-1e300, -1e300, 2e300, 2e300), "width and height must be 0.01 to 32000 pixels"),
    ],
)
def test_boxes_that_mean_nothing(box: tuple, message: str) -> None:
    with pytest.raises(BoxError, match=message):
        Tracker(NumpyEmbedder()).init(texture(240, 320, 0), box)


def test_a_refused_box_leaves_the_tracker_as_it_was() -> None:
    frames, truth = moving_patch(circle(3))
    tracker = Tracker(NumpyEmbedder())
    tracker.init(frames[0], truth[0])
    with pytest.raises(BoxError):
        tracker.init(frames[0], (0, 0, 0, 0))
    assert tracker.update(frames[1]) == follow(frames, truth[0])[0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((240, 320), np.uint8), r"expected shape \(H, W, 3\) in BGR order, found \(240, "),
        (np.zeros((240, 320, 4), np.uint8), "expected shape"),
        (np.zeros((0, 320, 3), np.uint8), "expected shape"),
        (np.zeros((240, 320, 3), np.float32), "expected an array of uint8, found float32"),
        ("clip.mp4", "expected an array of uint8, found str"),
        (None, "expected an array of uint8, found NoneType"),
        (np.zeros((240, 318, 3), np.uint8), r"is 318x240 pixels, but init\(\) was given 320x240"),
    ],
)
def test_frames_that_are_none(frame: Any, message: str) -> None:
    tracker = Tracker(NumpyEmbedder())
    tracker.init(texture(240, 320, 0), (20, 20, 30, 30))
    with pytest.raises(FrameError, match=message):
        tracker.update(frame)


def test_update_before_init_says_what_to_call() -> None:
    with pytest.raises(UsageError, match=r"update\(\) before init\(\): call init\(frame, box_xywh"):
        Tracker(NumpyEmbedder()).update(texture(240, 320, 0))


@pytest.mark.parametrize("box", [(9, 9, 0.01, 32000), (-15000, -15000, 32000, 32000)])
def test_boxes_at_the_limits_are_taken(box: tuple) -> None:
    assert np.isfinite(boxes_of(follow([texture(240, 320, 7)] * 3, box))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_features_beyond_all_measure(value: float) -> None:
    class Broken(NumpyEmbedder):
        def embed(self, images: np.ndarray) -> np.ndarray:
            return np.full_like(super().embed(images), value)

    tracker = Tracker(Broken())
    tracker.init(texture(240, 320, 0), (20, 20, 30, 30))
    with pytest.raises(ModelError, match="the network's response is not finite: the model's num"):
        tracker.update(texture(240, 320, 0))


def test_a_search_crop_smaller_than_the_exemplar() -> None:
    with pytest.raises(ModelError, match="gives 5 cells for a search crop, fewer than the 9 of an"):
        follow([texture(240, 320, 0)] * 2, (20, 20, 30, 30), search_size=49)


@pytest.mark.parametrize("box", [(100.5, 80.25, 1, 1), (0, 0, 320, 240), (-20, 30, 60, 200)])
def test_extreme_boxes_are_tracked_without_fault(box: tuple) -> None:
    frame = texture(240, 320, 7)
    results = follow([frame] * 4, box)
    assert np.isfinite(boxes_of(results)).all()
    assert overlaps([results[-1].box_xywh], [box])[0] > 0.6


def test_a_tall_frame_and_a_strided_view() -> None:
    wide = texture(120, 700, 8)
    frames = [wide[:, i * 4 : i * 4 + 300] for i in range(10)]  # not contiguous
    results = follow(frames, (150, 40, 40, 40))
    assert results[-1].box_xywh[0] == pytest.approx(150 - 36, abs=3)
