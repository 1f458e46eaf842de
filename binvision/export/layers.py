"""How each layer and function of PyTorch reads in the packed format.

A lowering takes the arguments of the PyTorch call, with a :class:`Value` for every tensor, and
emits nodes. To support another layer, write one and enter it in the table at the end.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary import BinaryConv2d, EightBitConv2d, QuantConv2d, RPReLU
from binvision.errors import ExportError
from binvision.export.graph import Value

__all__ = ["FUNCTIONS", "LAYERS", "METHODS", "Emitter"]


class Emitter(Protocol):
    """What a lowering writes to."""

    def emit(
        self,
        op: str,
        inputs: Sequence[Value],
        channels: int,
        attrs: dict[str, Any] | None = None,
        constants: dict[str, np.ndarray] | None = None,
        part: str = "",
    ) -> Value:
        """Add a node that gives ``channels`` channels; returns the value it defines.

        A layer that becomes several nodes names those before its last with ``part``.
        """


# Convolutions


def _quant_conv(emitter: Emitter, layer: QuantConv2d, x: Value) -> Value:
    folded = layer.folded()
    attrs = {**_conv_attrs(layer, padding=layer.padding), "offset": float(layer.offset)}
    constants = {
        "weight": _array(folded["weight"]),
        "scale": _float64(folded["scale"]),
        "bias": np.zeros(layer.out_channels),
    }
    return emitter.emit("conv", [x], layer.out_channels, attrs, constants)


def _binary_conv(emitter: Emitter, layer: BinaryConv2d, x: Value) -> Value:
    if not layer.method.is_binary:
        return _real_binary_conv(emitter, layer, x)
    folded = layer.folded()
    attrs = {**_conv_attrs(layer, padding=layer.padding), "in_channels": layer.in_channels}
    if layer.pad_value:
        attrs["pad_value"] = layer.pad_value
    constants = {
        "threshold": _array(folded["threshold"]),
        "signs": _array(folded["signs"]),
        "scale": _float64(folded["scale"]),
        "bias": np.zeros(layer.out_channels),
    }
    return emitter.emit("binary_conv", [x], layer.out_channels, attrs, constants)


def _real_binary_conv(emitter: Emitter, layer: BinaryConv2d, x: Value) -> Value:
    """Lower the layer of a float twin: a real convolution of the shifted input."""
    if layer.method.activation is not None or layer.method.weight is not None:
        raise ExportError(f"method {layer.method.name!r} binarises only weights or activations")
    if layer.pad_value:
        raise ExportError(f"pad_value {layer.pad_value} of a real convolution has no packed form")
    shift = _float64(layer.shift)
    if shift.any():
        # Before the convolution, not in its bias: the zero padding comes after the shift.
        constants = {"scale": np.ones(x.channels), "bias": shift}
        x = emitter.emit("affine", [x], x.channels, constants=constants, part="shift")
    return _real_conv(emitter, layer, x, layer.weight, None, layer.padding)


def _conv2d(emitter: Emitter, layer: nn.Conv2d, x: Value) -> Value:
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
        "weight": _array(weight.float()),
        "scale": np.ones(outputs),
        "bias": np.zeros(outputs) if bias is None else _float64(bias),
    }
    attrs = {**_conv_attrs(layer, padding=padding), "offset": 0.0}
    return emitter.emit("conv", [x], outputs, attrs, constants)


def _eight_bit_conv(emitter: Emitter, layer: EightBitConv2d, x: Value) -> Value:
    constants = {
        "weight": _array(layer.weight.to(torch.int8)),
        "scale": _float64(layer.scale),
        "bias": _float64(layer.bias),
        "levels": _array(layer.levels),
    }
    attrs = {**_conv_attrs(layer, padding=layer.padding), "offset": 0.0}
    return emitter.emit("conv", [x], layer.out_channels, attrs, constants)


def _conv_attrs(layer: Any, *, padding: Any) -> dict[str, Any]:
    return {
        "stride": _pair(layer.stride),
        "padding": _pair(padding),
        "dilation": _pair(getattr(layer, "dilation", 1)),
        "groups": getattr(layer, "groups", 1),
    }


def _same_padding(layer: nn.Conv2d) -> tuple[int, int]:
    if layer.padding == "valid":
        return (0, 0)
    spans = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if any(span % 2 for span in spans):
        raise ExportError("padding 'same' that differs left and right: use an odd kernel")
    return spans[0] // 2, spans[1] // 2


# Element-wise layers


def _batch_norm(emitter: Emitter, layer: nn.BatchNorm2d, x: Value) -> Value:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, as one scale and one bias."""
    if layer.running_mean is None or layer.running_var is None:
        raise ExportError("no running statistics: train it with track_running_stats=True")
    scale = 1 / np.sqrt(_float64(layer.running_var) + layer.eps)
    if layer.weight is not None:
        scale = scale * _float64(layer.weight)
    bias = -_float64(layer.running_mean) * scale
    if layer.bias is not None:
        bias = bias + _float64(layer.bias)
    return emitter.emit("affine", [x], x.channels, constants={"scale": scale, "bias": bias})


