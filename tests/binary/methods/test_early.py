"""Early methods, estimators and scales against their papers' formulas in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from binvision.backbones import build_backbone
from binvision.binary import WEIGHTS, BinaryConv2d, BinaryLinear, ShiftBatchNorm2d, WeightQuantizer
from binvision.binary.methods.binary_connect import BinaryConnectWeight
from binvision.binary.methods.bireal import MagnitudeAwareWeight
from binvision.binary.methods.bitwise import BitwiseActivation, BitwiseWeight
from binvision.binary.methods.dsq import DsqActivation, DsqWeight
from binvision.binary.methods.late_clipping import LateClipActivation, LateClipWeight
from binvision.binary.methods.lq_nets import LqActivation, LqWeight
from binvision.binary.methods.xnor import ScaledSign
from binvision.binary.norms import nearest_power
from binvision.errors import ConfigError
from binvision.training.shift_adamax import ShiftAdaMax

SHAPE = (4, 3, 3, 3)


def signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0)


def draw(seed: int, *shape: int, deviation: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, shape or SHAPE)


def run(
    part: Callable[[torch.Tensor], torch.Tensor], x: np.ndarray, incoming: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Value and gradient of the input."""
    tensor = torch.from_numpy(x).requires_grad_()
    y = part(tensor)
    y.backward(torch.from_numpy(incoming))
    return y.detach().numpy(), tensor.grad.numpy()


def of_bases(part: WeightQuantizer, kernel: np.ndarray) -> np.ndarray:
    bases, factors = part.bases(torch.from_numpy(kernel))
    assert bases.shape[0] == 1 and factors.shape == (1, 1, len(kernel))
    return (bases[0] * factors[0, 0].view(-1, 1, 1, 1)).detach().numpy()


# BinaryConnect


def test_binaryconnect_keeps_weights_within_glorots_bound() -> None:
    part = BinaryConnectWeight((8, 3, 5, 5))
    bound = math.sqrt(6 / (8 * 25 + 3 * 25)) / 2
    assert part.bound == pytest.approx(bound)
    latent = torch.empty(8, 3, 5, 5)
    part.start(latent)
    assert latent.abs().max() <= bound and latent.abs().max() > 0.95 * bound
    assert latent.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    latent[0, 0, 0] = torch.tensor([-9.0, -bound / 2, 0.0, bound / 2, 9.0])
    part.after_step(latent)
    expected = torch.tensor([-bound, -bound / 2, 0.0, bound / 2, bound])
    assert torch.allclose(latent[0, 0, 0], expected)


def test_binaryconnect_deterministic() -> None:
    part, kernel, incoming = BinaryConnectWeight(SHAPE).double(), draw(1), draw(2)
    kernel[0, 0, 0] = [0.0, -0.0, 3.0]
    y, gradient = run(part, kernel, incoming)
    np.testing.assert_allclose(y, part.bound * signs(kernel), rtol=1e-12)
    np.testing.assert_array_equal(gradient, incoming)  # straight through, however large W is
    np.testing.assert_allclose(of_bases(part, kernel), y)


def test_binaryconnect_stochastic() -> None:
    torch.manual_seed(3)
    part = BinaryConnectWeight((1, 1, 1, 5), stochastic=True)
    assert not part.is_binary
    kernel = part.bound * torch.tensor([-2.0, -0.5, 0.0, 0.8, 1.0]).view(1, 1, 1, 5)
    draws = torch.stack([part(kernel) for _ in range(4000)])
    assert draws.abs().min() == draws.abs().max() == torch.tensor(part.bound)
    chance = (draws > 0).double().mean(0).flatten()
    assert chance[0] == 0 and chance[4] == 1
    assert torch.allclose(chance[1:4], torch.tensor([0.25, 0.5, 0.9]).double(), atol=0.03)
    _, gradient = run(part, kernel.numpy().copy(), np.ones((1, 1, 1, 5), np.float32))
    assert (gradient == 1).all()
    expected = part.bound * torch.tensor([-1.0, -0.5, 0.0, 0.8, 1.0])
    assert torch.allclose(part.eval()(kernel).flatten(), expected)


# BDNN


def test_clipped_weights() -> None:
    layer = BinaryConv2d(3, 64, 3, method="bdnn")
    assert 0.95 < layer.weight.abs().max() <= 1
    assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(3), rel=0.05)
    latent = torch.tensor([-3.0, -0.2, 1.5])
    layer.quantizer.after_step(latent)
    assert latent.tolist() == pytest.approx([-1.0, -0.2, 1.0])


