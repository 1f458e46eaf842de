"""Filters that are fixed, made of shifts or codes, or influence one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from binvision.binary import ACTIVATIONS, LOSSES, WEIGHTS, BinaryConv2d
from binvision.binary.methods.dbf import codes


def kernel_of(*shape: int, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return (torch.randn(shape, dtype=torch.float64) * 0.5).requires_grad_()


# LightNN


@pytest.mark.parametrize("shifts", [1, 2, 3])
def test_shifts(shifts: int) -> None:
    part = WEIGHTS.build({"type": "shifts", "shifts": shifts}, (4, 2, 3, 3))
    kernel = kernel_of(4, 2, 3, 3)
    expected = np.zeros(kernel.shape)
    for place, weight in np.ndenumerate(kernel.detach().numpy()):
        for _ in range(shifts):
            rest = weight - expected[place]
            expected[place] += np.sign(rest) * 2.0 ** np.rint(np.log2(abs(rest)))
    result = part(kernel)
    incoming = torch.randn_like(result)
    result.backward(incoming)
    np.testing.assert_allclose(result.detach(), expected, atol=1e-12)
    assert torch.equal(kernel.grad, incoming)
    if shifts == 1:
        exponents = np.log2(np.abs(result.detach().numpy()))
        np.testing.assert_allclose(exponents, np.rint(exponents), atol=1e-12)


def test_a_weight_of_zero_stays_zero() -> None:
    part = WEIGHTS.build({"type": "shifts", "shifts": 2}, (1, 1, 1, 2))
    assert part(torch.tensor([[[[0.0, 0.5]]]])).tolist() == [[[[0.0, 0.5]]]]


# LBCNN


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_anchors(density: float) -> None:
    part = WEIGHTS.build({"type": "anchor", "density": density}, (6, 4, 3, 3))
    kernel = kernel_of(6, 4, 3, 3).detach()
    for weights, result in zip(kernel.numpy(), part(kernel).numpy(), strict=True):
        order = np.argsort(-np.abs(weights).ravel())[: 36 - round((1 - density) * 36)]
        expected = np.zeros(36)
        expected[order] = np.sign(weights).ravel()[order]
        np.testing.assert_array_equal(result.ravel(), expected)
    signs, factors = part.bases(kernel)
    assert set(signs.unique().tolist()) == {-1, 1}
    np.testing.assert_array_equal((signs * factors.view(2, 6, 1, 1, 1)).sum(0), part(kernel))


def test_anchors_are_never_trained() -> None:
    layer = BinaryConv2d(4, 6, 3, method="lbcnn")
    layer(torch.randn(1, 4, 5, 5)).sum().backward()
    assert not layer.weight.requires_grad and layer.weight.grad is None
    assert layer.shift.grad is not None


def test_anchors_pack_under_signs() -> None:
    layer = BinaryConv2d(4, 6, 3, method={"type": "lbcnn", "activation": "clip"}).eval()
    x = torch.randn(1, 4, 5, 5)
    signs = torch.where(x >= 0, 1.0, -1.0)
    assert torch.allclose(layer(x), F.conv2d(signs, layer.quantizer(layer.weight)), atol=1e-5)
    assert layer.folded()["signs"].shape[0] == 2


# Deterministic binary filters


@pytest.mark.parametrize("shape", [(4, 4, 4), (8, 2, 2), (16, 1, 1)])
def test_codes_are_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = codes(shape, 1.0).flatten(1).double()
    length = int(np.prod(shape))
    assert set(matrix.unique().tolist()) == {-1, 1}
    np.testing.assert_array_equal(matrix @ matrix.t(), length * np.eye(length))
    assert torch.equal(codes(shape, 0.25), codes(shape, 0.25))
    assert len(codes(shape, 0.25)) == length // 4


@pytest.mark.parametrize("binary", [False, True])
def test_filters_of_codes(binary: bool) -> None:
    part = WEIGHTS.build({"type": "codes", "binary": binary}, (5, 3, 3, 3)).double()
    assert part.latent_shape == (5, 16, 1, 1) and part.is_binary == binary
    latent = kernel_of(*part.latent_shape)
    result = part(part.expand(latent))
    incoming = torch.randn_like(result)
    result.backward(incoming)
    basis = codes((3, 3, 3), 0.25).double().numpy().reshape(16, 27) / np.sqrt(27)
    w = latent.detach().numpy().reshape(5, 16) @ basis
    expected = np.where(w >= 0, 1, -1) if binary else w
    slope = (np.abs(w) <= 1) if binary else 1
    np.testing.assert_allclose(result.detach().view(5, 27), expected, atol=1e-6)
    gradient = (incoming.numpy().reshape(5, 27) * slope) @ basis.T
    np.testing.assert_allclose(latent.grad.view(5, 16), gradient, atol=1e-6)


# Yang


def test_thresholds_of_groups() -> None:
    part = ACTIVATIONS.build({"type": "group_threshold", "groups": 3}, 7).double()
    torch.manual_seed(0)
    with torch.no_grad():
        part.threshold.normal_()
    x = torch.randn(2, 7, 4, 4, dtype=torch.float64, requires_grad=True)
    incoming = torch.randn(2, 7, 4, 4, dtype=torch.float64)
    result = part(x)
    result.backward(incoming)
    by_threshold = np.zeros(3)
    for channel in range(7):
        group = channel * 3 // 7
        rest = (x.detach()[:, channel] - part.threshold[group].detach()).numpy()
        passing = incoming[:, channel].numpy() * (np.abs(rest) <= 1)
        by_threshold[group] -= passing.sum()
        np.testing.assert_array_equal(result.detach()[:, channel], np.where(rest >= 0, 1, -1))
        np.testing.assert_allclose(x.grad[:, channel], passing)
        assert part.planes()[0][0, channel] == part.threshold[group]
    np.testing.assert_allclose(part.threshold.grad, by_threshold, atol=1e-12)


# CI-BCNN


def test_influence_of_channels() -> None:
    part = WEIGHTS.build("interacting", (5, 2, 3, 3)).double()
    torch.manual_seed(1)
    with torch.no_grad():
        part.influence.normal_()
    kernel = kernel_of(5, 2, 3, 3)
    result = part(kernel)
    incoming = torch.randn_like(result)
    result.backward(incoming)
    w, u, g = kernel.detach().numpy(), part.influence.detach().numpy().copy(), incoming.numpy()
    np.fill_diagonal(u, 0)
    scaled = np.where(w >= 0, 1, -1) * np.abs(w).mean((1, 2, 3), keepdims=True)
    expected, by_scaled, by_influence = scaled.copy(), g.copy(), np.zeros((5, 5))
    for o in range(5):
        source = np.abs(u[o]).argmax()
        expected[o] += u[o, source] * scaled[source]
        by_scaled[source] += u[o, source] * g[o]
        for p in range(5):
            by_influence[o, p] = (g[o] * scaled[p]).sum() * (o != p)
    by_weight = by_scaled * np.abs(w).mean((1, 2, 3), keepdims=True) * (np.abs(w) <= 1)
    np.testing.assert_allclose(result.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(kernel.grad, by_weight, atol=1e-12)
    np.testing.assert_allclose(part.influence.grad, by_influence, atol=1e-12)
    signs, factors = part.bases(kernel.detach())
    of_bases = (signs * factors.view(2, 5, 1, 1, 1)).sum(0)
    np.testing.assert_allclose(of_bases, expected, atol=1e-12)


# BWNH


def test_inner_products() -> None:
    torch.manual_seed(0)
    layer = BinaryConv2d(3, 4, 3, 2, 1, method="bwnh").double().train()
    torch.nn.init.normal_(layer.shift)
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    layer(x)
    loss = LOSSES["inner_product"](layer)
    loss.backward()
    w = layer.weight.detach().numpy().reshape(4, 27)
    b, a = np.where(w >= 0, 1, -1), layer.scale.rectification.detach().numpy().reshape(4, 1)
    shifted = x.detach() + layer.shift.detach().view(-1, 1, 1)
    windows = F.unfold(shifted, 3, padding=1, stride=2).transpose(1, 2).reshape(-1, 27).numpy()
    error, size = windows @ (w - a * b).T, np.square(windows @ w.T).mean()
    assert abs(loss.item() - np.square(error).mean() / size) < 1e-7
    by_difference = 2 / error.size / size * error.T @ windows
    by_weight = by_difference - a * by_difference * (np.abs(w) <= 1)
    by_scale = -(by_difference * b).sum(1)
    np.testing.assert_allclose(layer.weight.grad.view(4, 27), by_weight, atol=1e-6)
    np.testing.assert_allclose(layer.scale.rectification.grad.view(4), by_scale, atol=1e-6)
    assert x.grad is None
