"""Where boxes of subjects come from: points, set, detector, file; and what noise does to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError, UsageError
from binvision.landmarks.evaluation.boxes import (
    box_in_file,
    detected_box,
    points_box,
    set_box,
    shaken,
)
from binvision.landmarks.formats.points import PointPicture
from binvision.media.boxes import BoxXYWH
from tests.support.random_points import make_set, no_picture

IMAGE = np.zeros((4, 4, 3), np.uint8)


def subject(**changes: object) -> PointPicture:
    """A subject whose points have the box 10, 20, 40, 20."""
    points = np.array([[10, 20], [50, 30], [30, 40], [np.nan, np.nan]], np.float32)
    box = np.array([1, 2, 3, 4], np.float32)
    picture = PointPicture("in/a.png", points, np.ones(4, bool), no_picture, box)
    return replace(picture, **changes)  # type: ignore[arg-type]


def as_it_is(box: object) -> BoxXYWH:
    return tuple(box)  # type: ignore[arg-type, return-value]


def test_boxes_of_points_and_of_the_set() -> None:
    assert points_box(subject(), IMAGE) == (10, 20, 40, 20)
    assert set_box(subject(), IMAGE) == (1, 2, 3, 4)
    with pytest.raises(DataError, match=r"in/a\.png: the set gives no box; --boxes points"):
        set_box(subject(box_xywh=None), IMAGE)


def test_a_single_point_has_the_box_of_its_set() -> None:
    points = np.array([[10, 20]] + [[np.nan, np.nan]] * 3, np.float32)
    assert points_box(subject(points=points), IMAGE) == (1, 2, 3, 4)


# The square around the points is 10, 10, 40, 40.
@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], None),
        ([[10, 10, 40, 40]], (10, 10, 40, 40)),
        ([[100, 100, 40, 40], [15, 10, 40, 40]], (15, 10, 40, 40)),
        ([[12, 10, 40, 40], [20, 10, 40, 40]], (12, 10, 40, 40)),
        ([[31, 10, 40, 40]], (31, 10, 40, 40)),  # 19 of 61 columns: .31
        ([[32, 10, 40, 40]], None),  # 18 of 62
    ],
)
def test_the_detection_that_is_the_subject(
    boxes: list[list[float]], expected: BoxXYWH | None
) -> None:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    find = detected_box(lambda image: rows, as_it_is)
    assert find(subject(), IMAGE) == expected


def test_detections_are_placed_on_the_points_first() -> None:
    def place(box: object) -> BoxXYWH:
        x, y, w, h = as_it_is(box)
        return x + 100, y, w, h

    find = detected_box(lambda image: np.array([[-90, 10, 40, 40]], np.float32), place)
    assert find(subject(), IMAGE) == (10, 10, 40, 40)


def test_boxes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    path.write_text(
        "picture,class,score,x,y,w,h\n"
        "a.png,face,0.9,200,200,40,40\n"
        "a.png,face,0.8,12,10,40,40\n"
        "in/b.png,face,0.8,11,10,40,40\n"
    )
    find = box_in_file(path, as_it_is)
    assert find(subject(), IMAGE) == (12, 10, 40, 40)  # by the name of its file
    assert find(subject(name="in/b.png#7"), IMAGE) == (11, 10, 40, 40)
    assert find(subject(name="c.png"), IMAGE) is None
    with pytest.raises(DataError, match=r"gone\.csv"):
        box_in_file(tmp_path / "gone.csv", as_it_is)


def test_noise_is_within_its_bounds_and_fills_them() -> None:
    data = make_set("pose14", 1, 0)
    moves = []
    for index in range(300):
        picture = replace(data.pictures[0], name=str(index))
        x, y, w, h = points_box(picture, IMAGE) or (0, 0, 0, 0)
        left, top, width, height = shaken(points_box, 0.1, 5)(picture, IMAGE) or (0, 0, 0, 0)
        assert width / w == pytest.approx(height / h)
        centre = np.array([left + width / 2 - x - w / 2, top + height / 2 - y - h / 2])
        moves.append([*(centre / max(w, h)), width / w - 1])
    spread = np.array(moves)
    assert np.abs(spread).max() <= 0.1 + 1e-9
    assert (spread.min(0) < -0.09).all() and (spread.max(0) > 0.09).all()
    assert np.abs(spread.mean(0)).max() < 0.015
    assert np.abs(np.corrcoef(spread.T) - np.eye(3)).max() < 0.2


def test_noise_depends_on_seed_and_name_alone() -> None:
    first, again, other = (shaken(points_box, 0.1, seed)(subject(), IMAGE) for seed in (1, 1, 2))
    assert first == again != other
    assert shaken(points_box, 0.1, 1)(subject(name="b"), IMAGE) != first
    assert shaken(points_box, 0, 1)(subject(), IMAGE) == (10, 20, 40, 20)
    assert shaken(lambda picture, image: None, 0.1, 1)(subject(), IMAGE) is None
    for noise in (-0.1, 1.0, float("nan")):
        with pytest.raises(UsageError, match="box noise .*: expected a part of the box"):
            shaken(points_box, noise, 0)