def power(values: np.ndarray) -> np.ndarray:
    result = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        if values[index] != 0:
            exponent = round(math.log2(abs(values[index])))
            result[index] = math.copysign(2.0**exponent, values[index])
    return result


def test_nearest_power() -> None:
    x = np.array([-3.1, -1.0, -0.3, 0.0, 0.2, 0.7, 0.71, 1.5, 6.0, 1000.0])
    y, gradient = run(nearest_power, x, np.arange(10.0))
    assert y.tolist() == [-4, -1, -0.25, 0, 0.25, 0.5, 1, 2, 8, 1024]
    assert gradient.tolist() == list(range(10))


def test_shift_batch_norm() -> None:
    norm = ShiftBatchNorm2d(3, momentum=0.3).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.3, -0.6, 0.1]))
        norm.bias.copy_(torch.tensor([0.5, 0.0, -2.0]))
    x = draw(4, 5, 3, 4, 6) * np.array([1.0, 3.0, 0.2])[:, None, None] + 0.7
    y, gradient = run(norm, x, np.ones_like(x))
    weight, bias = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    for c in range(3):
        centred = x[:, c] - x[:, c].mean()
        variance = (centred * power(centred)).mean()
        scale = power(weight[c : c + 1])[0] * power(np.array([(variance + 1e-5) ** -0.5]))[0]
        np.testing.assert_allclose(y[:, c], scale * centred + bias[c], atol=1e-12)
        assert norm.running_mean[c].item() == pytest.approx(0.3 * x[:, c].mean())
        assert norm.running_var[c].item() == pytest.approx(0.7 + 0.3 * variance)
        assert scale == power(np.array([scale]))[0]
        # A constant added to the input changes nothing.
        assert abs(gradient[:, c].sum()) < 1e-9
    np.testing.assert_allclose(norm.bias.grad, np.full(3, x[:, 0].size))
    scale, offset = (constant.numpy() for constant in norm.folded())
    expected = scale[:, None, None] * x + offset[:, None, None]
    np.testing.assert_allclose(norm.eval()(torch.from_numpy(x)).detach(), expected, atol=1e-12)


def test_shift_norm_keeps_the_dtype() -> None:
    norm = ShiftBatchNorm2d(2)
    x = torch.randn(2, 2, 3, 3, dtype=torch.bfloat16)
    assert norm(x).dtype == torch.bfloat16 and norm.running_var.dtype == torch.float32


def test_a_backbone_takes_another_norm() -> None:
    config = {"type": "residual", "method": "bdnn", "blocks": 1}
    backbone = build_backbone({**config, "norm": "shift"})
    kinds = {type(m) for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)}
    assert kinds == {ShiftBatchNorm2d}
    plain = {type(m) for m in build_backbone(config).modules() if isinstance(m, nn.BatchNorm2d)}
    assert plain == {nn.BatchNorm2d}
    with pytest.raises(ConfigError, match="unknown norm 'layer'; valid: batch, shift"):
        build_backbone({**config, "norm": "layer"})


def test_shift_adamax() -> None:
    weights = [nn.Parameter(torch.from_numpy(draw(seed, 3, 2))) for seed in (5, 6)]
    theirs = [weight.detach().numpy().copy() for weight in weights]
    means, most = [np.zeros((3, 2))] * 2, [np.zeros((3, 2))] * 2
    optimizer = ShiftAdaMax(weights, lr=0.01)
    for step in range(1, 5):
        for index, weight in enumerate(weights):
            gradient = draw(10 * step + index, 3, 2)
            weight.grad = torch.from_numpy(gradient)
            means[index] = 0.875 * means[index] + 0.125 * gradient
            most[index] = np.maximum((1 - 2**-10) * most[index], np.abs(gradient))
            rate = power(np.array([0.01 / (1 - 0.875**step)]))[0]
            theirs[index] -= rate * means[index] * power(1 / most[index])
        optimizer.step()
    for weight, expected in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(weight.detach(), expected, rtol=1e-9)


