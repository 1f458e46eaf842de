"""The place of a heat map against the formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from binvision.kernels.soft_argmax import LANES, soft_argmax

Floats = NDArray[np.float64]


def by_formula(maps: NDArray[np.float32], reach: int) -> tuple[Floats, Floats]:
    height, width, count = maps.shape
    rows, columns = np.mgrid[:height, :width]
    places, masses = np.empty((count, 2)), np.empty(count)
    for c in range(count):
        values = maps[..., c].astype(np.float64)
        p = np.exp(values - values.max())
        p /= p.sum()
        x, y = (p * columns).sum(), (p * rows).sum()
        near = (np.abs(columns - np.floor(x + 0.5)) <= reach) & (
            np.abs(rows - np.floor(y + 0.5)) <= reach
        )
        places[c], masses[c] = (x, y), p[near].sum()
    return places, masses


def decode(maps: NDArray[np.float32], reach: int = 2) -> tuple[np.ndarray, np.ndarray]:
    count = maps.shape[2]
    # What is left in the memory from before must not matter.
    sums = np.full((6, -(-count // LANES) * LANES), np.nan, np.float32)
    places = np.full((count, 2), np.nan, np.float32)
    masses = np.full(count, np.nan, np.float32)
    soft_argmax(np.ascontiguousarray(maps, np.float32), reach, sums, places, masses)
    return places, masses


@pytest.mark.parametrize(
    "shape",
    [(64, 64, 68), (32, 32, 14), (1, 1, 1), (1, 7, 3), (5, 3, 16), (7, 11, 17), (2, 2, 98)],
)
@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0, 60.0])
def test_places_and_masses_are_those_of_the_formula(shape: tuple[int, ...], spread: float) -> None:
    maps = (spread * np.random.default_rng(3).normal(size=shape) - 40).astype(np.float32)
    places, masses = decode(maps)
    expected, parts = by_formula(maps, 2)
    np.testing.assert_allclose(places, expected, rtol=1e-5, atol=1e-5)
    # A place between two cells may be rounded to either.
    clear = (np.abs(expected % 1 - 0.5) > 1e-4).all(1)
    np.testing.assert_allclose(masses[clear], parts[clear], rtol=2e-5, atol=1e-6)
    assert (masses <= 1).all()


def test_one_high_cell_is_the_place() -> None:
    maps = np.zeros((6, 9, 20), np.float32)
    maps[4, 7] = 1e4
    places, masses = decode(maps)
    np.testing.assert_array_equal(places, np.tile([7, 4], (20, 1)))
    np.testing.assert_array_equal(masses, 1)


def test_two_high_cells_have_their_middle() -> None:
    maps = np.zeros((9, 9, 2), np.float32)
    maps[1, 2] = maps[1, 8] = 100
    places, masses = decode(maps)
    np.testing.assert_allclose(places, [[5, 1], [5, 1]], rtol=1e-6)
    np.testing.assert_allclose(masses, 0, atol=1e-6)  # neither is near it
    np.testing.assert_allclose(decode(maps, reach=3)[1], 1, rtol=1e-6)


def test_logits_of_any_size_are_taken() -> None:
    maps = np.zeros((4, 4, 3), np.float32)
    for shift in (-1e30, -3e4, 3e4, 1e30):
        places, _ = decode(maps + np.float32(shift))
        np.testing.assert_allclose(places, 1.5)
    maps[0, 0] = np.finfo(np.float32).min
    maps[2, 1] = np.finfo(np.float32).max
    np.testing.assert_array_equal(decode(maps)[0], [[1, 2]] * 3)


@pytest.mark.parametrize("place", [(0, 0), (2, 3), (4, 4)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_not_finite_has_no_place(place: tuple[int, int], value: float) -> None:
    """Wherever it is, and its neighbours keep theirs."""
    maps = np.zeros((5, 5, 18), np.float32)
    maps[place][[3, 17]] = value
    places, masses = decode(maps)
    bad = np.isin(np.arange(18), [3, 17])
    assert np.isnan(places[bad]).all() and (masses[bad] == 0).all()
    np.testing.assert_allclose(places[~bad], 2, rtol=1e-6)
