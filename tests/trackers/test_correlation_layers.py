"""Correlation layers against their sums, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.trackers.correlation_layers import ChannelCorrelation, PixelCorrelation


@pytest.mark.parametrize(("side", "stride", "size"), [(7, 2, 13), (7, 2, 12), (3, 1, 5), (1, 3, 7)])
def test_channels_are_correlated_one_by_one(side: int, stride: int, size: int) -> None:
    rng = np.random.default_rng(side)
    x, z = rng.normal(size=(2, 3, size, size)), rng.normal(size=(2, 3, side, side))

    found = ChannelCorrelation(stride)(torch.from_numpy(x), torch.from_numpy(z))

    padded = np.pad(x, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
    places = range(0, size, stride)
    expected = np.array(
        [
            [
                [[(padded[n, c, i : i + side, j : j + side] * z[n, c]).mean() for j in places]
                 for i in places]
                for c in range(3)
            ]
            for n in range(2)
        ]
    )  # fmt: skip
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_pixels_are_correlated_each_with_each() -> None:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(2, 5, 2, 2))

    found = PixelCorrelation()(torch.from_numpy(x), torch.from_numpy(z)).numpy()

    expected = np.einsum("ncab,ncij->nabij", z, x).reshape(2, 4, 4, 3) / 5
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