def test_shift_adamax_goes_on_from_its_state() -> None:
    def steps(weight: nn.Parameter, optimizer: ShiftAdaMax, seeds: range) -> None:
        for seed in seeds:
            weight.grad = torch.from_numpy(draw(seed, 2, 2))
            optimizer.step()

    whole, parted = (nn.Parameter(torch.zeros(2, 2).double()) for _ in range(2))
    steps(whole, ShiftAdaMax([whole]), range(6))
    first = ShiftAdaMax([parted])
    steps(parted, first, range(3))
    second = ShiftAdaMax([parted])
    second.load_state_dict(first.state_dict())
    steps(parted, second, range(3, 6))
    assert torch.equal(whole, parted)


# Bitwise networks


@pytest.mark.parametrize("phase", [0.0, 0.29, 0.31, 1.0])
def test_bitwise(phase: float) -> None:
    x, incoming = draw(7), draw(8)
    for part in (BitwiseActivation(3).double(), BitwiseWeight(SHAPE).double()):
        part.progress.fill_(phase)
        y, gradient = run(part, x, incoming)
        np.testing.assert_allclose(y, np.tanh(x) if phase < 0.3 else signs(x), atol=1e-12)
        np.testing.assert_allclose(gradient, incoming / np.cosh(x) ** 2, atol=1e-12)
        y, _ = run(part.eval(), x, incoming)
        np.testing.assert_array_equal(y, signs(x))


# Bi-Real Net's magnitude-aware weights


def test_magnitude_aware_weights() -> None:
    part, kernel, incoming = MagnitudeAwareWeight(SHAPE), draw(9, deviation=0.8), draw(10)
    y, gradient = run(part, kernel, incoming)
    magnitude = sum(abs(value) for value in kernel.ravel()) / kernel.size
    np.testing.assert_allclose(y, magnitude * signs(kernel), atol=1e-12)
    np.testing.assert_allclose(gradient, incoming * magnitude * (np.abs(kernel) <= 1), atol=1e-12)
    np.testing.assert_allclose(of_bases(part, kernel), y)


# DSQ


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.45])
@pytest.mark.parametrize("bound", [0.3, 1.0, 2.5])
def test_dsq(alpha: float, bound: float) -> None:
    x, incoming = draw(11), draw(12)
    s, k = 1 / (1 - alpha), math.log(2 / alpha - 1) / (2 * bound)
    t, inside = np.tanh(k * x), np.abs(x) < bound
    rise = s * (1 - t**2)
    by_x = np.where(inside, bound * rise * k, 0)
    by_alpha = np.where(inside, bound * s**2 * t - rise * x / (alpha * (2 - alpha)), 0)
    by_bound = np.where(inside, s * t - rise * x * k, np.sign(x))
    share, units = 2 * alpha, (1.0, 2 * math.sqrt(2 / 27))
    for part, unit in zip((DsqActivation(3), DsqWeight(SHAPE)), units, strict=True):
        assert part.curve.alpha().item() == pytest.approx(0.2)
        assert part.curve.bound().item() == pytest.approx(unit)
        part.double()
        with torch.no_grad():
            part.curve.softness.fill_(math.log(share / (1 - share)))
            part.curve.width.fill_(math.log(bound / unit))
        y, gradient = run(part, x, incoming)
        np.testing.assert_allclose(y, bound * signs(x), atol=1e-12)
        np.testing.assert_allclose(gradient, incoming * by_x, atol=1e-10)
        of_alpha, of_bound = (incoming * by_alpha).sum(), (incoming * by_bound).sum()
        expected = of_alpha * 0.5 * share * (1 - share)  # through the sigmoid
        assert part.curve.softness.grad.item() == pytest.approx(expected, rel=1e-6)
        assert part.curve.width.grad.item() == pytest.approx(of_bound * bound, rel=1e-6)
    thresholds, coefficients = DsqActivation(3).planes()
    assert thresholds.tolist() == [[0.0]] and coefficients.tolist() == [1.0]


def test_dsq_stays_finite() -> None:
    part = DsqActivation(3)
    for softness, width in ((-50.0, -7.0), (50.0, 0.0), (0.0, 20.0)):
        with torch.no_grad():
            part.curve.softness.fill_(softness)
            part.curve.width.fill_(width)
        x = torch.randn(2, 3, 4, 4, requires_grad=True)
        part(x).sum().backward()
        assert x.grad.isfinite().all() and part.curve.width.grad.isfinite()


# LQ-Nets


