"""Activations of several planes against their papers' formulas, one number after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from binvision.binary import ACTIVATIONS, ActivationQuantizer, BinaryConv2d
from binvision.binary.methods.horq import HorqActivation
from binvision.binary.methods.tbn import TernaryActivation


def of_planes(part: ActivationQuantizer, x: np.ndarray) -> np.ndarray:
    thresholds, coefficients = (array.double().numpy() for array in part.planes())
    assert thresholds.shape == (len(coefficients), 1)
    return sum(
        c * np.where(x >= t, 1.0, -1.0) for t, c in zip(thresholds[:, 0], coefficients, strict=True)
    )


def forward_and_slope(part: ActivationQuantizer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tensor = torch.from_numpy(x).requires_grad_()
    y = part(tensor)
    y.sum().backward()
    return y.detach().numpy(), tensor.grad.numpy()


def points(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1.3, (2, 3, 5, 7))


# HORQ


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_horq(order: int) -> None:
    part = HorqActivation(3, order).double().eval()
    part.beta.copy_(torch.tensor([0.9, 0.5, 0.2, 0.15], dtype=torch.float64)[:order])
    x = points()
    rest, value, slopes = x.copy(), np.zeros_like(x), []
    for beta in part.beta.tolist():
        code = np.where(rest >= 0, 1.0, -1.0)
        slopes.append((rest, beta))
        value, rest = value + beta * code, rest - beta * code
    through, slope = np.ones_like(x), np.zeros_like(x)
    for rest, beta in slopes:
        inside = np.abs(rest) <= 1
        slope += beta * inside * through
        through = through - beta * inside * through
    y, ours = forward_and_slope(part, x)
    np.testing.assert_allclose(y, value, atol=1e-12)
    np.testing.assert_allclose(ours, slope, atol=1e-12)
    np.testing.assert_allclose(of_planes(part, x), value, atol=1e-12)
    assert len(part.planes()[1]) == 2**order - 1


def test_horq_when_a_rest_is_greater_than_what_came_before() -> None:
    part = HorqActivation(3, 3).double().eval()
    part.beta.copy_(torch.tensor([0.3, 0.9, 0.6]))
    x = points(1)
    np.testing.assert_allclose(of_planes(part, x), forward_and_slope(part, x)[0], atol=1e-12)


def test_horq_begins_with_the_normal_distribution_and_follows_its_input() -> None:
    part = HorqActivation(3, 2)
    x = np.random.default_rng(0).normal(size=400_000)
    first = np.abs(x).mean()
    np.testing.assert_allclose(part.beta, [first, np.abs(np.abs(x) - first).mean()], atol=3e-3)
    x = 5 + 0 * torch.randn(1, 3, 4, 4)
    for _ in range(200):
        part.train()(x)
    np.testing.assert_allclose(part.beta, [5, 0], atol=1e-3)
    before = part.beta.clone()
    part.eval()(torch.randn(1, 3, 4, 4))
    assert torch.equal(part.beta, before)


def test_more_orders_are_nearer() -> None:
    x = np.random.default_rng(0).normal(size=(1, 1, 100, 100))
    errors = [
        np.square(forward_and_slope(HorqActivation(1, order).double().eval(), x)[0] - x).mean()
        for order in (1, 2, 3, 4)
    ]
    assert errors == sorted(errors, reverse=True) and errors[1] < 0.4 * errors[0]


# TBN


def test_ternary() -> None:
    part = TernaryActivation(3).double().eval()
    x = points()
    part.mean.copy_(torch.tensor(np.abs(x).mean()))
    delta = 0.4 * np.abs(x).mean()
    value = np.where(x > delta, 1, np.where(x < -delta, -1, 0))
    assert {-1, 0, 1} == set(value.ravel())
    y, slope = forward_and_slope(part, x)
    np.testing.assert_array_equal(y, value)
    np.testing.assert_array_equal(slope, np.abs(x) <= 1)
    np.testing.assert_array_equal(of_planes(part, x), value)


def test_ternary_follows_the_mean_of_its_input() -> None:
    part = TernaryActivation(3)
    torch.manual_seed(0)
    for _ in range(100):
        part.train()(3 * torch.randn(4, 3, 32, 32))
    assert abs(part.mean.item() - 3 * np.sqrt(2 / np.pi)) < 0.03


# Levels


def nearest(x: float, levels: list[float]) -> float:
    return min(levels, key=lambda level: (abs(x - level), -level))


def log_code(x: float, bits: int, top: float) -> float:
    if x <= 0:
        return 0.0
    exponent = np.floor(np.log2(min(x / top, 1)) + 0.5)
    return top * 2.0**exponent if exponent > -(2**bits - 1) else 0.0


CASES: list[tuple[dict[str, Any], Callable[[float], float], tuple[float, float]]] = [
    *(
        (
            {"type": "uniform", "bits": bits},
            lambda x, n=2**bits - 1: nearest(x, [(2 * i - n) / n for i in range(n + 1)]),
            (-1.0, 1.0),
        )
        for bits in (1, 2, 3, 4)
    ),
    *(
        (
            {"type": "linear_levels", "bits": bits, "top": top},
            lambda x, n=2**bits - 1, top=top: nearest(x, [top * i / n for i in range(n + 1)]),
            (0.0, top),
        )
        for bits, top in ((1, 1.0), (2, 1.5), (3, 2.0))
    ),
    *(
        (
            {"type": "logarithmic_levels", "bits": bits, "top": top},
            lambda x, bits=bits, top=top: log_code(x, bits, top),
            (0.0, top),
        )
        for bits, top in ((1, 1.0), (2, 1.5), (3, 2.0))
    ),
]


@pytest.mark.parametrize(("spec", "code", "passing"), CASES, ids=lambda each: str(each)[:60])
def test_levels(
    spec: dict[str, Any], code: Callable[[float], float], passing: tuple[float, float]
) -> None:
    part, x = ACTIVATIONS.build(spec, 3).double(), points(3)
    value = np.array([code(each) for each in x.ravel()]).reshape(x.shape)
    y, slope = forward_and_slope(part, x)
    np.testing.assert_allclose(y, value, atol=1e-6)
    np.testing.assert_allclose(of_planes(part, x), value, atol=1e-6)
    np.testing.assert_array_equal(slope, (x >= passing[0]) & (x <= passing[1]))


@pytest.mark.parametrize("bits", [1, 2, 3])
@pytest.mark.parametrize("zeros", [0.5, 0.65])
def test_sparse_codes(bits: int, zeros: float) -> None:
    part = ACTIVATIONS.build({"type": "sparse", "bits": bits, "zeros": zeros}, 3).double()
    x = np.random.default_rng(0).normal(size=(1, 1, 500, 500))
    y, slope = forward_and_slope(part, x)
    levels = np.unique(y)
    assert len(levels) == 2**bits and levels[0] == 0
    assert abs((y == 0).mean() - zeros) < 0.01
    for level in levels[1:]:  # each is the mean of what it stands for
        assert abs(x[y == level].mean() - level) < 0.02
    kept = x[y > 0]
    np.testing.assert_allclose([nearest(each, levels[1:]) for each in kept[:500]], y[y > 0][:500])
    np.testing.assert_allclose(of_planes(part, x), y, atol=1e-6)
    assert (slope[y == 0] == 0).all() and (slope[(y > 0) & (x < levels[-1])] == 1).all()
    assert (slope[x > 2 * levels[-1]] == 0).all()


def test_zero_padding_is_the_code_0() -> None:
    torch.manual_seed(0)
    layer = BinaryConv2d(4, 3, 3, padding=1, method="huang_linear").double().eval()
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), value=-5.0)
    inner = BinaryConv2d(4, 3, 3, method="huang_linear").double().eval()
    inner.load_state_dict(layer.state_dict())
    np.testing.assert_allclose(layer(x).detach(), inner(padded).detach(), atol=1e-6)
