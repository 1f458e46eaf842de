"""Lowering of what works element by element, and of sums and concatenations."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from torch import nn

from binvision.binary import RPReLU, ShiftBatchNorm2d
from binvision.errors import ExportError
from binvision.export.emitter import Emitter, float64
from binvision.export.graph import Value

__all__ = [
    "add",
    "batch_norm",
    "cat",
    "clamp",
    "div",
    "hardtanh",
    "identity",
    "mul",
    "neg",
    "prelu",
    "relu",
    "relu6",
    "rprelu",
    "shift_batch_norm",
    "sub",
]

Constant = float | np.ndarray
Operand = Any  # a Value or a Constant, one of the two a Value


def batch_norm(emitter: Emitter, layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Value) -> Value:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, as one scale and one bias."""
    if layer.running_mean is None or layer.running_var is None:
        raise ExportError("no running statistics: train it with track_running_stats=True")
    scale = 1 / np.sqrt(float64(layer.running_var) + layer.eps)
    if layer.weight is not None:
        scale = scale * float64(layer.weight)
    bias = -float64(layer.running_mean) * scale
    if layer.bias is not None:
        bias = bias + float64(layer.bias)
    return emitter.emit("affine", [x], x.channels, constants={"scale": scale, "bias": bias})


def shift_batch_norm(emitter: Emitter, layer: ShiftBatchNorm2d, x: Value) -> Value:
    """A batch norm whose factors are powers of two, as one scale and one bias."""
    scale, bias = (float64(constant) for constant in layer.folded())
    return emitter.emit("affine", [x], x.channels, constants={"scale": scale, "bias": bias})


def identity(emitter: Emitter, layer: nn.Module, x: Value) -> Value:
    """y = x: what acts in training alone."""
    return x


# Activations


def prelu(emitter: Emitter, layer: nn.PReLU, x: Value) -> Value:
    """PReLU with one slope, or one for each channel."""
    slope = np.broadcast_to(float64(layer.weight), x.channels)
    return emitter.emit("prelu", [x], x.channels, constants={"slope": slope})


def rprelu(emitter: Emitter, layer: RPReLU, x: Value) -> Value:
    """PReLU between two shifts."""
    x = _affine(emitter, x, 1.0, -float64(layer.gamma).reshape(-1, 1, 1), part="shift")
    constants = {"slope": float64(layer.beta), "shift": float64(layer.zeta)}
    return emitter.emit("prelu", [x], x.channels, constants=constants)


def relu(emitter: Emitter, x: Value, inplace: bool = False) -> Value:
    """PReLU of slope 0."""
    return emitter.emit("prelu", [x], x.channels, constants={"slope": np.zeros(x.channels)})


def relu6(emitter: Emitter, x: Value, inplace: bool = False) -> Value:
    """Bounds 0 and 6."""
    return clamp(emitter, x, 0.0, 6.0)


def hardtanh(
    emitter: Emitter, x: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Value:
    """Bounds, -1 and 1 by default."""
    return clamp(emitter, x, min_val, max_val)


def clamp(emitter: Emitter, x: Value, min: Any = None, max: Any = None) -> Value:
    """Bounds; both must be numbers."""
    if not isinstance(min, Real) or not isinstance(max, Real):
        raise ExportError(f"bounds {min} and {max}: expected two numbers")
    return emitter.emit("clip", [x], x.channels, {"low": float(min), "high": float(max)})


# Arithmetic of layers and constants


def add(emitter: Emitter, x: Operand, other: Operand) -> Value:
    """Add two layers, or a layer and a constant."""
    if isinstance(x, Value) and isinstance(other, Value):
        return emitter.emit("add", [x, other], x.channels)
    value, constant = _apart(x, other)
    return _affine(emitter, value, 1.0, constant)


def sub(emitter: Emitter, x: Operand, other: Operand) -> Value:
    """Subtract a layer or a constant."""
    if isinstance(x, Value) and isinstance(other, Value):
        return add(emitter, x, _affine(emitter, other, -1.0, 0.0, part="negative"))
    if isinstance(other, Value):
        return _affine(emitter, other, -1.0, x)
    return _affine(emitter, x, 1.0, -_number(other))


def mul(emitter: Emitter, x: Operand, other: Operand) -> Value:
    """Multiply a layer by a constant."""
    if isinstance(x, Value) and isinstance(other, Value):
        raise ExportError("the product of two layers has no packed form")
    value, constant = _apart(x, other)
    return _affine(emitter, value, constant, 0.0)


def div(emitter: Emitter, x: Operand, other: Operand) -> Value:
    """Divide a layer by a constant."""
    if isinstance(other, Value):
        raise ExportError("division by a layer has no packed form")
    with np.errstate(divide="ignore"):  # the emitter refuses infinity
        return _affine(emitter, x, np.float64(1) / _number(other), 0.0)


def neg(emitter: Emitter, x: Value) -> Value:
    """y = -x."""
    return _affine(emitter, x, -1.0, 0.0)


def cat(emitter: Emitter, tensors: Sequence[Value], dim: int = 0) -> Value:
    """Join channels."""
    if dim not in (1, -3) and not (dim == -1 and all(value.single for value in tensors)):
        raise ExportError(f"dim={dim}: only channels (dim=1) can be concatenated")
    return emitter.emit("concat", list(tensors), sum(value.channels for value in tensors))


def _apart(x: Operand, other: Operand) -> tuple[Value, Constant]:
    """Tell the layer from the constant."""
    return (x, other) if isinstance(x, Value) else (other, x)


def _number(constant: Constant) -> np.ndarray:
    return np.asarray(constant, np.float64)


def _affine(emitter: Emitter, x: Value, scale: Constant, bias: Constant, part: str = "") -> Value:
    constants = {"scale": _by_channel(x, scale), "bias": _by_channel(x, bias)}
    return emitter.emit("affine", [x], x.channels, constants=constants, part=part)


def _by_channel(x: Value, constant: Constant) -> np.ndarray:
    """Return a number, or a tensor that varies along channels alone, as (channels,)."""
    numbers = _number(constant)
    shapes = [(x.channels, 1, 1), (1, x.channels, 1, 1)]
    if x.single:  # without its height and width
        shapes += [(x.channels,), (1, x.channels)]
    if numbers.size != 1 and numbers.shape not in shapes:
        expected = f"one number, or one for each of {x.channels} channels as (C, 1, 1)"
        raise ExportError(f"a constant of shape {numbers.shape}: expected {expected}")
    return np.broadcast_to(numbers.reshape(-1), x.channels)
