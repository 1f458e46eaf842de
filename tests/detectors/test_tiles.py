"""Tiles over large pictures: where they lie, and how their boxes are joined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binvision.detectors import Detections, Detector, DetectorSettings
from binvision.detectors.tiles import join_tiles, tile_places
from binvision.errors import UsageError
from tests.support.detection_models import street, write_detector

SETTINGS = DetectorSettings(("car", "bus"), stride=8, multiple=32, input_size=64)


@given(
    st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    st.integers(100, 700),
    st.floats(0, 0.9),
)
def test_tiles_cover_the_picture_and_overlap(
    size_hw: tuple[int, int], tile: int, overlap: float
) -> None:
    places = tile_places(size_hw, tile, overlap)
    assert len(set(places)) == len(places)
    for axis, side in ((0, size_hw[1]), (1, size_hw[0])):
        starts = sorted({place[axis] for place in places})
        assert starts[0] == 0
        assert starts[-1] + tile >= side and (starts == [0] or starts[-1] + tile == side)
        for before, after in zip(starts, starts[1:], strict=False):
            assert tile - (after - before) >= int(overlap * tile) - 1


def tile_of(*boxes: tuple[float, ...], score: float = 0.9, label: int = 0) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32),
        np.full(len(boxes), label, np.int64), ("car", "bus"),
    )  # fmt: skip


def test_whole_boxes_win_over_their_cut_parts() -> None:
    # Two tiles of 100 pixels that share x = 70..100; the object spans 75..105.
    part, whole = tile_of((75, 10, 25, 20), score=0.95), tile_of((5, 10, 30, 20), score=0.6)
    joined = join_tiles([part, whole], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    np.testing.assert_allclose(joined.boxes, [[75, 10, 30, 20]])
    np.testing.assert_allclose(joined.scores, [0.6])


def test_small_parts_of_large_objects_are_dropped_too() -> None:
    part, whole = tile_of((93, 10, 7, 20)), tile_of((23, 10, 60, 20))
    joined = join_tiles([part, whole], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    np.testing.assert_allclose(joined.boxes, [[93, 10, 60, 20]])


def test_parts_of_another_class_stay() -> None:
    part, whole = tile_of((75, 10, 25, 20), label=1), tile_of((5, 10, 30, 20))
    joined = join_tiles([part, whole], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    assert sorted(joined.names) == ["bus", "car"]


def test_what_both_tiles_see_whole_is_found_once_with_the_better_score() -> None:
    first, second = tile_of((75, 10, 18, 18), score=0.7), tile_of((6, 11, 17, 18), score=0.8)
    joined = join_tiles([first, second], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    np.testing.assert_allclose(joined.boxes, [[76, 11, 17, 18]])


def test_neighbours_inside_the_overlap_both_stay() -> None:
    first, second = tile_of((10, 10, 20, 20), (75, 50, 14, 14)), tile_of((5, 50, 14, 14))
    joined = join_tiles([first, second], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    assert len(joined) == 2


def test_boxes_at_the_pictures_own_border_are_whole() -> None:
    first, second = tile_of((0, 0, 30, 30)), tile_of((80, 75, 20, 25))
    joined = join_tiles([first, second], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    assert len(joined) == 2


def test_parts_that_no_tile_sees_whole_are_kept() -> None:
    # The object, 40..130, is larger than what the tiles share.
    left, right = tile_of((40, 10, 60, 20)), tile_of((0, 10, 60, 20))
    joined = join_tiles([left, right], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    assert 1 <= len(joined) <= 2


def test_nothing_in_any_tile_is_nothing() -> None:
    joined = join_tiles([tile_of(), tile_of()], [(0, 0), (70, 0)], 100, (100, 170), SETTINGS)
    assert len(joined) == 0 and joined.boxes.shape == (0, 4)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(write_detector(tmp_path_factory.mktemp("model") / "m.safetensors"))


@pytest.mark.parametrize("size_hw", [(64, 64), (192, 288), (40, 288), (288, 33)])
def test_large_pictures_give_each_object_once(detector: Detector, size_hw: tuple[int, int]) -> None:
    rows, columns = size_hw[0] // 8, size_hw[1] // 8
    cells = [(r, c) for r in range(1, rows - 1, 5) for c in range(1, columns - 1, 5)]
    # Tiles start at multiples of 8 here, so that every one sees the squares as they are.
    found = detector.detect_tiles(street(size_hw, cars=cells), 96, 0.5)
    expected = [(8 * column - 8, 8 * row - 8, 24, 24) for row, column in cells]
    assert len(expected) > 0
    np.testing.assert_allclose(sorted(found.boxes.tolist()), sorted(expected), atol=1e-4)


def test_one_tile_is_the_picture_itself(detector: Detector) -> None:
    picture = street(cars=[(2, 5)], buses=[(6, 1)])
    np.testing.assert_array_equal(
        detector.detect_tiles(picture, 64, 0.2).boxes, detector(picture).boxes
    )


def test_tiles_do_not_scale(detector: Detector) -> None:
    picture = street((64, 200), cars=[(3, 20)])
    np.testing.assert_allclose(
        detector.detect_tiles(picture, 640, 0.2).boxes, [[152, 16, 24, 24]], atol=1e-4
    )


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (0, 0.2, "tile 0: expected 1 to 8192 pixels"),
        (64, 0.95, "overlap 0.95: expected 0 to 0.9"),
        (64, -0.1, "overlap -0.1"),
        (64, float("nan"), "overlap nan"),
    ],
)
def test_tiles_out_of_range_are_refused(
    detector: Detector, tile: int, overlap: float, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        detector.detect_tiles(street(), tile, overlap)