def test_lq_weights() -> None:
    part, kernel, incoming = LqWeight(SHAPE).double(), draw(13), draw(14)
    part.basis.copy_(torch.tensor([0.1, 0.5, 1.0, 2.0]))
    y, gradient = run(part, kernel, incoming)
    expected = np.array([0.1, 0.5, 1.0, 2.0])[:, None, None, None] * signs(kernel)
    np.testing.assert_allclose(y, expected, atol=1e-7)
    np.testing.assert_array_equal(gradient, incoming)
    np.testing.assert_allclose(of_bases(part, kernel), y)
    part.after_step(torch.from_numpy(kernel))
    for o, (before, w) in enumerate(zip([0.1, 0.5, 1.0, 2.0], kernel, strict=True)):
        fit = np.linalg.lstsq(signs(w).reshape(-1, 1), w.ravel(), rcond=None)[0][0]
        assert part.basis[o].item() == pytest.approx(0.9 * before + 0.1 * fit)


@pytest.mark.parametrize("part_type", [LqActivation, ScaledSign])
def test_running_scales_of_the_input(part_type: type[LqActivation] | type[ScaledSign]) -> None:
    part, x, incoming = part_type(3).double(), draw(15), draw(16)
    held = part.basis if isinstance(part, LqActivation) else part.beta
    held.fill_(0.7)
    y, gradient = run(part, x, incoming)
    np.testing.assert_allclose(y, 0.7 * signs(x), atol=1e-12)
    if isinstance(part, LqActivation):
        expected = incoming * (np.abs(x) <= 0.7)
    else:
        expected = incoming * 0.7 * (np.abs(x) <= 1)
    np.testing.assert_allclose(gradient, expected, atol=1e-12)
    after = 0.9 * 0.7 + 0.1 * np.abs(x).mean()
    assert held.item() == pytest.approx(after)
    part.eval()(torch.from_numpy(x))
    assert held.item() == pytest.approx(after)  # evaluation changes nothing
    thresholds, coefficients = part.planes()
    assert thresholds.tolist() == [[0.0]] and coefficients.tolist() == [held.item()]


# Scales that vary in space


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_xnor_scale_of_each_window(groups: int, training: bool) -> None:
    torch.manual_seed(17)
    layer = BinaryConv2d(4, 6, 3, 2, 1, groups=groups, method="xnor_k").double().train(training)
    nn.init.normal_(layer.shift, std=0.3)
    x = draw(18, 2, 4, 7, 5)
    v = np.pad(x + layer.shift.detach().numpy()[:, None, None], [(0, 0), (0, 0), (1, 1), (1, 1)])
    inside = np.pad(np.ones_like(x), [(0, 0), (0, 0), (1, 1), (1, 1)])
    weight = layer.weight.detach().numpy()
    expected = np.zeros((2, 6, 4, 3))
    share = 4 // groups
    for n, o, i, j in np.ndindex(expected.shape):
        first = o // (6 // groups) * share
        window = (n, slice(first, first + share), slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3))
        dot = (signs(v[window]) * inside[window] * signs(weight[o])).sum()
        k = (np.abs(v[window]) * inside[window]).sum() / (share * 9)
        expected[n, o, i, j] = k * np.abs(weight[o]).mean() * dot
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("factored", [True, False])
def test_fused_scale(factored: bool) -> None:
    shape = "rows_columns" if factored else "map"
    scale = {"type": "fused", "shape": shape, "size_hw": (4, 5)}
    method = {"type": "xnorpp_space", "scale": scale}
    torch.manual_seed(19)
    layer, plain = (
        BinaryConv2d(3, 2, 3, 1, 1, method=spec).double() for spec in (method, "xnorpp")
    )
    plain.weight.data.copy_(layer.weight.data)
    assert (layer.scale.alpha == 1).all() and not plain.scale.varies
    layer.scale.start(layer.weight)
    plain.scale.start(layer.weight)
    expected_alpha = layer.weight.detach().abs().flatten(1).mean(1)
    np.testing.assert_allclose(plain.scale.alpha.detach().flatten(), expected_alpha)
    x, incoming = torch.from_numpy(draw(20, 2, 3, 4, 5)), draw(21, 2, 2, 4, 5)
    unscaled = plain(x).detach().numpy()
    np.testing.assert_allclose(layer(x).detach(), unscaled)  # positions start at 1
    for parameter in (layer.scale.beta, layer.scale.gamma):
        if parameter is not None:
            nn.init.normal_(parameter)
    y = layer(x)
    y.backward(torch.from_numpy(incoming))
    beta = layer.scale.beta.detach().numpy()
    gamma = layer.scale.gamma.detach().numpy() if factored else np.ones((1, 1))
    expected, by_beta = np.zeros_like(unscaled), np.zeros((4, 5))
    for n, o, i, j in itertools.product(range(2), range(2), range(4), range(5)):
        row = beta[i, 0] if factored else beta[i, j]
        column = gamma[0, j] if factored else 1.0
        expected[n, o, i, j] = unscaled[n, o, i, j] * row * column
        by_beta[i, j] += incoming[n, o, i, j] * unscaled[n, o, i, j] * column
    np.testing.assert_allclose(y.detach(), expected, atol=1e-12)
    by_beta = by_beta.sum(1, keepdims=True) if factored else by_beta
    np.testing.assert_allclose(layer.scale.beta.grad, by_beta, atol=1e-10)
    assert layer(torch.randn(1, 3, 9, 7).double()).shape == (1, 2, 9, 7)  # stretched


