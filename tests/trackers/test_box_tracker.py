"""The loop of trackers with a box head, with a network that knows the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from binvision.errors import BoxError, FrameError, ModelError, UsageError
from binvision.media import overlaps
from binvision.trackers import Tracker, TrackResult
from binvision.trackers.box_network import Exemplar
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


def test_a_lost_target_stays_in_place_until_it_is_sure() -> None:
    truth = np.array([[100, 80, 40, 40]] * 2 + gone((100, 80, 0, 0), 2) + [[110, 84, 40, 40]] * 4)
    frames = coloured_boxes(truth)
    results = follow(frames, truth[0], lost_threshold=0.1, found_threshold=0.999)
    assert all(result.lost for result in results[1:])
    assert results[-1].box_xywh == pytest.approx(truth[0], abs=1)
    assert results[-1].score > 0.1, "of what is seen, not of the box"


class _ExactNetwork(ColourNetwork):
    """Sure of the very colour of its target alone."""

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, raw = super().search(crop, exemplar)
        return logits - np.abs(crop - exemplar.fine).sum(2).min() / 10, raw


def test_a_doubtful_one_that_leads_away_is_left_when_the_target_comes_back() -> None:
    """Another of almost the same colour swims out from where the target was hidden."""
    steps = np.arange(14)
    decoy = np.stack([60 + 16 * steps, 80 + 0 * steps, 40 + 0 * steps, 40 + 0 * steps], 1)
    frames = [
        *coloured_boxes(np.array([[60, 80, 40, 40]] * 3), (240, 400)),
        *coloured_boxes(decoy, (240, 400), ((40, 86, 230),)),
    ]
    for frame in frames[-4:]:
        frame[80:120, 60:100] = (40, 60, 230)
    results = follow(frames, (60, 80, 40, 40), _ExactNetwork(found_threshold=0.75))
    assert results[-5].box_xywh == pytest.approx(decoy[-5], abs=3), "it is followed at first"
    assert 0.2 < results[-5].score < 0.75
    assert not any(result.lost for result in results)
    for result in results[-4:]:
        assert result.box_xywh == pytest.approx((60, 80, 40, 40), abs=3)
        assert result.score > 0.75


@pytest.mark.parametrize("looks", [1, 2])
def test_a_frame_costs_one_pass_and_a_lost_target_as_many_as_set(looks: int) -> None:
    truth = np.array([[100, 80, 40, 40]] * 4 + gone((100, 80, 0, 0), 6))
    network = ColourNetwork(lost_looks=looks)
    follow(coloured_boxes(truth), truth[0], network)
    # One of the first frame, three in sight, one that finds it lost, five of a lost target.
    assert (network.looks, network.searches) == (1, 5 + 5 * looks)


def test_nothing_is_taken_for_the_target_twice_as_large() -> None:
    """A box of another size counts less than the target, by the penalty of SiamRPN."""
    truth = np.array([[100, 80, 40, 40], [80, 60, 80, 80]])
    frames = coloured_boxes(truth)
    free, strict = (
        follow(frames, truth[0], penalty_k=k, size_lr=1.0)[0].box_xywh[2] for k in (0.0, 2.0)
    )
    assert free > 70
    assert strict < 50


def test_scores_are_calibrated_and_boxes_are_the_same() -> None:
    truth = moving(10)
    frames = coloured_boxes(truth)
    plain = follow(frames, truth[0])
    changed = follow(frames, truth[0], score_scale=0.5, score_bias=-1.0, lost_threshold=0)
    assert [result.box_xywh for result in changed] == [result.box_xywh for result in plain]
    for one, other in zip(changed, plain, strict=True):
        logit = np.log(other.score / (1 - other.score))
        assert one.score == pytest.approx(1 / (1 + np.exp(1 - 0.5 * logit)))


def test_the_same_frames_give_the_same_track() -> None:
    truth = np.array([*moving(10), *gone((80, 60, 0, 0), 6), *moving(10)])
    frames = coloured_boxes(truth)
    options = dict(habit_limit=0.5, light_band=0.1)
    assert follow(frames, truth[0], **options) == follow(frames, truth[0], **options)


def test_init_starts_anew() -> None:
    truth = moving(12)
    frames = coloured_boxes(truth)
    tracker = Tracker(ColourNetwork(light_band=0.1))
    tracker.init(texture(100, 100, 5), (20, 20, 30, 30))
    tracker.update(texture(100, 100, 6))
    tracker.init(frames[0], truth[0])
    expected = follow(frames, truth[0], light_band=0.1)
    assert [tracker.update(frame) for frame in frames[1:]] == expected


def test_frames_and_boxes_are_left_alone() -> None:
    truth = moving(4)
    frames = coloured_boxes(truth)
    copies, box = [frame.copy() for frame in frames], truth[0].copy()
    follow(frames, box, light_band=0.05)
    for frame, copy in zip(frames, copies, strict=True):
        np.testing.assert_array_equal(frame, copy)
    np.testing.assert_array_equal(box, truth[0])


def test_results_are_plain_numbers() -> None:
    truth = moving(4)
    for result in follow(coloured_boxes(truth), truth[0], light_band=0.05):
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
    results = follow([frame] * 4, box, light_band=0.05)
    assert np.isfinite(boxes_of(results)).all()


@pytest.mark.parametrize("size", [127, 191, 239, 255])
def test_search_regions_of_any_size(size: int) -> None:
    truth = np.array([[100 + i, 80, 40, 40] for i in range(12)])
    results = follow(coloured_boxes(truth), truth[0], search_size=size)
    assert results[-1].box_xywh == pytest.approx(truth[-1], abs=1.5)


def test_a_target_is_followed_when_the_light_changes() -> None:
    """The network that knows the truth sees the light that the exemplar had."""
    truth = moving(12)
    frames = [frame if i < 4 else frame // 3 for i, frame in enumerate(coloured_boxes(truth))]
    seen = {}
    for band in (0.0, 0.1):
        network = ColourNetwork(light_band=band)
        seen[band] = []
        search = network.search
        network.search = (
            lambda crop, exemplar, into=seen[band], search=search: (  # type: ignore[method-assign]
                into.append(float(crop[96:159, 96:159].mean())),
                search(crop, exemplar),
            )[1]
        )
        follow(frames, truth[0], network)
    assert seen[0.0][-1] < 0.6 * seen[0.0][0]
    assert seen[0.1][-1] > 0.75 * seen[0.1][0]