def _prelu(emitter: Emitter, layer: nn.PReLU, x: Value) -> Value:
    slope = np.broadcast_to(_float64(layer.weight), x.channels)
    return emitter.emit("prelu", [x], x.channels, constants={"slope": slope})


def _rprelu(emitter: Emitter, layer: RPReLU, x: Value) -> Value:
    constants = {"scale": np.ones(x.channels), "bias": -_float64(layer.gamma)}
    x = emitter.emit("affine", [x], x.channels, constants=constants, part="shift")
    constants = {"slope": _float64(layer.beta), "shift": _float64(layer.zeta)}
    return emitter.emit("prelu", [x], x.channels, constants=constants)


def _relu(emitter: Emitter, x: Value, inplace: bool = False) -> Value:
    return emitter.emit("prelu", [x], x.channels, constants={"slope": np.zeros(x.channels)})


def _identity(emitter: Emitter, layer: nn.Module, x: Value) -> Value:
    return x


def _add(emitter: Emitter, x: Value, other: Value) -> Value:
    if not isinstance(x, Value) or not isinstance(other, Value):
        raise ExportError("only the sum of two layers has a packed form, not that with a constant")
    return emitter.emit("add", [x, other], x.channels)


def _cat(emitter: Emitter, tensors: Sequence[Value], dim: int = 0) -> Value:
    if dim not in (1, -3):
        raise ExportError(f"dim={dim}: only channels (dim=1) can be concatenated")
    return emitter.emit("concat", list(tensors), sum(value.channels for value in tensors))


# Pools


def _avg_pool(
    emitter: Emitter,
    x: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    if divisor_override is not None:
        raise ExportError("divisor_override has no packed form")
    if count_include_pad and any(_pair(padding)):
        raise ExportError("average over padded zeros has no packed form: count_include_pad=False")
    return _pool(emitter, "avg_pool", x, kernel_size, stride, padding, ceil_mode)


def _max_pool(
    emitter: Emitter,
    x: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    if return_indices or _pair(dilation) != (1, 1):
        raise ExportError("return_indices and dilation have no packed form")
    return _pool(emitter, "max_pool", x, kernel_size, stride, padding, ceil_mode)


def _pool(
    emitter: Emitter, op: str, x: Value, kernel: Any, stride: Any, padding: Any, ceil: bool
) -> Value:
    attrs = {
        "kernel": _pair(kernel),
        "stride": _pair(stride or kernel),
        "padding": _pair(padding),
        "ceil": bool(ceil),
    }
    return emitter.emit(op, [x], x.channels, attrs)


def _avg_pool_layer(emitter: Emitter, layer: nn.AvgPool2d, x: Value) -> Value:
    return _avg_pool(
        emitter,
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    )


def _max_pool_layer(emitter: Emitter, layer: nn.MaxPool2d, x: Value) -> Value:
    return _max_pool(
        emitter,
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
        layer.return_indices,
    )


# Helpers


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _float64(tensor: Tensor) -> np.ndarray:
    return _array(tensor.detach().double())


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, second = value if len(value) == 2 else (value[0], value[0])
    return int(first), int(second)


LAYERS: dict[type[nn.Module], Callable[..., Value]] = {
    QuantConv2d: _quant_conv,
    EightBitConv2d: _eight_bit_conv,
    BinaryConv2d: _binary_conv,
    nn.Conv2d: _conv2d,
    nn.BatchNorm2d: _batch_norm,
    nn.PReLU: _prelu,
    RPReLU: _rprelu,
    nn.ReLU: lambda emitter, layer, x: _relu(emitter, x),
    nn.AvgPool2d: _avg_pool_layer,
    nn.MaxPool2d: _max_pool_layer,
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Dropout2d: _identity,
}

FUNCTIONS: dict[Callable[..., Any], Callable[..., Value]] = {
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    torch.cat: _cat,
    torch.relu: _relu,
    F.relu: _relu,
    F.avg_pool2d: _avg_pool,
    F.max_pool2d: _max_pool,
}

METHODS: dict[str, Callable[..., Value]] = {"add": _add, "add_": _add, "relu": _relu}
