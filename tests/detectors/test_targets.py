"""Targets of pictures that can be computed by hand, and of random ones against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from binvision.detectors.targets import Targets, encode


def targets_of(
    boxes: list[list[float]],
    labels: list[int] | None = None,
    ignore: list[bool] | None = None,
    classes: int = 2,
    size_hw: tuple[int, int] = (64, 96),
    stride: int = 8,
) -> Targets:
    return encode(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels or [0] * len(boxes), np.int64),
        np.array(ignore or [False] * len(boxes), bool),
        classes,
        size_hw,
        stride,
    )


def test_no_object() -> None:
    targets = targets_of([])
    assert targets.centres.shape == (2, 8, 12) and targets.centres.dtype == np.float32
    assert targets.boxes.shape == (4, 8, 12) and targets.weights.shape == (8, 12)
    assert not targets.centres.any() and not targets.weights.any()


def test_a_small_object_has_one_cell() -> None:
    # Centre (43, 21) is in row 2, column 5; .54 * 5 and .54 * 4 reach no further cell of 8 pixels.
    targets = targets_of([[38, 17, 10, 8]], labels=[1])
    assert np.argwhere(targets.centres).tolist() == [[1, 2, 5]]
    assert targets.centres[1, 2, 5] == 1
    assert np.argwhere(targets.weights).tolist() == [[2, 5]]
    assert targets.weights[2, 5] == pytest.approx(1 + math.log(1 + 80 / 64))
    assert targets.boxes[:, 2, 5].tolist() == [38, 17, 48, 25]


def test_a_large_object_has_a_gaussian() -> None:
    # 64x32 at (16, 16): centre (48, 32) is the corner of row 4, column 6; .54 * 32 / 8 = 2.16
    # cells to the sides, .54 * 16 / 8 = 1.08 up and down.
    targets = targets_of([[16, 16, 64, 32]], classes=1)
    expected = np.zeros((8, 12))
    for row in range(3, 6):
        for column in range(4, 9):
            x, y = (column - 6) / (5 / 6), (row - 4) / (3 / 6)
            expected[row, column] = math.exp(-(x**2 + y**2) / 2)
    np.testing.assert_allclose(targets.centres[0], expected, rtol=1e-6)
    total = 1 + math.log(1 + 64 * 32 / 64)
    np.testing.assert_allclose(targets.weights, expected / expected.sum() * total, rtol=1e-5)
    assert (targets.boxes[:, expected > 0].T == [16, 16, 80, 48]).all()


@pytest.mark.parametrize("stride", [4, 8])
def test_objects_at_the_border(stride: int) -> None:
    targets = targets_of([[0, 0, 6, 64], [90, 58, 6, 6]], stride=stride)
    rows, columns = 64 // stride, 96 // stride
    assert targets.centres[0, rows // 2, 3 // stride] == 1
    assert targets.centres[0, rows - 1, columns - 1] == 1
    # A box that ends with the picture, its centre rounded onto the edge.
    targets = targets_of([[95.999, 63.999, 0.001, 0.001]], stride=stride)
    assert targets.centres[0, rows - 1, columns - 1] == 1


def test_cells_belong_to_the_smallest_object() -> None:
    large, small = [0, 0, 96, 64], [40, 24, 16, 16]  # both with their centre in row 4, column 6
    for order in ([large, small], [small, large]):
        targets = targets_of(order, labels=[order.index(large), order.index(small)])
        assert targets.boxes[:, 4, 6].tolist() == [40, 24, 56, 40]
        assert targets.boxes[:, 4, 8].tolist() == [0, 0, 96, 64]
        assert (targets.centres[:, 4, 6] == 1).all()
        # .54 * 8 / 8 reaches no further cell.
        assert targets.weights[4, 6] == pytest.approx(1 + math.log(1 + 16 * 16 / 64), rel=1e-5)


def test_two_of_a_class_keep_the_greater_value() -> None:
    boxes = [[0, 16, 64, 32], [32, 16, 64, 32]]
    both = targets_of(boxes, classes=1).centres
    apart = [targets_of([box], classes=1).centres for box in boxes]
    assert np.array_equal(both, np.maximum(*apart))


def test_regions_to_be_ignored_are_not_judged_in_any_class() -> None:
    # 40x24 at (20, 10) touches columns 2 to 7 and rows 1 to 4.
    targets = targets_of([[20, 10, 40, 24]], ignore=[True])
    expected = np.zeros((2, 8, 12))
    expected[:, 1:5, 2:8] = -1
    assert np.array_equal(targets.centres, expected)
    assert not targets.weights.any()


@pytest.mark.parametrize("inner", [[24, 12, 8, 8], [0, 0, 80, 60]])
def test_objects_in_ignored_regions_are_judged_and_leave_the_rest(inner: list[float]) -> None:
    """Whether the object is the smaller or the greater of the two."""
    region = [20, 10, 40, 24]
    alone = targets_of([inner])
    for boxes, ignore in ([region, inner], [True, False]), ([inner, region], [False, True]):
        targets = targets_of(boxes, ignore=ignore)
        expected = alone.centres.copy()
        expected[:, 1:5, 2:8][expected[:, 1:5, 2:8] == 0] = -1
        assert (expected == -1).any()
        assert np.array_equal(targets.centres, expected)
        assert np.array_equal(targets.weights, alone.weights)


def test_ignored_regions_beyond_the_last_cell() -> None:
    targets = targets_of([[90, 60, 6, 4]], ignore=[True])
    assert np.argwhere(targets.centres[0] == -1).tolist() == [[7, 11]]


@pytest.mark.parametrize("seed", range(3))
def test_random_pictures_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size_hw, stride, classes = (64, 96), 4, 3
    sides = rng.uniform(3, 50, (7, 2))
    corners = rng.uniform(0, 1, (7, 2)) * (np.array(size_hw[::-1]) - sides)
    boxes = np.hstack([corners, sides]).astype(np.float32)
    labels, ignore = rng.integers(0, classes, 7), rng.random(7) < 0.2
    targets = encode(boxes, labels, ignore, classes, size_hw, stride)

    centres = np.zeros((classes, 16, 24))
    owner = np.full((16, 24), -1)
    bells = np.zeros((7, 16, 24))
    for index, (x, y, w, h) in enumerate(boxes.astype(np.float64)):
        middle = math.floor((y + h / 2) / stride), math.floor((x + w / 2) / stride)
        reach = math.floor(0.54 * h / 2 / stride), math.floor(0.54 * w / 2 / stride)
        for cell in np.ndindex(16, 24):
            away = [abs(cell[axis] - middle[axis]) for axis in (0, 1)]
            if ignore[index] or away[0] > reach[0] or away[1] > reach[1]:
                continue
            sigma = [(2 * reach[axis] + 1) / 6 for axis in (0, 1)]
            bell = math.exp(-sum((a / s) ** 2 for a, s in zip(away, sigma, strict=True)) / 2)
            bells[index][cell] = bell
            centres[labels[index]][cell] = max(centres[labels[index]][cell], bell)
            if owner[cell] < 0 or w * h < boxes[owner[cell], 2] * boxes[owner[cell], 3]:
                owner[cell] = index
    for index in np.flatnonzero(ignore):
        x, y, w, h = boxes[index].astype(np.float64)
        for label, row, column in np.ndindex(classes, 16, 24):
            overlaps = x < (column + 1) * stride and column * stride < x + w
            overlaps &= y < (row + 1) * stride and row * stride < y + h
            if overlaps and centres[label, row, column] == 0:
                centres[label, row, column] = -1
    np.testing.assert_allclose(targets.centres, centres, rtol=1e-5)
    for cell in np.ndindex(16, 24):
        index = owner[cell]
        if index < 0:
            assert targets.weights[cell] == 0
            continue
        x, y, w, h = boxes[index].astype(np.float64)
        assert targets.boxes[:, cell[0], cell[1]] == pytest.approx([x, y, x + w, y + h])
        total = 1 + math.log(1 + w * h / stride**2)
        expected = bells[index][cell] / bells[index].sum() * total
        assert targets.weights[cell] == pytest.approx(expected, rel=1e-4)
