"""The loop of trackers with a box head, with a network that knows the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from binvision.errors import BoxError, FrameError, ModelError, UsageError
from binvision.media import overlaps
from binvision.trackers import Tracker, TrackResult
from tests.support.colour_network import ColourNetwork, coloured_boxes
from tests.support.footage import texture


def follow(
    frames: list[np.ndarray], box: Any, network: ColourNetwork | None = None, **settings: float
) -> list[TrackResult]:
    tracker = Tracker(network or ColourNetwork(**settings))
    tracker.init(frames[0], box)
    return [tracker.update(frame) for frame in frames[1:]]


def boxes_of(results: list[TrackResult]) -> np.ndarray:
    return np.array([result.box_xywh for result in results])


def moving(count: int = 30) -> np.ndarray:
    steps = np.arange(count)
    return np.stack([40 + 5 * steps, 30 + 3 * steps, 40 + 0 * steps, 30 + 0 * steps], 1)


def gone(box: Any, count: int) -> list[list[float]]:
    x, y, _, _ = box
    return [[x, y, 0, 0]] * count


def test_a_moving_target_has_its_box_exactly() -> None:
    truth = moving()
    results = follow(coloured_boxes(truth), truth[0], habit_limit=0)
    assert not any(result.lost for result in results)
    assert np.abs(boxes_of(results) - truth[1:]).max() < 1.5
    shift = (boxes_of(results) - truth[1:])[:, :2] + (boxes_of(results) - truth[1:])[:, 2:] / 2
    assert np.abs(shift.mean(0)).max() < 0.15, "no drift to one side"
    assert min(result.score for result in results) > 0.8


def test_width_and_height_change_each_for_itself() -> None:
    steps = np.arange(60)
    w, h = 30 + steps, 60 - 0.5 * steps
    truth = np.stack([160 - w / 2, 120 - h / 2, w, h], 1).round()
    results = follow(coloured_boxes(truth), truth[0], size_lr=0.9)
    assert overlaps(boxes_of(results), truth[1:]).min() > 0.85
    assert boxes_of(results)[-1, 2:] == pytest.approx(truth[-1, 2:], abs=3)


def test_what_the_network_always_gets_wrong_is_put_right() -> None:
    steps = np.arange(30)
    truth = np.stack([60 + 4 * steps, 50 + 2 * steps, 40 + steps, 60 + steps], 1)
    network = ColourNetwork(size_lr=0.9)
    network.habit = (-0.2, 0.1, 0.1, -0.15)
    corrected = follow(coloured_boxes(truth), truth[0], network)
    as_given = ColourNetwork(size_lr=0.9, habit_limit=0)
    as_given.habit = network.habit
    raw = follow(coloured_boxes(truth), truth[0], as_given)
    assert overlaps(boxes_of(corrected), truth[1:]).min() > 0.85
    assert overlaps(boxes_of(raw), truth[1:]).mean() < 0.7


def test_another_target_has_no_habits_of_the_first() -> None:
    truth = moving()
    network = ColourNetwork()
    network.habit = (-0.2, -0.2, 0.2, 0.2)
    tracker = Tracker(network)
    frames = coloured_boxes(truth)
    tracker.init(frames[0], truth[0])
    network.habit = (0.0, 0.0, 0.0, 0.0)
    tracker.init(frames[0], truth[0])
    found = np.array([tracker.update(frame).box_xywh for frame in frames[1:]])
    assert np.abs(found - truth[1:]).max() < 1.5


def test_a_correction_has_a_limit() -> None:
    truth = np.array([[100, 80, 40, 40]] * 3)
    network = ColourNetwork(size_lr=1, habit_limit=0.1)
    network.habit = (-0.5, -0.5, 0.5, 0.5)  # twice as large
    w = follow(coloured_boxes(truth), truth[0], network)[-1].box_xywh[2]
    assert 60 < w < 80


def test_the_first_look_counts_as_no_frame() -> None:
    tracker = Tracker(ColourNetwork())
    tracker.init(coloured_boxes(moving(1))[0], moving(1)[0])
    assert (tracker.timings.frames, tracker.timings.total) == (0, 0)


def test_the_rate_says_how_fast_sizes_follow() -> None:
    truth = np.array([[100, 80, 40, 40], *[[90, 80, 60, 40]] * 2])
    frames = coloured_boxes(truth)
    still = follow(frames, truth[0], size_lr=0)[-1].box_xywh
    slow, fast = (follow(frames, truth[0], size_lr=lr)[-1].box_xywh[2] for lr in (0.2, 0.8))
    assert still[2:] == (40, 40)
    assert still[0] == pytest.approx(100, abs=1), "its centre follows all the same"
    assert 42 < slow < 52 < fast < 60


def test_a_target_at_the_border_is_followed_out_and_in() -> None:
    path = [150 + 8.0 * i for i in range(20)]
    truth = np.array([[x, 100, 48, 48] for x in path + path[::-1]])
    results = follow(coloured_boxes(truth), truth[0])
    assert overlaps(boxes_of(results)[-5:], truth[-5:]).min() > 0.8
    for result in results:
        x, y, w, h = result.box_xywh
        assert 0 <= x + w / 2 <= 320
        assert 0 <= y + h / 2 <= 240


def test_the_box_stays_when_the_target_is_hidden_and_is_found_elsewhere() -> None:
    before, after = [[60, 60, 40, 30]] * 3, [[440, 300, 40, 30]] * 60
    truth = np.array([*before, *gone(before[0], 12), *after])
    results = follow(coloured_boxes(truth, (360, 520)), truth[0])
    assert not any(result.lost for result in results[:2])
    for result in results[2:14]:
        assert result.lost
        assert result.score < 0.1
        assert result.box_xywh == pytest.approx(truth[0], abs=1)
    assert not results[-1].lost
    assert results[-1].box_xywh == pytest.approx(truth[-1], abs=1.5)
    assert results[-1].score > 0.8


def test_a_hidden_target_that_comes_back_in_place_is_found_within_two_frames() -> None:
    truth = np.array([[100, 80, 40, 40]] * 2 + gone((100, 80, 0, 0), 5) + [[104, 82, 40, 40]] * 2)
    results = follow(coloured_boxes(truth), truth[0])
    assert all(result.lost for result in results[1:6])
    assert not results[-1].lost
    assert results[-1].box_xywh == pytest.approx(truth[-1], abs=1)


def test_several_sightings_can_be_asked_for() -> None:
    truth = np.array([[100, 80, 40, 40]] * 2 + gone((100, 80, 0, 0), 4) + [[100, 80, 40, 40]] * 9)
    lost = [r.lost for r in follow(coloured_boxes(truth), truth[0], found_looks=3)]
    once = [r.lost for r in follow(coloured_boxes(truth), truth[0], found_looks=1)]
    assert lost.count(True) == once.count(True) + 2
    assert not lost[-1]


def test_a_sighting_that_does_not_last_is_forgotten() -> None:
    """Something of the target's colour flashes elsewhere for a frame while it is hidden."""
    truth = [[60, 60, 40, 30]] * 2 + gone((60, 60, 0, 0), 2)
    for _ in range(20):
        truth += [[150, 60, 40, 30]] + gone((60, 60, 0, 0), 1)
    frames = coloured_boxes(np.array(truth))
    results = follow(frames, truth[0], found_looks=2)
    assert all(result.lost for result in results[1:])
    assert results[-1].box_xywh == pytest.approx(truth[0], abs=2)


