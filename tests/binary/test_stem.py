"""The 8-bit stem: integers, exact sums, straight-through gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.binary import QuantConv2d


def test_forward_is_an_exact_integer_sum_times_the_step() -> None:
    torch.manual_seed(0)
    layer = QuantConv2d(3, 5, 8, 4).eval()
    pixels = torch.randint(0, 256, (2, 3, 23, 27))
    folded = layer.folded()
    weight = folded["weight"].numpy().astype(np.int64)
    assert np.abs(weight).reshape(5, -1).max(1).tolist() == [127] * 5

    centred = pixels.numpy().astype(np.int64) - 128
    windows = np.lib.stride_tricks.sliding_window_view(centred, (8, 8), (2, 3))[:, :, ::4, ::4]
    sums = np.einsum("nchwij,ocij->nohw", windows, weight)
    expected = sums.astype(np.float32) * folded["scale"].numpy()[:, None, None]
    assert np.array_equal(layer(pixels.float()).detach().numpy(), expected)


def test_padding_is_mid_grey() -> None:
    torch.manual_seed(1)
    layer = QuantConv2d(3, 4, 3, padding=1).eval()
    pixels = torch.randint(0, 256, (1, 3, 6, 6)).float()
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), value=128.0)
    bare = QuantConv2d(3, 4, 3).eval()
    bare.load_state_dict(layer.state_dict())
    assert torch.equal(layer(pixels), bare(padded))


def test_rounding_passes_the_gradient() -> None:
    torch.manual_seed(2)
    layer = QuantConv2d(3, 4, 3).double()
    x = torch.randint(0, 256, (1, 3, 5, 5)).double()
    incoming = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    layer(x).backward(incoming)
    expected = torch.nn.grad.conv2d_weight(x - 128, layer.weight.shape, incoming)
    torch.testing.assert_close(layer.weight.grad, expected)


@pytest.mark.parametrize("value", [0.0, 1e-12])
def test_a_channel_of_nothing_stays_finite(value: float) -> None:
    layer = QuantConv2d(3, 2, 3)
    torch.nn.init.constant_(layer.weight, value)
    assert torch.isfinite(layer(torch.full((1, 3, 4, 4), 7.0))).all()
