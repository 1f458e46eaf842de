"""Drawn boxes, looked at pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.media.drawing import Mark, Outline, annotate

GREY = np.full((240, 320, 3), 128, np.uint8)
GREEN = np.array([80, 220, 120])


def coloured(frame: np.ndarray) -> np.ndarray:
    """Where the first colour of the palette was put down in full."""
    return (np.abs(frame.astype(int) - GREEN) < 40).all(-1)


def test_the_frame_itself_is_left_alone() -> None:
    frame = GREY.copy()
    annotate(frame, [Mark((50, 60, 80, 40), "target", 0.5)], "caption")
    np.testing.assert_array_equal(frame, GREY)


def test_a_solid_box_lies_on_its_four_sides() -> None:
    drawn = coloured(annotate(GREY, [Mark((50, 60, 80, 40))]))
    assert drawn[60, 50:131].all()
    assert drawn[100, 50:131].all()
    assert drawn[60:101, 50].all()
    assert drawn[60:101, 130].all()
    assert not drawn[64:97, 54:127].any()


def test_a_lost_box_is_dashed_with_whole_corners() -> None:
    drawn = coloured(annotate(GREY, [Mark((50, 60, 80, 40), lost=True)]))
    top = drawn[60, 50:131]
    assert 0.3 < top.mean() < 0.8
    assert top[0] and top[-1]
    assert np.count_nonzero(np.diff(top.astype(int)) == 1) >= 3


def test_the_bar_is_as_long_as_the_score() -> None:
    lengths = []
    for score in (0.0, 0.25, 0.5, 1.0):
        frame = annotate(GREY, [Mark((50, 100, 80, 40), score=score)])
        lengths.append(int(coloured(frame)[70:96].any(0).sum()))
    assert lengths[0] == 0
    assert (
        lengths[3] == pytest.approx(2 * lengths[2], abs=1) == pytest.approx(4 * lengths[1], abs=2)
    )


def test_lost_is_written_too() -> None:
    held = annotate(GREY, [Mark((50, 100, 80, 40), "a", None)])
    lost = annotate(GREY, [Mark((50, 100, 80, 40), "a", None, lost=True)])
    plate = np.s_[70:97, 50:200]
    assert (lost[plate] < 60).all(-1).sum() > (held[plate] < 60).all(-1).sum()


@pytest.mark.parametrize(
    "box",
    [
        (-30, -30, 60, 60),
        (300, 220, 200, 200),
        (-1e9, 0, 2e9, 10),
        (1000, 1000, 5, 5),
        (5, 5, 0, 0),
    ],
)
def test_boxes_beyond_the_frame_are_cut_at_it(box: tuple) -> None:
    frame = annotate(GREY, [Mark(box, "a rather long label for this frame", 0.5, lost=True)])
    assert frame.shape == GREY.shape


@pytest.mark.parametrize("size_hw", [(2, 3), (17, 9), (2160, 3840)])
def test_frames_of_any_size(size_hw: tuple[int, int]) -> None:
    frame = np.zeros((*size_hw, 3), np.uint8)
    assert annotate(frame, [Mark((1, 1, 40, 40), "x", 1.0)], "caption").any()


def test_targets_have_colours_of_their_own() -> None:
    marks = [Mark((20 + 50 * i, 60, 30, 30), colour=i) for i in range(6)]
    frame = annotate(GREY, marks)
    assert len({tuple(frame[75, 20 + 50 * i].tolist()) for i in range(6)}) == 6


def square(certain: list[bool], offset: float = 0.0) -> Mark:
    """A ring through four corners of 80 pixels."""
    corners = np.array([[50, 60], [130, 60], [130, 140], [50, 140]], float) + offset
    outline = Outline(corners, [(0, 1, 2, 3, 0)], np.array(certain))
    return Mark((50, 60, 80, 80), outline=outline)


def test_an_outline_has_lines_and_points_and_no_box() -> None:
    drawn = annotate(GREY, [square([True] * 4)])
    assert coloured(drawn)[60, 60:121].all()
    for x, y in [(50, 60), (130, 60), (130, 140), (50, 140)]:
        assert drawn[y, x].min() > 200
    assert (drawn[70:131, 60:121] == 128).all()


def test_points_that_are_not_certain_are_hollow_and_have_no_lines() -> None:
    drawn = annotate(GREY, [square([True, True, True, False])])
    assert coloured(drawn)[60, 60:121].all() and coloured(drawn)[70:131, 130].all()
    assert not coloured(drawn)[140, 60:121].any() and not coloured(drawn)[70:131, 50].any()
    assert (drawn[140, 50] == 128).all()
    assert (drawn[130:151, 40:61] != 128).any()


def test_small_outlines_have_fine_dots() -> None:
    """Where points lie close together, what they are on is still seen."""
    points = np.stack(np.meshgrid(np.arange(9.0), np.arange(8.0)), -1).reshape(-1, 2) * 6 + 100
    mark = Mark((100, 100, 48, 42), outline=Outline(points, [], np.ones(72, bool)))
    drawn = annotate(GREY, [mark])[98:145, 98:151]
    assert 0.02 < (drawn > 200).mean() < (drawn != 128).mean() < 0.5


def test_an_outline_far_outside_is_not_drawn() -> None:
    np.testing.assert_array_equal(annotate(GREY, [square([True] * 4, 1e8)]), GREY)