def test_more_looks_find_sooner() -> None:
    truth = np.array([[30, 30, 40, 30]] * 2 + gone((30, 30, 0, 0), 2) + [[440, 300, 40, 30]] * 99)
    frames = coloured_boxes(truth, (360, 520))
    waits = []
    for looks in (1, 4):
        network = ColourNetwork(lost_looks=looks, lost_growth=1.0)
        lost = [result.lost for result in follow(frames, truth[0], network)]
        waits.append(lost.count(True))
        assert network.searches <= len(lost) + (looks - 1) * lost.count(True) + looks
    assert waits[1] < waits[0] / 2


def test_between_the_thresholds_a_lost_target_is_followed_and_stays_lost() -> None:
    truth = np.array([[100, 80, 40, 40]] * 2 + gone((100, 80, 0, 0), 2) + [[110, 84, 40, 40]] * 4)
    frames = coloured_boxes(truth)
    results = follow(frames, truth[0], lost_threshold=0.1, found_threshold=0.999)
    assert all(result.lost for result in results[1:])
    assert results[-1].box_xywh == pytest.approx(truth[-1], abs=2)


def test_a_frame_costs_one_pass_lost_or_not() -> None:
    truth = np.array([[100, 80, 40, 40]] * 4 + gone((100, 80, 0, 0), 6))
    network = ColourNetwork()
    follow(coloured_boxes(truth), truth[0], network)
    assert (network.looks, network.searches) == (1, 10)  # one of the first frame


