"""BinaryConv2d, method by method, against an independent float64 convolution."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from binvision.binary import METHODS, BinaryConv2d, auxiliary_losses
from binvision.binary.methods.rbcn import kernel_error
from binvision.errors import ConfigError, ExportError

BINARY = ["bireal", "bnn", "rbcn", "rbcn_matrix", "xnor"]  # of signs alone; the others beside
ESTIMATOR_SLOPES = {
    "clip": lambda v: (np.abs(v) <= 1).astype(float),
    "polynomial": lambda v: np.maximum(0, 2 - 2 * np.abs(v)),
}


def signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0)


def reference_conv(
    x: np.ndarray,
    w: np.ndarray,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
    pad_value: int,
) -> np.ndarray:
    """Plain loops over output places and taps; taps outside the input read ``pad_value``."""
    n, _, height, width = x.shape
    out, per_group, kh, kw = w.shape
    oh = (height + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    ow = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, out, oh, ow))
    for o, r, c, i, j in itertools.product(range(out), range(oh), range(ow), range(kh), range(kw)):
        row, col = r * stride - padding + i * dilation, c * stride - padding + j * dilation
        if 0 <= row < height and 0 <= col < width:
            first = o // (out // groups) * per_group
            y[:, o, r, c] += x[:, first : first + per_group, row, col] @ w[o, :, i, j]
        else:
            y[:, o, r, c] += pad_value * w[o, :, i, j].sum()
    return y


def reference_scale(name: str, layer: BinaryConv2d) -> np.ndarray:
    weight = layer.weight.detach().numpy()
    if name.startswith("rbcn"):
        return layer.scale.rectification.detach().numpy()
    if name == "bnn":
        return np.ones((len(weight), 1, 1, 1))
    return np.abs(weight).mean((1, 2, 3), keepdims=True)


def make_layer(name: str, seed: int, **shape: int) -> BinaryConv2d:
    torch.manual_seed(seed)
    layer = BinaryConv2d(6, 4, 3, method=name, **shape).double()
    torch.nn.init.normal_(layer.weight, std=0.7)
    torch.nn.init.normal_(layer.shift, std=0.2)
    if name.startswith("rbcn"):
        torch.nn.init.uniform_(layer.scale.rectification, -0.5, 1.0)
    return layer


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"padding": 1},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": 2},
        {"groups": 2, "padding": 1, "stride": 2},
        {"padding": 1, "pad_value": 1},
        {"padding": 2, "pad_value": -1, "groups": 2, "stride": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("training", [True, False])
def test_forward(name: str, shape: dict[str, int], training: bool) -> None:
    layer = make_layer(name, 1, **shape).train(training)
    x = np.random.default_rng(2).normal(size=(2, 6, 7, 5))
    full = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "pad_value": 0, **shape}
    bits = signs(x + layer.shift.detach().numpy()[:, None, None])
    weight = signs(layer.weight.detach().numpy()) * reference_scale(name, layer)
    expected = reference_conv(bits, weight, **full)
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", [*BINARY, "activations", "fp"])
def test_gradients(name: str) -> None:
    """All gradients restated: of the input, the shift, the latent weights and the scale."""
    layer = make_layer(name, 3)
    method = METHODS[name]
    rng = np.random.default_rng(4)
    x_values, incoming = rng.normal(size=(1, 6, 5, 5)), rng.normal(size=(1, 4, 3, 3))
    x = torch.from_numpy(x_values).requires_grad_()
    layer(x).backward(torch.from_numpy(incoming))

    w = layer.weight.detach().numpy()
    shifted = x_values + layer.shift.detach().numpy()[:, None, None]
    used_x = signs(shifted) if method.activation else shifted
    used_w = signs(w) if method.weight else w
    scale = reference_scale(name, layer) if name in BINARY else np.ones((4, 1, 1, 1))
    scale = np.broadcast_to(scale, (4, 1, 3, 3))
    grad_kernel = np.zeros_like(w)
    grad_input = np.zeros_like(x_values)
    for i, j in itertools.product(range(3), range(3)):
        patch = used_x[0, :, i : i + 3, j : j + 3]
        grad_kernel[:, :, i, j] = np.einsum("ohw,chw->oc", incoming[0], patch)
        grad_input[0, :, i : i + 3, j : j + 3] += np.einsum(
            "ohw,oc->chw", incoming[0] * scale[:, :, i, j, None], used_w[:, :, i, j]
        )
    axes = (1,) if name == "rbcn_matrix" else (1, 2, 3)
    per_scale = (grad_kernel * used_w).sum(axes, keepdims=True)
    if name in BINARY:
        grad_weight = grad_kernel * scale
        grad_weight *= ESTIMATOR_SLOPES[method.weight](w)
        if method.scale == "mean":
            grad_weight += per_scale * signs(w) / w[0].size
    else:
        grad_weight = grad_kernel
    if method.activation:
        grad_input *= ESTIMATOR_SLOPES[method.activation](shifted)

    np.testing.assert_allclose(layer.weight.grad.numpy(), grad_weight, atol=1e-10)
    np.testing.assert_allclose(x.grad.numpy(), grad_input, atol=1e-10)
    np.testing.assert_allclose(layer.shift.grad.numpy(), grad_input[0].sum((1, 2)), atol=1e-10)
    if name.startswith("rbcn"):
        np.testing.assert_allclose(layer.scale.rectification.grad.numpy(), per_scale, atol=1e-10)


@pytest.mark.parametrize("name", ["rbcn", "rbcn_matrix"])
def test_kernel_loss_and_its_gradient(name: str) -> None:
    layer = make_layer(name, 5)
    loss = kernel_error(layer)
    loss.backward()
    w = layer.weight.detach().numpy()
    c = layer.scale.rectification.detach().numpy()
    error = w - c * signs(w)
    np.testing.assert_allclose(loss.item(), 0.5 * (error**2).sum(), rtol=1e-12)
    slope = ESTIMATOR_SLOPES["polynomial"](w)
    np.testing.assert_allclose(layer.weight.grad.numpy(), error * (1 - c * slope), atol=1e-12)
    axes = (1, 2, 3) if name == "rbcn" else (1,)
    expected_c = -(error * signs(w)).sum(axes, keepdims=True)
    np.testing.assert_allclose(layer.scale.rectification.grad.numpy(), expected_c, atol=1e-12)


def test_losses_sum_over_the_layers_that_ask_for_them() -> None:
    layers = [make_layer("rbcn", 6), make_layer("xnor", 7), make_layer("rbcn", 8)]
    total = auxiliary_losses(torch.nn.Sequential(*layers))["loss_kernel"]
    expected = 1e-4 * (kernel_error(layers[0]) + kernel_error(layers[2]))
    assert total.item() == pytest.approx(expected.item())
    assert auxiliary_losses(layers[1]) == {}


@pytest.mark.parametrize("name", BINARY)
def test_folded_constants_give_the_layer_bit_for_bit(name: str) -> None:
    torch.manual_seed(9)
    layer = BinaryConv2d(70, 8, 3, padding=1, method=name).eval()
    torch.nn.init.normal_(layer.shift, std=0.3)
    x = torch.randn(2, 70, 9, 11)
    x[0, :, 0, 0] = -layer.shift.detach()  # exactly on the threshold: a +1
    folded = layer.folded()
    bits = np.where(x.numpy() >= folded["threshold"].numpy()[:, None, None], 1, -1)
    weights = folded["signs"][0].numpy()
    assert set(np.unique(weights)) == {-1, 1} and folded["signs"].dtype == torch.int8
    if name == "rbcn_matrix":  # a sum of floats, in an order of its own
        scale = folded["scale"].numpy().reshape(3, 3, 8).transpose(2, 0, 1)[:, None]
        expected = reference_conv(bits, weights * scale, 1, 1, 1, 1, 0)
        np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=0, atol=1e-5)
        return
    dots = reference_conv(bits, weights, 1, 1, 1, 1, 0).astype(np.float32)
    expected = dots * folded["scale"].numpy()[:, None, None]
    assert np.array_equal(layer(x).detach().numpy(), expected)


def test_the_float_twin_has_no_packed_form() -> None:
    with pytest.raises(ExportError, match="method 'fp' keeps this layer real"):
        BinaryConv2d(3, 4, 3, method="fp").folded()


def test_padding_is_zero_or_a_sign() -> None:
    with pytest.raises(ConfigError, match="pad_value: expected 0, 1 or -1, got 2"):
        BinaryConv2d(3, 4, 3, pad_value=2)


def test_unknown_method_names_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="unknown binarisation method 'xnorr'.*Did you mean"):
        BinaryConv2d(3, 4, 3, method="xnorr")
