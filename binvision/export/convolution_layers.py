"""Lowering of convolutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from binvision.binary import BinaryConv2d, BinaryLinear, EightBitConv2d, QuantConv2d
from binvision.errors import ExportError
from binvision.export.emitter import Emitter, array, float64, pair
from binvision.export.graph import Value

__all__ = ["binary_conv", "binary_linear", "conv2d", "eight_bit_conv", "linear", "quant_conv"]


def quant_conv(emitter: Emitter, layer: QuantConv2d, x: Value) -> Value:
    """Weights of 8 bits, on pixels."""
    folded = layer.folded()
    attrs = {**_conv_attrs(layer, padding=layer.padding), "offset": float(layer.offset)}
    constants = {
        "weight": array(folded["weight"]),
        "scale": float64(folded["scale"]),
        "bias": np.zeros(layer.out_channels),
    }
    return emitter.emit("conv", [x], layer.out_channels, attrs, constants)


def binary_conv(emitter: Emitter, layer: BinaryConv2d, x: Value) -> Value:
    """Weights and activations of 1 bit; what a method keeps real stays real."""
    if layer.activation is None:
        return _real_binary_conv(emitter, layer, x)
    if not layer.is_binary:
        raise ExportError(
            f"method {layer.method.name!r} has real weights on binary activations, which have no "
            f"packed form: train on with --start-from, in a method of 1-bit weights"
        )
    folded = layer.folded()
    attrs = {**_conv_attrs(layer, padding=layer.padding), "in_channels": layer.in_channels}
    if layer.pad_value:
        attrs["pad_value"] = layer.pad_value
    bases = len(folded["signs"])
    if bases > 1:
        attrs["bases"] = bases
    constants = {
        "threshold": array(folded["threshold"]),
        "signs": array(folded["signs"] if bases > 1 else folded["signs"][0]),
        "scale": float64(folded["scale"]),
        "bias": np.zeros(layer.out_channels),
    }
    return emitter.emit("binary_conv", [x], layer.out_channels, attrs, constants)


def binary_linear(emitter: Emitter, layer: BinaryLinear, x: Value) -> Value:
    """A 1-bit fully connected layer, on one pixel."""
    if not x.single:
        raise ExportError("reads more than one pixel; expected AdaptiveAvgPool2d(1) before it")
    return replace(binary_conv(emitter, layer, x), single=True)


def _real_binary_conv(emitter: Emitter, layer: BinaryConv2d, x: Value) -> Value:
    """Lower a layer of real activations: a real convolution of the shifted input.

    Its weights are a byte each where they are +-1, and floats where they are not.
    """
    layer.refuse_varying_scale()
    if layer.pad_value:
        raise ExportError(f"pad_value {layer.pad_value} of a real convolution has no packed form")
    shift = float64(layer.shift)
    if shift.any():
        # Before the convolution, not in its bias: the zero padding comes after the shift.
        constants = {"scale": np.ones(x.channels), "bias": shift}
        x = emitter.emit("affine", [x], x.channels, constants=constants, part="shift")
    signs = layer.signs()
    if signs is None:
        return _real_conv(emitter, layer, x, layer.binarize_weight(), None, layer.padding)
    constants = {
        "weight": array(signs[0].to(torch.int8)),
        "scale": float64(signs[1]),
        "bias": np.zeros(layer.out_channels),
    }
    attrs = {**_conv_attrs(layer, padding=layer.padding), "offset": 0.0}
    return emitter.emit("conv", [x], layer.out_channels, attrs, constants)


def linear(emitter: Emitter, layer: nn.Linear, x: Value) -> Value:
    """``nn.Linear`` on one pixel, which is a 1x1 convolution."""
    if not x.single:
        raise ExportError("reads more than one pixel; expected AdaptiveAvgPool2d(1) before it")
    constants = {
        "weight": array(layer.weight.float())[:, :, None, None],
        "scale": np.ones(layer.out_features),
        "bias": np.zeros(layer.out_features) if layer.bias is None else float64(layer.bias),
    }
    attrs = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "offset": 0.0}
    return replace(emitter.emit("conv", [x], layer.out_features, attrs, constants), single=True)


def conv2d(emitter: Emitter, layer: nn.Conv2d, x: Value) -> Value:
    """Real convolution."""
    if layer.padding_mode != "zeros":
        raise ExportError(f"padding_mode {layer.padding_mode!r}: only 'zeros' has a packed form")
    padding = _same_padding(layer) if isinstance(layer.padding, str) else layer.padding
    return _real_conv(emitter, layer, x, layer.weight, layer.bias, padding)


def _real_conv(
    emitter: Emitter,
    layer: nn.Conv2d | BinaryConv2d,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    padding: Any,
) -> Value:
    outputs = layer.out_channels
    constants = {
        "weight": array(weight.float()),
        "scale": np.ones(outputs),
        "bias": np.zeros(outputs) if bias is None else float64(bias),
    }
    attrs = {**_conv_attrs(layer, padding=padding), "offset": 0.0}
    return emitter.emit("conv", [x], outputs, attrs, constants)


def eight_bit_conv(emitter: Emitter, layer: EightBitConv2d, x: Value) -> Value:
    """Weights and activations of 8 bits."""
    constants = {
        "weight": array(layer.weight.to(torch.int8)),
        "scale": float64(layer.scale),
        "bias": float64(layer.bias),
        "levels": array(layer.levels),
    }
    attrs = {**_conv_attrs(layer, padding=layer.padding), "offset": 0.0}
    return emitter.emit("conv", [x], layer.out_channels, attrs, constants)


def _conv_attrs(layer: Any, *, padding: Any) -> dict[str, Any]:
    return {
        "stride": pair(layer.stride),
        "padding": pair(padding),
        "dilation": pair(getattr(layer, "dilation", 1)),
        "groups": getattr(layer, "groups", 1),
    }


def _same_padding(layer: nn.Conv2d) -> tuple[int, int]:
    if layer.padding == "valid":
        return (0, 0)
    spans = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if any(span % 2 for span in spans):
        raise ExportError("padding 'same' that differs left and right: use an odd kernel")
    return spans[0] // 2, spans[1] // 2