def test_nothing_is_taken_for_the_target_twice_as_large() -> None:
    """A box of another size counts less than the target, by the penalty of SiamRPN."""
    truth = np.array([[100, 80, 40, 40], [80, 60, 80, 80]])
    frames = coloured_boxes(truth)
    free, strict = (
        follow(frames, truth[0], penalty_k=k, size_lr=1.0)[0].box_xywh[2] for k in (0.0, 2.0)
    )
    assert free > 70
    assert strict < 50


def test_a_vote_of_neighbours_agrees_where_they_do() -> None:
    truth = moving()
    frames = coloured_boxes(truth)
    one, many = (follow(frames, truth[0], vote=vote) for vote in (1.0, 0.5))
    assert boxes_of(one) == pytest.approx(boxes_of(many), abs=0.5)
    assert boxes_of(one).tolist() != boxes_of(many).tolist()


def test_the_filter_smooths_a_trembling_target_and_keeps_up_with_a_steady_one() -> None:
    rng = np.random.default_rng(0)
    truth = moving(40)
    steady = follow(coloured_boxes(truth), truth[0], filter_alpha=0.6, filter_beta=0.2)
    assert np.abs(boxes_of(steady)[20:, :2] - truth[21:, :2]).max() < 1.5
    rest = np.array([[100, 80, 40, 40]] * 60) + np.pad(
        rng.integers(-3, 4, (60, 2)), ((0, 0), (0, 2))
    )
    frames = coloured_boxes(rest)
    plain, smooth = (
        boxes_of(follow(frames, rest[0], filter_alpha=alpha))[10:, :2].std(0).mean()
        for alpha in (1, 0.3)
    )
    assert smooth < 0.7 * plain


def test_scores_are_calibrated_and_boxes_are_the_same() -> None:
    truth = moving(10)
    frames = coloured_boxes(truth)
    plain = follow(frames, truth[0])
    changed = follow(frames, truth[0], score_scale=0.5, score_bias=-1.0, lost_threshold=0)
    assert [result.box_xywh for result in changed] == [result.box_xywh for result in plain]
    for one, other in zip(changed, plain, strict=True):
        logit = np.log(other.score / (1 - other.score))
        assert one.score == pytest.approx(1 / (1 + np.exp(1 - 0.5 * logit)))


def test_memory_follows_a_target_that_changes_its_colour() -> None:
    count = 60
    truth = np.array([[100, 80, 40, 40]] * count)
    colours = tuple((40 + 2 * i, 60, 230 - 2 * i) for i in range(count))
    frames = coloured_boxes(truth, colours=colours)
    assert follow(frames, truth[0])[-1].lost
    network = ColourNetwork(memory_weight=1.0, memory_rate=1.0, memory_every=4)
    assert not any(result.lost for result in follow(frames, truth[0], network))
    assert network.looks == 1 + (count - 1) // 4


