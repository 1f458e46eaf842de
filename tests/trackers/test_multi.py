"""Several targets with identities, on rendered scenes and a detector that errs as real ones do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from binvision.detectors.detections import Detections
from binvision.errors import FrameError, UsageError
from binvision.trackers import MultiTracker, Target
from tests.support.colour_network import ColourNetwork, coloured_boxes
from tests.support.fake_detector import FakeDetector
from tests.support.footage import moving_patches, texture
from tests.support.identities import Counts, count_identities
from tests.support.numpy_embedder import NumpyEmbedder

Places = list[tuple[float, float]]


def line(start: tuple[float, float], end: tuple[float, float], count: int) -> Places:
    return [(float(x), float(y)) for x, y in np.linspace(start, end, count)]


CROSSING = {"paths": [line((40, 110), (280, 125), 40), line((280, 120), (40, 120), 40)]}
LEAVING = {
    "paths": [
        line((130, 120), (-50, 120), 20) + line((-50, 90), (110, 100), 20),
        line((60, 200), (260, 200), 40),
    ]
}
HIDDEN = {
    "paths": [line((40, 110), (290, 120), 40), line((250, 40), (60, 50), 40)],
    "occluder": (130, 70, 70, 100),
}
ERRORS = {"miss": 0.15, "jitter": 0.04, "false_alarms": 0.1}


def follow(tracker: MultiTracker, frames: list[np.ndarray]) -> list[tuple[Target, ...]]:
    return [tracker.update(frame) for frame in frames]


def held(results: list[tuple[Target, ...]]) -> list[dict[int, Any]]:
    """Boxes of the targets that are not lost, by identity."""
    return [
        {target.identity: target.box_xywh for target in targets if not target.lost}
        for targets in results
    ]


def counts_of(scene: dict[str, Any], every: int, seed: int, **errors: float) -> Counts:
    frames, truth = moving_patches(**scene, seed=seed)
    detector = FakeDetector(frames, truth, **errors, seed=seed)
    tracker = MultiTracker(detector, NumpyEmbedder(), detect_every=every)
    return count_identities(truth, held(follow(tracker, frames)))


# Identities


@pytest.mark.parametrize("scene", [CROSSING, LEAVING, HIDDEN], ids=["cross", "leave", "hidden"])
@pytest.mark.parametrize("every", [1, 6])
def test_identities_are_kept_with_a_perfect_detector(scene: dict[str, Any], every: int) -> None:
    counts = counts_of(scene, every, seed=0)
    assert counts.idf1 > 0.93, counts
    assert counts.mota > 0.87, counts


@pytest.mark.parametrize("scene", [CROSSING, LEAVING, HIDDEN], ids=["cross", "leave", "hidden"])
def test_identities_are_kept_although_the_detector_errs(scene: dict[str, Any]) -> None:
    counts = counts_of(scene, 5, seed=10, **ERRORS)
    assert counts.idf1 > 0.88, counts
    assert counts.mota > 0.8, counts


def test_a_hidden_target_is_lost_and_found_with_its_identity() -> None:
    frames, truth = moving_patches(**HIDDEN)
    results = follow(MultiTracker(FakeDetector(frames, truth), NumpyEmbedder()), frames)
    states = [next(target for target in targets if target.identity == 1) for targets in results[1:]]
    assert any(target.lost for target in states)
    assert not states[-1].lost
    assert {target.score for target in states if target.lost} == {0.0}
    assert {target.identity for targets in results for target in targets} == {1, 2}


def test_an_identity_is_never_given_twice() -> None:
    """A target is given up; what comes later has a new number."""
    here, gone = [(100.0, 100.0)] * 6, [(-90.0, -90.0)] * 6
    frames, truth = moving_patches([here + gone + here])
    tracker = MultiTracker(FakeDetector(frames, truth), NumpyEmbedder(), keep_lost=2)
    results = held(follow(tracker, frames))
    assert [set(boxes) for boxes in results[1:6]] == [{1}] * 5
    assert results[7:13] == [{}] * 6
    assert [set(boxes) for boxes in results[14:]] == [{2}] * 4


def test_a_network_that_predicts_the_box_keeps_identities_too() -> None:
    """Seen, out of sight behind nothing, and back elsewhere: the detector shows where."""
    way = [[60 + 4 * i, 60 + 2 * i, 40, 30] for i in range(20)]
    boxes = np.array(way + [[0, 0, 0, 0]] * 8 + [[150, 120, 40, 30]] * 20)
    frames = coloured_boxes(boxes)
    truth = [{1: box.tolist()} if box[2] else {} for box in boxes]
    detector = FakeDetector(frames, truth)
    tracker = MultiTracker(detector, ColourNetwork(), detect_every=6)
    results = follow(tracker, frames)
    assert {target.identity for targets in results for target in targets} == {1}
    assert all(target.lost for target in results[25])
    for index in (5, 15, -1):
        (target,) = results[index]
        assert not target.lost
        assert target.box_xywh == pytest.approx(boxes[index], abs=2)
    assert len(detector.calls) < len(frames) / 2


# One target


def test_best_follows_one_and_then_another() -> None:
    first = [(80.0, 80.0)] * 8 + [(-90.0, -90.0)] * 22
    second = [(240.0, 160.0)] * 30
    frames, truth = moving_patches([first, second])
    detector = FakeDetector(frames, truth, score_of={1: 0.9, 2: 0.6})
    tracker = MultiTracker(detector, NumpyEmbedder(), targets="best", keep_lost=40)
    results = follow(tracker, frames)
    assert max(len(targets) for targets in results) == 1
    assert results[5][0].box_xywh == pytest.approx(truth[5][1], abs=2)
    assert results[-1][0].identity == 2
    assert results[-1][0].box_xywh == pytest.approx(truth[-1][2], abs=2)


# When the detector runs


def test_the_detector_runs_every_n_frames_while_all_is_in_sight() -> None:
    frames, truth = moving_patches([[(100.0 + i, 100.0) for i in range(20)]])
    detector = FakeDetector(frames, truth)
    tracker = MultiTracker(detector, NumpyEmbedder(), detect_every=6)
    follow(tracker, frames)
    assert detector.calls == [0, 1, 7, 13, 19]
    assert tracker.timings.detections == 5
    assert tracker.timings.frames == 18
    assert min(tracker.timings.detect, tracker.timings.crop, tracker.timings.network) > 0


def test_the_detector_runs_in_every_frame_while_there_is_nothing_or_a_lost_target() -> None:
    gone, here = [(-90.0, -90.0)] * 5, [(100.0, 100.0)] * 12
    frames, truth = moving_patches([gone + here + gone])
    detector = FakeDetector(frames, truth)
    follow(MultiTracker(detector, NumpyEmbedder(), detect_every=50), frames)
    assert detector.calls == [0, 1, 2, 3, 4, 5, 6, 17, 18, 19, 20, 21]


# Detections that are not to be believed


def test_one_false_alarm_starts_nothing() -> None:
    frames = [texture(120, 160, 3)] * 8
    frames = [frame.copy() for frame in frames]
    truth: list[dict[int, Any]] = [{} for _ in frames]
    truth[3] = {1: (30.0, 30.0, 40.0, 40.0)}
    assert held(follow(MultiTracker(FakeDetector(frames, truth), NumpyEmbedder()), frames)) == (
        [{}] * 8
    )


def test_a_target_that_only_its_tracker_sees_is_given_up_early() -> None:
    """The detector saw something on the background twice; the tracker would hold it for ever."""
    frames = [texture(120, 160, 3).copy() for _ in range(40)]
    truth: list[dict[int, Any]] = [{} for _ in frames]
    truth[0] = truth[1] = {1: (30.0, 30.0, 40.0, 40.0)}
    tracker = MultiTracker(FakeDetector(frames, truth), NumpyEmbedder(), keep_lost=50)
    results = follow(tracker, frames)
    assert [len(boxes) for boxes in held(results)[1:12]] == [1] * 11
    assert held(results)[12:] == [{}] * 28
    assert results[-1] == ()


def test_a_detection_corrects_place_and_size() -> None:
    frames, truth = moving_patches([[(100.0 + i, 100.0) for i in range(12)]], side=40)
    loose = [{1: (box[0] - 6, box[1] - 6, 52.0, 52.0)} for boxes in truth for box in boxes.values()]
    detector = FakeDetector(frames, loose[:5] + truth[5:])
    tracker = MultiTracker(detector, NumpyEmbedder(), detect_every=8)
    results = follow(tracker, frames)
    assert detector.calls == [0, 1, 9]
    assert results[8][0].box_xywh[2] == pytest.approx(52, abs=2)
    assert results[9][0].box_xywh == pytest.approx(truth[9][1], abs=1e-3)


def test_boxes_without_area_are_not_followed() -> None:
    frames = [texture(120, 160, 3).copy() for _ in range(4)]
    truth = [{1: (30.0, 30.0, 0.5, 40.0), 2: (10.0, 10.0, float("nan"), 5.0)}] * 4
    assert follow(MultiTracker(FakeDetector(frames, truth), NumpyEmbedder()), frames)[-1] == ()


def test_an_object_found_as_two_classes_is_one_target() -> None:
    frames, truth = moving_patches(**LEAVING)
    detector = FakeDetector(frames, truth)

    def doubled(image: np.ndarray) -> Detections:
        found = detector(image)
        return Detections(
            np.concatenate([found.boxes, found.boxes + np.float32([2, -2, 1, 1])]),
            np.concatenate([found.scores, found.scores * np.float32(0.9)]),
            np.concatenate([found.labels, 1 - found.labels]),
            found.classes,
        )

    results = follow(MultiTracker(doubled, NumpyEmbedder(), detect_every=3), frames)
    assert {target.identity for targets in results for target in targets} == {1, 2}
    assert {target.label for targets in results for target in targets} == {"patch"}
    assert count_identities(truth, held(results)).switches == 0


def test_a_target_has_the_class_that_most_detections_gave_it() -> None:
    frames, truth = moving_patches([[(100.0, 100.0)] * 6])
    detector = FakeDetector(frames, truth, label_in={2: 1})
    results = follow(MultiTracker(detector, NumpyEmbedder(), detect_every=1), frames)
    assert [targets[0].label for targets in results[1:]] == ["patch"] * 5


# Networks that predict the box


RED, BLUE = (40, 60, 230), (230, 80, 40)


def coloured_scene(
    paths: dict[int, list[tuple[float, ...]]],
) -> tuple[list[np.ndarray], list[dict[int, Any]]]:
    """Frames with a red target 1 and a blue target 2, and their boxes; None where it is hidden."""
    frames, truth = [], []
    for boxes in zip(*paths.values(), strict=True):
        frame = np.full((240, 320, 3), (90, 160, 90), np.uint8)
        seen = {number: box for number, box in zip(paths, boxes, strict=True) if box}
        for number, (x, y, w, h) in seen.items():
            frame[y : y + h, x : x + w] = (RED, BLUE)[number - 1]
        frames.append(frame)
        truth.append({number: tuple(map(float, box)) for number, box in seen.items()})
    return frames, truth


def test_a_network_with_a_box_head_keeps_identities_through_a_crossing() -> None:
    paths = {
        1: [(20 + 6 * step, 100, 40, 30) for step in range(40)],
        2: [(260 - 6 * step, 104, 30, 40) for step in range(40)],
    }
    frames, truth = coloured_scene(paths)
    for errors in ({}, {"miss": 0.15, "jitter": 0.04}):
        detector = FakeDetector(frames, truth, **errors)
        results = held(follow(MultiTracker(detector, ColourNetwork(), detect_every=5), frames))
        counts = count_identities(truth, results)
        assert counts.idf1 > 0.93, counts
        assert counts.switches == 0, counts


def test_a_network_with_a_box_head_recognises_who_comes_back() -> None:
    """Both are away, and come back where the other one was; then somebody else comes."""
    here, there, gone = (60, 100, 40, 40), (150, 100, 40, 40), ()
    paths = {1: [here] * 8 + [gone] * 6 + [there] * 6, 2: [there] * 8 + [gone] * 6 + [here] * 6}
    frames, truth = coloured_scene(paths)
    results = follow(MultiTracker(FakeDetector(frames, truth), ColourNetwork()), frames)
    before, after = held(results)[5], held(results)[-1]
    assert all(target.lost for target in results[12])
    assert {number: box[0] for number, box in before.items()} == pytest.approx({1: 60, 2: 150})
    assert {number: box[0] for number, box in after.items()} == pytest.approx({1: 150, 2: 60})


def test_between_detections_boxes_change_their_shape_and_time_is_counted() -> None:
    paths = {1: [(100, 100, 40 + 2 * step, 40) for step in range(20)]}
    frames, truth = coloured_scene(paths)
    tracker = MultiTracker(FakeDetector(frames, truth), ColourNetwork(), detect_every=50)
    (last,) = follow(tracker, frames)[-1]
    assert last.box_xywh == pytest.approx(truth[-1][1], abs=6)
    assert (tracker.timings.frames, tracker.timings.detections) == (18, 2)
    assert min(tracker.timings.crop, tracker.timings.network, tracker.timings.post) > 0


# The counts that these tests rely on


def test_counts_of_an_example_by_hand() -> None:
    """Two identities exchanged for the last of four frames, one miss, one false alarm."""
    here, there, away = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 10.0, 10.0), (90.0, 90.0, 5.0, 5.0)
    truth = [{1: here, 2: there}] * 4
    found = [{7: here, 8: there}, {7: here}, {7: here, 8: there, 9: away}, {7: there, 8: here}]
    counts = count_identities(truth, found)
    assert counts[:5] == (8, 7, 1, 1, 2)
    assert counts.mota == pytest.approx(1 - (1 + 1 + 2) / 8)
    assert counts.idf1 == pytest.approx(2 * (3 + 2) / (8 + 8))


# What it refuses


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "some"}, "targets = 'some': expected 'all' or 'best'"),
        ({"detect_every": 0}, "detect_every = 0: expected 1 frame or more"),
        ({"keep_lost": -1}, "keep_lost = -1: expected 1 frame or more"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MultiTracker(FakeDetector([], []), NumpyEmbedder(), **options)


def test_a_frame_of_another_size() -> None:
    frames, truth = moving_patches([[(100.0, 100.0)] * 3])
    frames[2] = frames[2][:200]
    tracker = MultiTracker(FakeDetector(frames, truth), NumpyEmbedder())
    follow(tracker, frames[:2])
    with pytest.raises(FrameError, match="is 320x200 pixels, but"):
        tracker.update(frames[2])
