"""Weights that become binary over the schedule, against their formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.binary import LOSSES, BinaryConv2d


def make_layer(name: str, seed: int, **options: float) -> BinaryConv2d:
    torch.manual_seed(seed)
    method = {"type": name, "weight": {"type": name, **options}}
    layer = BinaryConv2d(6, 4, 3, method=method).double()
    torch.nn.init.normal_(layer.weight, mean=0.1, std=0.7)
    return layer


def project(w: np.ndarray) -> np.ndarray:
    return np.abs(w).sum() / w.size * np.where(w >= 0, 1.0, -1.0)


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.59, 0.6, 1.0])
def test_relaxed_weights(progress: float) -> None:
    layer = make_layer("binary_relax", 1, until=0.6, growth=50)
    layer.quantizer.progress.fill_(progress)
    w = layer.weight.detach().numpy()
    strength = 50 ** (progress / 0.6)
    expected = (strength * project(w) + w) / (strength + 1) if progress < 0.6 else project(w)
    incoming = torch.randn_like(layer.weight)
    quantized = layer.binarize_weight()
    (quantized * incoming).sum().backward()
    np.testing.assert_allclose(quantized.detach(), expected, rtol=1e-7)
    np.testing.assert_allclose(layer.weight.grad, incoming)
    layer.eval()
    np.testing.assert_allclose(layer.binarize_weight().detach(), project(w), rtol=1e-12)


def test_relaxed_weights_are_what_the_penalty_asks_for() -> None:
    """The relaxed kernel minimises ||w - W||^2 / 2 + lambda ||w - q(W)||^2 / 2."""
    layer = make_layer("binary_relax", 2, until=1.0, growth=9)
    layer.quantizer.progress.fill_(0.5)
    w, q = layer.weight.detach(), torch.from_numpy(project(layer.weight.detach().numpy()))
    relaxed = layer.binarize_weight().detach().requires_grad_()
    (0.5 * (relaxed - w).square().sum() + 1.5 * (relaxed - q).square().sum()).backward()
    assert relaxed.grad.abs().max() < 1e-6


def test_alternating_directions() -> None:
    """Copy, dual variable and penalty over some steps with a moving W, restated."""
    layer = make_layer("admm", 3, until=0.5, period=3)
    quantizer = layer.quantizer
    rng = np.random.default_rng(4)
    goal, dual = np.zeros(layer.weight.shape), np.zeros(layer.weight.shape)
    assert LOSSES["admm"](layer) == 0
    for step in range(12):
        progress = step / 20
        quantizer.progress.fill_(progress)
        with torch.no_grad():
            layer.weight += torch.from_numpy(0.1 * rng.normal(size=layer.weight.shape))
            w = layer.weight.numpy().copy()
            assert torch.equal(layer.binarize_weight(), torch.from_numpy(w)) == (progress < 0.5)
            quantizer.after_step(layer.weight)
        if step % 3 == 0 and progress < 0.5:
            goal = project(w + dual)
            dual = dual + w - goal
        np.testing.assert_allclose(quantizer.goal, goal, atol=1e-12)
        np.testing.assert_allclose(quantizer.dual, dual, atol=1e-12)
        layer.zero_grad()
        loss = LOSSES["admm"](layer)
        loss.backward()
        residual = (w - goal + dual) * (progress < 0.5)
        np.testing.assert_allclose(loss.item(), (residual**2).sum() / 2, rtol=1e-12)
        np.testing.assert_allclose(layer.weight.grad, residual, atol=1e-12)


def test_alternating_directions_reach_binary_weights() -> None:
    """Where the loss is quadratic, W and its copy come to agree."""
    layer = make_layer("admm", 5, until=1.0, period=5)
    layer.quantizer.progress.fill_(0.0)
    aim = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    for _ in range(400):
        loss = 0.5 * (layer.weight - aim).square().sum() + 2 * LOSSES["admm"](layer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            layer.quantizer.after_step(layer.weight)
    w = layer.weight.detach().numpy()
    np.testing.assert_allclose(w, project(w), atol=0.02)


def test_a_checkpoint_keeps_the_state_of_the_alternation() -> None:
    layer, other = make_layer("admm", 6), make_layer("admm", 7)
    layer.quantizer.progress.fill_(0.1)
    with torch.no_grad():
        layer.quantizer.after_step(layer.weight)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.quantizer.dual, layer.quantizer.dual) and other.quantizer.steps == 1
    assert other.quantizer.progress == 1  # not in a schedule: binary


@pytest.mark.parametrize("name", ["binary_relax", "admm"])
def test_methods_export_signs(name: str) -> None:
    layer = make_layer(name, 8)
    signs, scale = layer.signs()
    product = scale.view(-1, 1, 1, 1) * signs
    np.testing.assert_allclose(product, project(layer.weight.detach().numpy()), rtol=1e-12)
