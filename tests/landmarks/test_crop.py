"""Crops: where pixels come from, and the way back, against pixels counted by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from binvision.landmarks.crop import (
    box_of,
    crop_matrix,
    crop_of_box,
    points_box,
    take_crop,
    to_crop,
    to_picture,
    whole_square,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, period: float) -> np.ndarray:
    """Waves that are long against a pixel, so that interpolation errs little."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / period), np.cos(y / period), np.sin((x + y) / period)]
    return np.rint(127.5 + 100 * np.stack(waves, 2)).astype(np.uint8)


def test_crop_of_whole_pixels_is_the_picture_itself() -> None:
    picture = noise(40, 50)
    # Pixels 10..25 in x and 5..20 in y: their middle is between two pixels.
    matrix = crop_matrix((17.5, 12.5), 16, 16)
    np.testing.assert_allclose(matrix, [[1, 0, -10], [0, 1, -5]])
    np.testing.assert_array_equal(take_crop(picture, matrix, 16), picture[5:21, 10:26])
    mirrored = crop_matrix((17.5, 12.5), 16, 16, mirror=True)
    np.testing.assert_array_equal(take_crop(picture, mirrored, 16), picture[5:21, 25:9:-1])


def test_quarter_turns_are_exact_and_counter_clockwise() -> None:
    picture = noise(40, 50)
    part = picture[5:21, 10:26]
    for quarters in (1, 2, 3):
        matrix = crop_matrix((17.5, 12.5), 16, 16, angle=90 * quarters)
        np.testing.assert_array_equal(take_crop(picture, matrix, 16), np.rot90(part, quarters))
    matrix = crop_matrix((17.5, 12.5), 16, 16, angle=90, mirror=True)
    np.testing.assert_array_equal(take_crop(picture, matrix, 16), np.rot90(part)[:, ::-1])


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_reduction_by_whole_numbers_is_the_mean(factor: int) -> None:
    size = 12
    picture = noise(90, 100)
    side = factor * size
    left, top = 6 * factor, 2 * factor
    centre = (left + (side - 1) / 2, top + (side - 1) / 2)
    crop = take_crop(picture, crop_matrix(centre, side, size), size)
    part = picture[top : top + side, left : left + side].astype(float)
    mean = part.reshape(size, factor, size, factor, 3).mean((1, 3))
    assert np.abs(crop - mean).max() <= 1


@pytest.mark.parametrize("scale", [0.11, 0.2, 0.37, 0.5, 0.9, 1.0, 2.3, 7.0])
@pytest.mark.parametrize("angle", [0.0, 33.0])
@pytest.mark.parametrize("mirror", [False, True])
def test_crop_shows_what_the_matrix_says(scale: float, angle: float, mirror: bool) -> None:
    size, picture = 64, smooth(800, 900, 40.0)
    matrix = crop_matrix((430.3, 390.8), size / scale, size, angle, mirror)
    crop = take_crop(picture, matrix, size)
    y, x = np.mgrid[:size, :size]
    places = to_picture(np.stack((x, y), -1).reshape(-1, 2), matrix).reshape(size, size, 2)
    expected = cv2.remap(picture, places, None, cv2.INTER_LINEAR)
    inside = (places > 12).all(2) & (places < (887, 787)).all(2)
    error = np.abs(crop.astype(float) - expected)[inside]
    assert error.max() < (4 if scale < 0.5 else 2)


@pytest.mark.parametrize("scale", [0.15, 0.4, 1.0, 3.0])
def test_what_is_outside_is_grey_and_the_edge_is_in_place(scale: float) -> None:
    picture = np.full((60, 80, 3), 255, np.uint8)
    size = 48
    matrix = crop_matrix((0, 0), size / scale, size)
    crop = take_crop(picture, matrix, size)
    edge_x, edge_y = to_crop([(-0.5, -0.5)], matrix)[0]
    y, x = np.mgrid[:size, :size]
    outside = (x < edge_x - 1.01 * max(scale, 1)) | (y < edge_y - 1.01 * max(scale, 1))
    far_x, far_y = to_crop([(79.5, 59.5)], matrix)[0]
    inside = (x > edge_x + max(scale, 1)) & (y > edge_y + max(scale, 1))
    inside &= (x < far_x - max(scale, 1)) & (y < far_y - max(scale, 1))
    assert (crop[outside] == 128).all() and outside.any()
    assert (crop[inside] == 255).all() and inside.any()


@pytest.mark.parametrize("centre", [(-500, 20), (20, 5000), (1e5, 1e5)])
def test_crop_far_outside_is_grey(centre: tuple[float, float]) -> None:
    assert (take_crop(noise(40, 50), crop_matrix(centre, 60, 32), 32) == 128).all()


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("side", [0.5, 3, 64, 999])
def test_tiny_pictures_are_taken(size_hw: tuple[int, int], side: float) -> None:
    picture = np.full((*size_hw, 3), 200, np.uint8)
    crop = take_crop(picture, crop_matrix((0, 0), side, 32), 32)
    assert crop.shape == (32, 32, 3)
    assert np.isin(crop[15:17, 15:17], np.arange(128, 201)).all()