def test_fused_scale_of_channels() -> None:
    layer = BinaryConv2d(3, 2, 3, method="xu_cheung").double()
    nn.init.normal_(layer.scale.alpha)
    x, incoming = torch.from_numpy(draw(26, 1, 3, 5, 5)), torch.from_numpy(draw(27, 1, 2, 3, 3))
    y = layer(x)
    y.backward(incoming)
    alpha = layer.scale.alpha.detach().flatten()
    by_alpha = (incoming * y.detach()).sum((0, 2, 3)) / alpha
    np.testing.assert_allclose(layer.scale.alpha.grad.flatten(), by_alpha)


def test_unknown_shapes_are_refused() -> None:
    method = {"type": "xnorpp", "scale": {"type": "fused", "shape": "columns"}}
    with pytest.raises(ConfigError, match="shape 'columns'.*channels, map, rows_columns"):
        BinaryConv2d(3, 2, 3, method=method)


# First weights, and late clipping


def test_equal_variance() -> None:
    deviations = [BinaryConv2d(c, 64, 3, method="sari").weight.std().item() for c in (8, 64, 128)]
    assert deviations == pytest.approx([0.1] * 3, rel=0.05)
    others = [BinaryConv2d(c, 64, 3, method="bnn").weight.std().item() for c in (8, 128)]
    assert others[0] == pytest.approx(4 * others[1], rel=0.1)


@pytest.mark.parametrize("progress", [0.0, 0.59, 0.61, 1.0])
def test_late_clipping(progress: float) -> None:
    x, incoming = draw(22), draw(23)
    slope = np.ones_like(x) if progress < 0.6 else (np.abs(x) <= 1).astype(float)
    activation, weight = LateClipActivation(3).double(), LateClipWeight(SHAPE).double()
    for part in (activation, weight):
        part.progress.fill_(progress)
        y, gradient = run(part, x, incoming)
        np.testing.assert_array_equal(y, signs(x))
        np.testing.assert_allclose(gradient, incoming * slope)
    latent = torch.from_numpy(x.copy())
    weight.after_step(latent)
    np.testing.assert_array_equal(latent, x if progress < 0.6 else np.clip(x, -1, 1))


def test_initial_weights_are_he_normal_unless_a_part_says_so() -> None:
    latent = torch.empty(64, 32, 3, 3)
    WEIGHTS.build("clip", tuple(latent.shape)).start(latent)
    assert latent.std().item() == pytest.approx(math.sqrt(2 / (32 * 9)), rel=0.05)


# Fully connected layers


@pytest.mark.parametrize("method", ["bdnn", "bitwise", "xnor", "abc"])
@pytest.mark.parametrize("training", [True, False])
def test_binary_linear(method: str, training: bool) -> None:
    torch.manual_seed(24)
    layer = BinaryLinear(70, 5, method=method).double().train(training)
    x = draw(25, 3, 70)
    signs_of, factors = layer.quantizer.bases(layer.weight.detach())
    kernel = (signs_of * factors.view(len(signs_of), -1, 1, 1, 1)).sum(0).flatten(1).numpy()
    if layer.scale is not None:
        kernel = kernel * layer.scale(layer.weight).detach().flatten(1).numpy()
    thresholds, coefficients = (each.detach().numpy() for each in layer.activation.planes())
    bits = sum(
        c * np.where(x >= t, 1.0, -1.0) for t, c in zip(thresholds, coefficients, strict=True)
    )
    y = layer(torch.from_numpy(x))
    assert y.shape == (3, 5)
    np.testing.assert_allclose(y.detach(), bits @ kernel.T, atol=1e-9)
