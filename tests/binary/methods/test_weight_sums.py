"""Kernels of several levels against their papers' formulas, one filter after another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from binvision.binary import WEIGHTS, WeightQuantizer
from binvision.binary.methods.qnn import _STEPS
from binvision.binary.methods.tsq import ternary


def of_bases(part: WeightQuantizer, kernel: torch.Tensor) -> np.ndarray:
    signs, factors = part.bases(kernel)
    assert set(signs.unique().tolist()) <= {-1, 1}
    assert factors.shape == (len(signs), 1, len(kernel))
    return (signs * factors.view(len(signs), -1, 1, 1, 1)).sum(0).numpy()


def kernel_of(seed: int, *shape: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64) * 0.3


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_uniform_weights(bits: int) -> None:
    part = WEIGHTS.build({"type": "uniform", "bits": bits}, (4, 3, 3, 3))
    kernel, count = kernel_of(bits, 4, 3, 3, 3).requires_grad_(), 2**bits - 1
    spacing = {1: 1.596, 2: 0.9957, 3: 0.586, 4: 0.3352}[bits]
    expected, inside = np.empty((4, 27)), np.empty((4, 27))
    for o, weights in enumerate(kernel.detach().numpy().reshape(4, 27)):
        step = spacing / 2 * np.sqrt(np.mean(weights**2))
        levels = step * np.arange(-count, count + 1, 2)
        for i, weight in enumerate(weights):
            expected[o, i] = levels[np.abs(levels - weight).argmin()]
            inside[o, i] = abs(weight) <= step * (count + 1)
    result = part(kernel)
    result.sum().backward()
    np.testing.assert_allclose(result.detach().view(4, 27), expected, atol=1e-12)
    np.testing.assert_array_equal(kernel.grad.view(4, 27), inside)
    np.testing.assert_allclose(of_bases(part, kernel.detach()).reshape(4, 27), expected, atol=1e-12)
    assert len(part.bases(kernel)[0]) == bits


def test_the_spacing_is_the_best_for_normal_weights() -> None:
    x = np.random.default_rng(0).normal(size=200_000)
    for bits, spacing in _STEPS.items():
        count = 2**bits - 1

        def error(step: float, count: int = count) -> float:
            code = np.clip(2 * np.floor(x / step) + 1, -count, count)
            return np.square(code * step / 2 - x).mean()

        assert error(spacing) < min(error(spacing * 1.06), error(spacing * 0.94))


def test_ternary_weights_are_a_fixed_point_near_the_best() -> None:
    kernel = kernel_of(5, 6, 1, 2, 4)
    codes, alpha = ternary(kernel)
    for weights, code, scale in zip(kernel, codes, alpha.flatten(), strict=True):
        w, t = weights.flatten().numpy(), code.flatten().numpy()
        np.testing.assert_array_equal(t, np.sign(w) * (np.abs(w) > scale.item() / 2))
        assert abs(scale.item() - w @ t / (t @ t)) < 1e-12
        best = min(
            np.square(w - (w @ c) / (c @ c) * c).sum()
            for c in map(np.array, itertools.product((-1.0, 0.0, 1.0), repeat=8))
            if c.any()
        )
        assert np.square(w - scale.item() * t).sum() < 1.3 * best


def test_ternary_gradient_and_bases() -> None:
    part, kernel = WEIGHTS.build("ternary", (4, 3, 3, 3)), kernel_of(2, 4, 3, 3, 3)
    kernel.requires_grad_()
    result = part(kernel)
    incoming = torch.randn_like(result)
    result.backward(incoming)
    assert torch.equal(kernel.grad, incoming)
    np.testing.assert_allclose(of_bases(part, kernel.detach()), result.detach(), atol=1e-12)
    assert 0.2 < (result == 0).double().mean() < 0.6


def test_a_filter_of_zeros() -> None:
    for spec in ("ternary", {"type": "uniform", "bits": 2}):
        part = WEIGHTS.build(spec, (2, 1, 3, 3))
        assert np.abs(of_bases(part, torch.zeros(2, 1, 3, 3))).max() < 1e-9