def test_pictures_wider_than_opencv_warps_are_taken() -> None:
    picture = np.zeros((8, 40_000, 3), np.uint8)
    picture[:, 39_000:39_010] = 255
    crop = take_crop(picture, crop_matrix((39_004.5, 3.5), 16, 16), 16)
    np.testing.assert_array_equal(crop[8, :, 0] == 255, [False] * 3 + [True] * 10 + [False] * 3)


def test_result_goes_where_it_is_wanted() -> None:
    picture, out = noise(60, 60), np.empty((1, 32, 32, 3), np.uint8)
    for centre, side in (((30, 30), 40), ((30, 30), 200), ((900, 900), 10)):
        matrix = crop_matrix(centre, side, 32)
        assert np.shares_memory(take_crop(picture, matrix, 32, out=out[0]), out)
        np.testing.assert_array_equal(out[0], take_crop(picture, matrix, 32))


def test_views_of_pictures_are_taken() -> None:
    picture = noise(60, 60)
    matrix = crop_matrix((20, 30), 90, 32, angle=10)
    expected = take_crop(picture, matrix, 32)
    wide = np.zeros((60, 120, 3), np.uint8)
    wide[:, ::2] = picture
    picture.flags.writeable = False
    for view in (picture, wide[:, ::2]):
        np.testing.assert_array_equal(take_crop(view, matrix, 32), expected)


def test_points_go_there_and_back() -> None:
    points = np.random.default_rng(0).uniform(0, 500, (68, 2))
    matrix = crop_matrix((200, 250), 300, 256, angle=-25, mirror=True)
    np.testing.assert_allclose(to_picture(to_crop(points, matrix), matrix), points, atol=1e-3)
    centre = to_crop([(200, 250)], matrix)
    np.testing.assert_allclose(centre, [[127.5, 127.5]], atol=1e-4)
    # A point right of the centre is left of it in the mirror, and lower after a turn clockwise.
    x, y = to_crop([(210, 250)], matrix)[0]
    assert x < 127.5 and y > 127.5


def test_box_of_points_is_tight_and_leaves_out_what_is_not_known() -> None:
    points = np.array([[3, 9], [np.nan, 1], [7, 4], [5, np.nan]], np.float32)
    assert box_of(points) == (3, 4, 4, 5)
    assert crop_of_box((3, 4, 4, 6), 1.5) == ((5, 7), 9)


def test_box_in_a_detection_is_a_square_about_its_middle() -> None:
    assert points_box((10, 20, 30, 40), (0, 0, 1)) == (5, 20, 40, 40)
    assert points_box((10, 20, 40, 30), (0.1, -0.2, 0.5)) == pytest.approx((24, 17, 20, 20))


@pytest.mark.parametrize("size", [16, 48])
@pytest.mark.parametrize("side", [5.2, 16, 33.3, 47.9, 96.4, 151.7, 400.2])
@pytest.mark.parametrize("centre", [(100.3, 80.9), (3.0, 150.5), (190.2, 4.4), (-60.0, 20.0)])
def test_square_of_whole_pixels_is_cut_like_any_other(
    size: int, side: float, centre: tuple[float, float]
) -> None:
    picture = smooth(160, 200, 25.0)
    whole, whole_side = whole_square(centre, side, size)
    factor = max(1, int(side / size))
    assert abs(whole_side - side) <= factor / 2 and whole_side % factor == 0
    assert np.abs(np.subtract(whole, centre)).max() <= 0.5 + 1e-9
    matrix = crop_matrix(whole, whole_side, size)
    crop = take_crop(picture, matrix, size)
    # A mirrored crop is always warped.
    other = take_crop(picture, crop_matrix(whole, whole_side, size, mirror=True), size)[:, ::-1]
    difference = np.abs(crop.astype(int) - other)
    # At the picture's and at the crop's edge what is outside is blended in or not.
    places = to_picture(np.indices((size, size))[::-1].reshape(2, -1).T, matrix)
    reach = 1 + whole_side / size
    inside = ((places > reach) & (places < (199 - reach, 159 - reach))).all(1)
    outside = ((places < -reach) | (places > (199 + reach, 159 + reach))).any(1)
    inner = np.zeros((size, size), bool)
    inner[1:-1, 1:-1] = True
    assert (difference.reshape(-1, 3)[inside & inner.ravel()] <= 3).all()
    assert (crop.reshape(-1, 3)[outside] == 128).all()


def test_square_far_larger_than_the_picture_needs_no_memory() -> None:
    matrix = crop_matrix(*whole_square((10, 10), 3e5, 64), 64)
    crop = take_crop(np.full((20, 20, 3), 255, np.uint8), matrix, 64)
    assert crop.shape == (64, 64, 3)