def test_memory_takes_nothing_in_while_unsure() -> None:
    truth = np.array([[100, 80, 40, 40]] * 20)
    network = ColourNetwork(memory_weight=0.5, memory_every=2, memory_threshold=1.0)
    follow(coloured_boxes(truth), truth[0], network)
    assert network.looks == 1


def test_a_camera_that_swings_is_made_up_for() -> None:
    """Each frame shows another part of a large scene, beyond the reach of the search region."""
    scene = texture(400, 1600, 3, grain=6.0) // 2
    scene[190:210, 700:730] = (40, 60, 230)
    lefts = [500 + 70 * min(i, 2) for i in range(4)]
    frames = [np.ascontiguousarray(scene[:, left : left + 400]) for left in lefts]
    settings = dict(search_size=191, window_influence=0.0)
    plain = follow(frames, (200, 190, 30, 20), **settings)
    steady = follow(frames, (200, 190, 30, 20), camera_side=128, **settings)
    assert plain[-1].lost
    assert not any(result.lost for result in steady)
    assert steady[-1].box_xywh == pytest.approx((60, 190, 30, 20), abs=2)


def test_a_place_that_is_gone_back_to_has_moved_with_the_camera() -> None:
    """The target is hidden, something flashes nearby, and the camera turns as that goes."""
    empty = texture(400, 1600, 3, grain=6.0) // 2
    scene, flash = empty.copy(), empty.copy()
    scene[190:210, 700:730] = flash[220:240, 740:770] = (40, 60, 230)
    shown = [(scene, 500), (scene, 500), (empty, 500), (flash, 500), (empty, 570)]
    frames = [np.ascontiguousarray(picture[:, left : left + 400]) for picture, left in shown]
    results = follow(frames, (200, 190, 30, 20), camera_side=128, found_looks=2)
    assert [result.lost for result in results] == [False, True, True, True]
    assert results[-2].box_xywh == pytest.approx((240, 220, 30, 20), abs=4)
    assert results[-1].box_xywh == pytest.approx((130, 190, 30, 20), abs=4)


def test_the_same_frames_give_the_same_track() -> None:
    truth = np.array([*moving(10), *gone((80, 60, 0, 0), 6), *moving(10)])
    frames = coloured_boxes(truth)
    options = dict(vote=0.6, filter_alpha=0.7, filter_beta=0.1, memory_weight=0.3, camera_side=96)
    assert follow(frames, truth[0], **options) == follow(frames, truth[0], **options)


def test_init_starts_anew() -> None:
    truth = moving(12)
    frames = coloured_boxes(truth)
    tracker = Tracker(ColourNetwork(filter_beta=0.2, memory_weight=0.5))
    tracker.init(texture(100, 100, 5), (20, 20, 30, 30))
    tracker.update(texture(100, 100, 6))
    tracker.init(frames[0], truth[0])
    expected = follow(frames, truth[0], filter_beta=0.2, memory_weight=0.5)
    assert [tracker.update(frame) for frame in frames[1:]] == expected


def test_frames_and_boxes_are_left_alone() -> None:
    truth = moving(4)
    frames = coloured_boxes(truth)
    copies, box = [frame.copy() for frame in frames], truth[0].copy()
    follow(frames, box, camera_side=64)
    for frame, copy in zip(frames, copies, strict=True):
        np.testing.assert_array_equal(frame, copy)
    np.testing.assert_array_equal(box, truth[0])


def test_results_are_plain_numbers() -> None:
    truth = moving(4)
    for result in follow(coloured_boxes(truth), truth[0], camera_side=64, vote=0.5):
        assert all(type(value) is float for value in (*result.box_xywh, result.score))
        assert type(result.lost) is bool


def test_time_is_taken_by_stage() -> None:
    truth = moving(5)
    frames = coloured_boxes(truth)
    tracker = Tracker(ColourNetwork())
    tracker.init(frames[0], truth[0])
    assert tracker.timings.total == 0
    for frame in frames[1:]:
        tracker.update(frame)
    timings = tracker.timings
    assert timings.frames == 4
    assert min(timings.crop, timings.network, timings.post) > 0


