"""Lowering of layers that change the size of a picture, and of sizes themselves."""

from __future__ import annotations

from typing import Any

from torch import nn

from binvision.errors import ExportError
from binvision.export.emitter import Emitter, pair
from binvision.export.graph import Size, Value

__all__ = [
    "adaptive_avg_pool",
    "avg_pool",
    "avg_pool_layer",
    "flatten",
    "interpolate",
    "max_pool",
    "max_pool_layer",
    "mean",
    "shape_of",
    "size_of",
    "take",
    "upsample_layer",
]


def avg_pool(
    emitter: Emitter,
    x: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    """Mean over a window; padding must not be counted."""
    if divisor_override is not None:
        raise ExportError("divisor_override has no packed form")
    if count_include_pad and any(pair(padding)):
        raise ExportError("average over padded zeros has no packed form: count_include_pad=False")
    return _pool(emitter, "avg_pool", x, kernel_size, stride, padding, ceil_mode)


def max_pool(
    emitter: Emitter,
    x: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    """Maximum over a window."""
    if return_indices or pair(dilation) != (1, 1):
        raise ExportError("return_indices and dilation have no packed form")
    return _pool(emitter, "max_pool", x, kernel_size, stride, padding, ceil_mode)


def _pool(
    emitter: Emitter, op: str, x: Value, kernel: Any, stride: Any, padding: Any, ceil: bool
) -> Value:
    attrs = {
        "kernel": pair(kernel),
        "stride": pair(stride or kernel),
        "padding": pair(padding),
        "ceil": bool(ceil),
    }
    return emitter.emit(op, [x], x.channels, attrs)


def avg_pool_layer(emitter: Emitter, layer: nn.AvgPool2d, x: Value) -> Value:
    """``nn.AvgPool2d``."""
    return avg_pool(
        emitter,
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.count_include_pad,
        layer.divisor_override,
    )


def max_pool_layer(emitter: Emitter, layer: nn.MaxPool2d, x: Value) -> Value:
    """``nn.MaxPool2d``."""
    return max_pool(
        emitter,
        x,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
        layer.return_indices,
    )


# One pixel


def adaptive_avg_pool(emitter: Emitter, x: Value, output_size: Any) -> Value:
    """Mean over the whole picture; no other output size."""
    if output_size not in (1, (1, 1), [1, 1]):
        raise ExportError(f"output size {output_size}: only 1, the global mean, has a packed form")
    return emitter.emit("global_avg_pool", [x], x.channels)


def mean(
    emitter: Emitter, x: Value, dim: Any = None, keepdim: bool = False, *, axis: Any = None
) -> Value:
    """Mean over height and width, which is a global average pool."""
    dims = dim if axis is None else axis
    if not isinstance(dims, tuple | list) or sorted(d % 4 for d in dims) != [2, 3]:
        raise ExportError(
            f"mean over {dims}: only height and width (dim=(2, 3)) have a packed form"
        )
    return emitter.emit("global_avg_pool", [x], x.channels)


def flatten(emitter: Emitter, x: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    """Drop height and width of one pixel."""
    if start_dim != 1 or end_dim not in (-1, 3) or not x.single:
        remedy = "pool it before, with AdaptiveAvgPool2d(1), and flatten from dim 1"
        raise ExportError(f"flattens more than one pixel: {remedy}")
    return x


# Larger pictures


def upsample_layer(emitter: Emitter, layer: nn.Upsample, x: Value) -> Value:
    """``nn.Upsample``."""
    return interpolate(emitter, x, layer.size, layer.scale_factor, layer.mode, layer.align_corners)


def interpolate(
    emitter: Emitter,
    x: Value,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    """Nearest or bilinear, by whole factors or to the height and width of another value."""
    if mode not in ("nearest", "bilinear"):
        raise ExportError(f"mode {mode!r}: only 'nearest' and 'bilinear' have a packed form")
    if align_corners or antialias:
        raise ExportError("align_corners and antialias have no packed form")
    if isinstance(size, Size) and size.is_pair:
        return emitter.emit("upsample", [x, size.of], x.channels, {"mode": mode})
    if size is not None:
        remedy = "give scale_factor, or the size of another value as y.shape[-2:]"
        raise ExportError(f"a fixed size has no packed form: {remedy}")
    factors = scale_factor if isinstance(scale_factor, tuple | list) else [scale_factor] * 2
    if any(factor != int(factor) for factor in factors):
        raise ExportError(f"scale_factor {scale_factor}: only whole factors have a packed form")
    attrs = {"mode": mode, "factor": pair([int(factor) for factor in factors])}
    return emitter.emit("upsample", [x], x.channels, attrs)


def shape_of(emitter: Emitter, x: Value, name: str) -> Size:
    """``x.shape``."""
    if name != "shape":
        raise ExportError(f"attribute {name!r} of a tensor has no packed form")
    return Size(x)


def size_of(emitter: Emitter, x: Value) -> Size:
    """``x.size()``."""
    return Size(x)


def take(emitter: Emitter, size: Size, index: Any) -> Size:
    """``shape[-2:]``: the only part of a shape that a layer may read, for ``interpolate``."""
    if not isinstance(size, Size) or index not in (slice(-2, None), slice(2, None)):
        raise ExportError(f"index {index}: only shape[-2:], for interpolate, has a packed form")
    return Size(size.of, is_pair=True)
