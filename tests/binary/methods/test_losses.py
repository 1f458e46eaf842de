"""Losses of methods and their gradients, restated in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.binary import LOSSES, BinaryConv2d, auxiliary_losses


def make_layer(name: str, seed: int) -> BinaryConv2d:
    torch.manual_seed(seed)
    layer = BinaryConv2d(6, 4, 3, padding=1, method=name).double()
    torch.nn.init.normal_(layer.weight, mean=0.1, std=0.7)
    torch.nn.init.normal_(layer.shift, std=0.3)
    return layer


def signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0)


def passes(values: np.ndarray) -> np.ndarray:
    return (np.abs(values) <= 1).astype(float)


def seen(layer: BinaryConv2d, seed: int, spread: float = 1.0) -> tuple[torch.Tensor, np.ndarray]:
    """Run the layer on an input; returns that, and what the sign reads."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(3, 6, 5, 4)) * spread + rng.normal(size=(6, 1, 1)))
    layer(x.requires_grad_())
    return x, (x + layer.shift.view(-1, 1, 1)).detach().numpy()


def test_distance_of_kernels() -> None:
    layer = make_layer("quantization_loss", 1)
    loss = LOSSES["quantization"](layer)
    loss.backward()
    w = layer.weight.detach().numpy()
    total, gradient = 0.0, np.empty_like(w)
    for o, kernel in enumerate(w):
        alpha = np.abs(kernel).sum() / kernel.size
        gradient[o] = kernel - alpha * signs(kernel)
        total += (gradient[o] ** 2).sum() / 2
    np.testing.assert_allclose(loss.item(), total, rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, gradient, atol=1e-12)


def test_distance_of_kernels_is_least_at_its_scale() -> None:
    """No other scale is nearer, so alpha adds nothing to the gradient."""
    w = make_layer("quantization_loss", 2).weight.detach().numpy()[0]
    alpha = np.abs(w).mean()
    errors = [((w - a * signs(w)) ** 2).sum() for a in (alpha, 0.99 * alpha, 1.01 * alpha)]
    assert errors[0] < min(errors[1:])


def test_distance_of_activations() -> None:
    layer = make_layer("quantization_loss", 3)
    x, z = seen(layer, 4)
    loss = LOSSES["activation_quantization"](layer)
    loss.backward()
    error = np.empty_like(z)
    for c in range(6):
        error[:, c] = z[:, c] - np.abs(z[:, c]).mean() * signs(z[:, c])
    np.testing.assert_allclose(loss.item(), (error**2).mean() / 2, rtol=1e-12)
    np.testing.assert_allclose(x.grad, error / error.size, atol=1e-14)
    np.testing.assert_allclose(layer.shift.grad, (error / error.size).sum((0, 2, 3)), atol=1e-14)


@pytest.mark.parametrize("spread", [0.1, 1.0, 9.0])
def test_distribution(spread: float) -> None:
    """Narrow, usual and wide inputs, so that each of the three terms is at work."""
    layer = make_layer("bnn_dl", 5)
    x, z = seen(layer, 6, spread)
    loss = LOSSES["distribution"](layer)
    loss.backward()
    total, gradient, worked = 0.0, np.zeros_like(z), set()
    count = z[:, 0].size
    for c in range(6):
        values = z[:, c]
        m = values.sum() / count
        s = np.sqrt(((values - m) ** 2).sum() / count + 1e-10)
        by_m = by_s = 0.0
        if m * m > s * s:
            total, by_m, by_s = total + m * m - s * s, 2 * m, -2 * s
            worked.add("degeneration")
        if s > 4:
            total, by_s = total + (s - 4) ** 2, by_s + 2 * (s - 4)
            worked.add("saturation")
        if 2 - abs(m) - s > 0:
            gap = 2 - abs(m) - s
            total, by_m, by_s = total + gap**2, by_m - 2 * gap * np.sign(m), by_s - 2 * gap
            worked.add("mismatch")
        gradient[:, c] = (by_m / count + by_s * (values - m) / (count * s)) / 6
    assert worked >= {0.1: {"degeneration", "mismatch"}, 1.0: set(), 9.0: {"saturation"}}[spread]
    np.testing.assert_allclose(loss.item(), total / 6, rtol=1e-9)
    np.testing.assert_allclose(x.grad, gradient, atol=1e-11)


