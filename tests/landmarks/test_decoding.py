"""From cells of a map to pixels of a crop."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.errors import ModelError
from binvision.landmarks.decoding import Decoder


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_a_cell_is_at_the_middle_of_its_pixels(stride: int) -> None:
    """Cell j of a convolution with this stride is made from pixels j * stride and following."""
    maps = np.zeros((4, 6, 3), np.float32)
    maps[2, 5] = 1000
    points, confidences = Decoder(stride)(maps)
    middle = np.arange(stride).mean()
    np.testing.assert_allclose(points, [[5 * stride + middle, 2 * stride + middle]] * 3)
    np.testing.assert_array_equal(confidences, 1)


def test_confidence_is_the_part_near_the_point() -> None:
    maps = np.zeros((32, 32, 2), np.float32)
    maps[10, 10, 0] = np.log(32 * 32 - 1)  # half of the whole
    points, confidences = Decoder(4)(maps)
    assert confidences[1] == pytest.approx(25 / 1024)
    # The other half has its middle at 15.5, so the point is between both, far from the peak.
    assert points[0, 0] == pytest.approx(4 * ((10 + 15.5) / 2 + 0.5) - 0.5, abs=0.02)
    assert confidences[0] < 0.02
    maps[10, 10, 0] = 100
    assert Decoder(4)(maps)[1][0] == pytest.approx(1)


def test_maps_of_different_sizes_and_orders_in_memory_are_taken() -> None:
    decode = Decoder(2)
    rng = np.random.default_rng(1)
    for shape in ((4, 4, 68), (8, 3, 5), (4, 4, 68)):
        maps = rng.normal(size=shape).astype(np.float32)
        turned = np.asfortranarray(maps)
        np.testing.assert_array_equal(decode(turned)[0], Decoder(2)(maps)[0])


def test_maps_that_are_not_finite_are_refused() -> None:
    maps = np.zeros((4, 4, 2), np.float32)
    maps[1, 1, 1] = np.nan
    with pytest.raises(ModelError, match="the network's output is not finite"):
        Decoder(4)(maps)