def test_a_corrected_target_is_no_longer_lost() -> None:
    truth = np.array([[60, 60, 40, 30]] * 2 + gone((60, 60, 0, 0), 3) + [[240, 160, 50, 40]] * 2)
    frames = coloured_boxes(truth)
    tracker = Tracker(ColourNetwork())
    tracker.init(frames[0], truth[0])
    assert [tracker.update(frame).lost for frame in frames[1:4]] == [False, True, True]
    tracker.correct(truth[5])
    result = tracker.update(frames[6])
    assert not result.lost
    assert result.box_xywh == pytest.approx(truth[6], abs=1)


def test_a_target_is_like_itself_and_unlike_others() -> None:
    truth = np.array([[100, 80, 40, 40], [180, 120, 50, 30]])
    frames = coloured_boxes(truth)
    tracker = Tracker(ColourNetwork())
    tracker.init(frames[0], truth[0])
    x, y, w, h = truth[1]
    assert tracker.likeness(frames[1], (x, y, w, h)) > 0.9
    assert tracker.likeness(frames[1], (x + 6, y - 4, w, h)) > 0.8
    assert tracker.likeness(frames[1], (20, 20, w, h)) < 0.1
    assert tracker.timings.total == 0
    with pytest.raises(BoxError, match="lies outside"):
        tracker.likeness(frames[1], (400, 20, w, h))


@pytest.mark.parametrize(("call", "argument"), [("correct", (20, 20, 30, 30)), ("update", None)])
def test_a_target_must_be_given_first(call: str, argument: Any) -> None:
    given = texture(60, 60, 0) if argument is None else argument
    with pytest.raises(UsageError, match=rf"{call}\(\) before init\(\): call init"):
        getattr(Tracker(ColourNetwork()), call)(given)


def test_boxes_and_frames_that_mean_nothing() -> None:
    tracker = Tracker(ColourNetwork())
    with pytest.raises(BoxError, match="lies outside the frame of 320x240 pixels"):
        tracker.init(texture(240, 320, 0), (320, 10, 20, 20))
    with pytest.raises(FrameError, match="expected shape"):
        tracker.init(texture(240, 320, 0)[:, :, 0], (20, 10, 20, 20))
    tracker.init(texture(240, 320, 0), (20, 10, 20, 20))
    with pytest.raises(FrameError, match=r"is 318x240 pixels, but init\(\) was given 320x240"):
        tracker.update(texture(240, 318, 0))
    with pytest.raises(BoxError, match="has no area"):
        tracker.correct((10, 10, 0, 20))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_output_beyond_all_measure(value: float) -> None:
    network = ColourNetwork()
    tracker = Tracker(network)
    tracker.init(texture(240, 320, 0), (20, 20, 30, 30))
    network.spoil = value
    with np.errstate(invalid="ignore"), pytest.raises(ModelError, match="is not finite"):
        tracker.update(texture(240, 320, 0))


def test_huge_logits_are_borne() -> None:
    network = ColourNetwork()
    truth = moving(4)
    network.spoil = 1e30
    results = follow(coloured_boxes(truth), truth[0], network)
    assert np.isfinite(boxes_of(results)).all()


@pytest.mark.parametrize(
    "box",
    [(100.5, 80.25, 1, 1), (0, 0, 320, 240), (-20, 30, 60, 200), (9, 9, 0.01, 32000),
     (-15000, -15000, 32000, 32000)],
)  # fmt: skip
def test_extreme_boxes_are_tracked_without_fault(box: tuple) -> None:
    frame = texture(240, 320, 7)
    results = follow([frame] * 4, box, camera_side=64)
    assert np.isfinite(boxes_of(results)).all()


@pytest.mark.parametrize("size", [127, 191, 239, 255])
def test_search_regions_of_any_size(size: int) -> None:
    truth = np.array([[100 + i, 80, 40, 40] for i in range(12)])
    results = follow(coloured_boxes(truth), truth[0], search_size=size)
    assert results[-1].box_xywh == pytest.approx(truth[-1], abs=1.5)
