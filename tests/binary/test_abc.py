"""ABC-Net's convolution against its formulas, restated in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from binvision.binary import BinaryConv2d


def make_layer(seed: int, bases: int = 3, planes: int = 2, stride: int = 1) -> BinaryConv2d:
    torch.manual_seed(seed)
    parts = {
        "weight": {"type": "abc", "bases": bases},
        "activation": {"type": "abc", "planes": planes},
    }
    layer = BinaryConv2d(6, 4, 3, stride, 1, method={"type": "abc", **parts}).double()
    torch.nn.init.normal_(layer.weight, mean=0.1, std=0.7)
    torch.nn.init.normal_(layer.activation.shift, std=0.4)
    torch.nn.init.normal_(layer.activation.beta)
    return layer


def bases_of(layer: BinaryConv2d) -> tuple[np.ndarray, np.ndarray]:
    """Bases (K, O, ...) and coefficients (K, O) by the paper, one channel after another."""
    weight, count = layer.weight.detach().numpy(), len(layer.quantizer.spread)
    bases, coefficients = np.empty((count, *weight.shape)), np.empty((count, len(weight)))
    for o, w in enumerate(weight):
        for k in range(count):
            u = -1 + 2 * k / (count - 1) if count > 1 else 0
            bases[k, o] = np.where(w - w.mean() + u * w.std() >= 0, 1, -1)
        columns = bases[:, o].reshape(count, -1).T
        coefficients[:, o] = np.linalg.lstsq(columns, w.ravel(), rcond=None)[0]
    return bases, coefficients


@pytest.mark.parametrize("bases", [1, 2, 5])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_forward(bases: int, planes: int, training: bool) -> None:
    layer = make_layer(bases, bases=bases, planes=planes, stride=2).train(training)
    x = torch.randn(2, 6, 7, 8, dtype=torch.float64)
    kernels, coefficients = bases_of(layer)
    expected = 0
    for m in range(planes):
        plane = torch.where(x + layer.activation.shift[m] >= 0, 1.0, -1.0).double()
        for k in range(bases):
            y = F.conv2d(plane, torch.from_numpy(kernels[k]), None, 2, 1)
            expected = (
                expected
                + layer.activation.beta[m] * y * torch.from_numpy(coefficients[k])[:, None, None]
            )
    np.testing.assert_allclose(layer(x).detach(), expected.detach(), atol=1e-9)


def test_more_bases_approximate_better() -> None:
    errors = []
    for count in (1, 2, 3, 5):
        layer = make_layer(0, bases=count)
        bases, coefficients = bases_of(layer)
        estimate = (bases * coefficients[:, :, None, None, None]).sum(0)
        errors.append(np.square(layer.weight.detach().numpy() - estimate).sum())
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * errors[0]


def test_gradients() -> None:
    layer = make_layer(1)
    x = torch.randn(1, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    incoming = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    layer(x).backward(incoming)
    kernels, coefficients = (torch.from_numpy(array) for array in bases_of(layer))
    scaled = coefficients[:, :, None, None, None] * kernels
    shifted = x.detach() + layer.activation.shift.detach().view(-1, 1, 1, 1, 1)
    planes = torch.where(shifted >= 0, 1.0, -1.0).double()
    beta = layer.activation.beta.detach()
    by_input = F.conv_transpose2d(incoming, scaled.sum(0), None, 1, 1)
    inside = (shifted.abs() <= 0.5).double()
    blend = (beta.view(-1, 1, 1, 1, 1) * planes).sum(0)
    by_weight = torch.nn.grad.conv2d_weight(blend, layer.weight.shape, incoming, 1, 1)
    expected = {
        "x": (x.grad, (beta.view(-1, 1, 1, 1, 1) * inside).sum(0) * by_input),
        "shift": (layer.activation.shift.grad, beta * (inside * by_input).sum((1, 2, 3, 4))),
        "beta": (layer.activation.beta.grad, (planes * by_input).sum((1, 2, 3, 4))),
        "weight": (layer.weight.grad, by_weight * coefficients.sum(0)[:, None, None, None]),
    }
    for name, (ours, theirs) in expected.items():
        np.testing.assert_allclose(ours, theirs, atol=1e-9, err_msg=name)


def test_bases_that_coincide() -> None:
    """One weight a channel has but one base; the coefficients share it."""
    method = {"type": "abc", "activation": {"type": "abc", "planes": 1}}
    layer = BinaryConv2d(1, 2, 1, method=method).eval()
    x = torch.ones(1, 1, 2, 2)
    assert torch.allclose(layer(x), layer.weight.view(1, 2, 1, 1).expand(1, 2, 2, 2), atol=1e-6)
