"""The demo clip: the same every time, and as hard as it says."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.trackers.clip import DemoClip

Clip = tuple[list[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def clip() -> Clip:
    frames, boxes = zip(*DemoClip(count=50), strict=True)
    return list(frames), np.array(boxes)


def test_frames_are_what_the_clip_says(clip: Clip) -> None:
    frames, boxes = clip
    assert (len(frames), len(boxes)) == (50, 50)
    for frame in frames:
        assert frame.shape == (*DemoClip.size_hw, 3)
        assert frame.dtype == np.uint8


def test_the_same_seed_gives_the_same_clip(clip: Clip) -> None:
    again = DemoClip(count=50)
    for index, (frame, box) in enumerate(again):
        if index == 12:
            break
        np.testing.assert_array_equal(frame, clip[0][index])
        assert box == tuple(clip[1][index])


def test_a_clip_may_be_played_twice() -> None:
    clip = DemoClip(count=3)
    for (first, _), (second, _) in zip(clip, clip, strict=True):
        np.testing.assert_array_equal(first, second)


def test_another_seed_gives_another_clip(clip: Clip) -> None:
    frame, _ = next(iter(DemoClip(seed=8, count=50)))
    assert np.abs(frame.astype(int) - clip[0][0]).mean() > 10


def test_the_target_is_in_the_frame_from_first_to_last(clip: Clip) -> None:
    boxes = clip[1]
    height, width = DemoClip.size_hw
    assert (boxes[:, :2] > 0).all()
    assert (boxes[:, 0] + boxes[:, 2] < width).all()
    assert (boxes[:, 1] + boxes[:, 3] < height).all()


def test_the_box_bounds_the_koi(clip: Clip) -> None:
    """Red and white, which nothing else near it is, fill the box and leave it at once."""
    frame, (x, y, w, h) = clip[0][0].astype(int), clip[1][0].astype(int)
    red = (frame[..., 2] > 150) & (frame[..., 0] < 100) & (frame[..., 1] < 120)
    around = red[y - 15 : y + h + 15, x - 15 : x + w + 15]
    inside = red[y : y + h, x : x + w]
    assert inside.sum() > 0.05 * w * h
    assert inside.sum() == around.sum()


def test_scale_place_and_shape_change(clip: Clip) -> None:
    boxes = clip[1]
    sides = np.sqrt(boxes[:, 2] * boxes[:, 3])
    assert sides.max() / sides.min() > 1.4
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.ptp(centres, axis=0).min() > 80
    aspect = boxes[:, 2] / boxes[:, 3]
    assert aspect.max() / aspect.min() > 1.25


def test_the_background_moves_where_the_target_is_not(clip: Clip) -> None:
    corners = [np.abs(b[-60:, :60].astype(int) - a[-60:, :60]).mean() for a, b in _pairs(clip[0])]
    assert np.median(corners) > 5


def test_leaves_hide_a_part_of_the_target_twice(clip: Clip) -> None:
    """Green inside the box: much of it while the target passes a leaf, and little before."""
    hidden = []
    for frame, box in zip(*clip, strict=True):
        x, y, w, h = (int(value) for value in box)
        blue, green, red = np.moveaxis(frame[y : y + h, x : x + w].astype(int), -1, 0)
        hidden.append(float(((green > 90) & (green > 1.5 * red) & (green > 1.8 * blue)).mean()))
    assert max(hidden[:6]) < 0.03
    assert max(hidden[10:20]) > 0.12
    assert max(hidden[34:44]) > 0.12
    assert max(hidden[24:30]) < 0.08


def _pairs(frames: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(frames, frames[1:], strict=False))
