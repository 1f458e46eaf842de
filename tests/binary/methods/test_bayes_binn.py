"""Samples of binary weights against their formula and their distribution."""

from __future__ import annotations

import numpy as np
import torch

from binvision.binary import BinaryConv2d


def make_layer(seed: int, progress: float, **options: float) -> BinaryConv2d:
    torch.manual_seed(seed)
    method = {"type": "bayes_binn", "weight": {"type": "bayes_binn", **options}}
    layer = BinaryConv2d(6, 4, 3, method=method).double()
    torch.nn.init.normal_(layer.weight, std=1.5)
    layer.quantizer.progress.fill_(progress)
    return layer


def test_a_sample_and_its_gradient() -> None:
    layer = make_layer(1, 0.2, temperature=0.4)
    incoming = torch.randn_like(layer.weight)
    torch.manual_seed(2)
    sample = layer.binarize_weight()
    torch.manual_seed(2)
    u = torch.rand_like(layer.weight).numpy()
    v = layer.weight.detach().numpy()
    expected = np.tanh((v + 0.5 * np.log(u / (1 - u))) / 0.4)
    np.testing.assert_allclose(sample.detach(), expected, atol=1e-9)
    (sample * incoming).sum().backward()
    np.testing.assert_allclose(
        layer.weight.grad, incoming.numpy() * (1 - expected**2) / 0.4, atol=1e-9
    )


def test_signs_of_samples_are_as_often_positive_as_they_should() -> None:
    """P(w = 1) = 1 / (1 + exp(-2 v)), the Bernoulli distribution with natural parameter v."""
    layer = make_layer(3, 0.0)
    v = torch.linspace(-2, 2, layer.weight.numel()).view_as(layer.weight).double()
    with torch.no_grad():
        share = sum((layer.quantizer(v) > 0).double() for _ in range(4000)) / 4000
    np.testing.assert_allclose(share, torch.sigmoid(2 * v), atol=5 * 0.5 / 4000**0.5)


def test_the_mode_is_taken_at_the_end_and_in_evaluation() -> None:
    for layer in (make_layer(4, 0.95), make_layer(4, 0.1).eval()):
        v = layer.weight.detach().numpy()
        weights = layer.binarize_weight()
        np.testing.assert_allclose(weights.detach(), np.where(v >= 0, 1, -1), atol=1e-12)
        weights.sum().backward()
        slope = (1 - np.tanh(v / 0.5) ** 2) / 0.5
        np.testing.assert_allclose(layer.weight.grad, slope, atol=1e-12)


def test_extreme_uniform_samples_are_finite(monkeypatch: object) -> None:
    layer = make_layer(5, 0.0)
    for value in (0.0, 1.0):
        monkeypatch.setattr(  # type: ignore[attr-defined]
            torch, "rand_like", lambda x, value=value: torch.full_like(x, value)
        )
        assert torch.isfinite(layer.binarize_weight()).all()
