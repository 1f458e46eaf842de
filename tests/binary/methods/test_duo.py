"""BinaryDuo: a ternary activation first, two binary ones of the same function after it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from binvision.backbones.duo import DuoBlock
from binvision.binary import BinaryConv2d


def make_block(seed: int, progress: float) -> DuoBlock:
    torch.manual_seed(seed)
    block = DuoBlock(4, 8, 2, "binary_duo").double()
    block.conv.quantizer.progress.fill_(progress)
    return block


def share(layer: BinaryConv2d) -> None:
    with torch.no_grad():
        layer.quantizer.after_step(layer.weight)


def test_a_shared_kernel_has_the_mean_of_the_gradients() -> None:
    layer = make_block(1, 0.5).conv
    torch.nn.init.normal_(layer.weight, std=1.2)
    incoming = np.random.default_rng(2).normal(size=layer.weight.shape)
    quantized = layer.binarize_weight()
    (quantized * torch.from_numpy(incoming)).sum().backward()
    w = layer.weight.detach().numpy()
    mean = (w[:, :4] + w[:, 4:]) / 2
    half = np.where(mean >= 0, 1.0, -1.0)
    np.testing.assert_array_equal(quantized.detach(), np.concatenate([half, half], 1))
    by_mean = (incoming[:, :4] + incoming[:, 4:]) * (np.abs(mean) <= 1) / 2
    np.testing.assert_allclose(layer.weight.grad, np.concatenate([by_mean, by_mean], 1), atol=1e-12)
    share(layer)
    np.testing.assert_allclose(layer.weight.detach(), np.concatenate([mean, mean], 1))


def test_the_coupled_block_has_ternary_activations() -> None:
    block = make_block(3, 0.1).train()
    share(block.conv)
    x = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    ternary = (x > 0.5).double() - (x < -0.5).double()
    kernel = torch.where(block.conv.weight[:, :4] >= 0, 1.0, -1.0).double()
    y = F.conv2d(2 * ternary, kernel, stride=2, padding=1)
    np.testing.assert_allclose(block.conv(torch.cat([x, x], 1)).detach(), y, atol=1e-12)


def test_parting_changes_nothing_at_first() -> None:
    block = make_block(4, 0.59).train()
    share(block.conv)
    x = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    before = block.conv(torch.cat([x, x], 1))
    block.conv.quantizer.progress.fill_(0.6)
    assert torch.equal(block.conv(torch.cat([x, x], 1)), before)
    with torch.no_grad():
        block.conv.weight[:, :4] *= -1
    share(block.conv)  # no longer
    assert torch.equal(block.conv.weight[:, :4], -block.conv.weight[:, 4:])


def test_an_odd_number_of_channels_shares_nothing() -> None:
    layer = BinaryConv2d(3, 4, 3, method="binary_duo")
    layer.quantizer.progress.fill_(0.0)
    before = layer.weight.detach().clone()
    share(layer)
    assert torch.equal(layer.weight, before)
    assert torch.equal(layer.binarize_weight(), torch.where(before >= 0, 1.0, -1.0))