def test_distribution_of_a_constant_has_a_gradient() -> None:
    layer = make_layer("bnn_dl", 5)
    x = torch.zeros(2, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    layer(x)
    LOSSES["distribution"](layer).backward()
    assert torch.isfinite(x.grad).all()


def test_projection() -> None:
    """PCNN: forward, gradients of kernel and projection, and the loss."""
    layer = make_layer("pcnn", 7)
    projection = layer.quantizer.projection
    torch.nn.init.uniform_(projection, 0.4, 1.6)
    incoming = torch.randn(4, 6, 3, 3, dtype=torch.float64)
    (layer.binarize_weight() * incoming).sum().backward()
    w, p, g = layer.weight.detach().numpy(), projection.detach().numpy(), incoming.numpy()
    alpha = np.abs(w).sum() / w.size
    passing = alpha * g * passes(p * w)
    np.testing.assert_allclose(
        layer.binarize_weight().detach(), alpha * signs(p.mean() * w), atol=1e-12
    )
    np.testing.assert_allclose(layer.weight.grad, passing * p, atol=1e-12)
    np.testing.assert_allclose(
        projection.grad, (passing * w).sum((0, 1), keepdims=True), atol=1e-12
    )

    layer.zero_grad()
    loss = LOSSES["projection"](layer)
    loss.backward()
    error = alpha * signs(w) - p * w
    np.testing.assert_allclose(loss.item(), (error**2).sum() / 2, rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, -error * p, atol=1e-12)
    np.testing.assert_allclose(projection.grad, -(error * w).sum((0, 1), keepdims=True), atol=1e-12)


def test_a_negative_projection_turns_the_signs() -> None:
    layer = make_layer("pcnn", 8).eval()
    x = torch.randn(1, 6, 5, 5, dtype=torch.float64)
    before = layer(x)
    torch.nn.init.constant_(layer.quantizer.projection, -0.5)
    assert torch.allclose(layer(x), -before)
    assert torch.equal(layer.folded()["signs"][0], -torch.sign(layer.weight).to(torch.int8))


def test_bayesian_kernels() -> None:
    layer = make_layer("bonn", 9)
    torch.nn.init.uniform_(layer.scale.rectification, 0.2, 1.0)
    loss = LOSSES["bayesian_kernel"](layer)
    loss.backward()
    w, c = layer.weight.detach().numpy(), layer.scale.rectification.detach().numpy()
    slope = np.maximum(0, 2 - 2 * np.abs(w))
    total, gradient = 0.0, np.empty_like(w)
    for o, kernel in enumerate(w):
        mu = np.abs(kernel).mean()
        psi = ((np.abs(kernel) - mu) ** 2).mean()
        error = c[o] * signs(kernel) - kernel
        spread = kernel - signs(kernel) * mu
        total += (error**2).sum() / 2
        total += 1e-3 / 2 * ((spread**2).sum() / psi + kernel.size * np.log(psi))
        gradient[o] = error * (c[o] * slope[o] - 1) + 1e-3 * spread / psi
    np.testing.assert_allclose(loss.item(), total, rtol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, gradient, atol=1e-12)
    np.testing.assert_allclose(
        layer.scale.rectification.grad,
        ((c * signs(w) - w) * signs(w)).sum((1, 2, 3), keepdims=True),
        atol=1e-12,
    )


def test_equal_magnitudes_have_a_finite_prior() -> None:
    layer = make_layer("bonn", 10)
    with torch.no_grad():
        layer.weight.copy_(0.3 * torch.sign(layer.weight))
    loss = LOSSES["bayesian_kernel"](layer)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(layer.weight.grad).all()


def test_gathered_kernels_are_not_pulled_harder_than_by_their_reconstruction() -> None:
    """Modes as narrow as the weights would pull ever harder, and no weight would turn its sign."""
    layer = make_layer("bonn", 10)
    with torch.no_grad():
        layer.weight.mul_(1e-3).add_(0.03 * torch.sign(layer.weight))
    (LOSSES["bayesian_kernel"](layer) - LOSSES["kernel"](layer)).backward()
    w = layer.weight.detach().numpy()
    spread = w - signs(w) * np.abs(w).mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(layer.weight.grad, spread, atol=1e-12)


@pytest.mark.parametrize("name", ["quantization_loss", "bnn_dl", "pcnn", "bonn"])
def test_losses_are_collected_under_autocast(name: str) -> None:
    layer = BinaryConv2d(6, 4, 3, method=name)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(torch.randn(2, 6, 5, 5).bfloat16())
        losses = auxiliary_losses(layer)
    assert set(losses) == {f"loss_{loss}" for loss in layer.method.losses}
    (y.float().sum() + sum(losses.values())).backward()
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())
    assert torch.isfinite(layer.weight.grad).all()
