"""A packed model run step by step with PyTorch: a second opinion on what the exporter wrote.

It shares no code with the exporter, the runtime or the kernels: bits are unpacked one by one, and
a 1-bit convolution is an ordinary convolution of -1, 0 and +1, whose float32 sums are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from binvision.runtime import PackedModel, Step

__all__ = ["Values", "evaluate", "integer_dots", "run_step", "unpack_bits"]

Values = dict[str, Tensor]


def evaluate(model: PackedModel, images: np.ndarray) -> Values:
    """Every value of the model for uint8 images (N, H, W, 3), as float32 (N, C, H, W)."""
    values: Values = {model.input["name"]: torch.from_numpy(images).permute(0, 3, 1, 2).float()}
    for step in model.steps:
        values[step.output] = run_step(model, step, [values[name] for name in step.inputs])
    return values


def integer_dots(model: PackedModel, step: Step, x: Tensor) -> Tensor:
    """Integers that a 1-bit step accumulates for an input (N, C, H, W), before its scale."""
    threshold = _vector(model, step, "threshold")
    signs = torch.where(x >= threshold, 1.0, -1.0)
    weight = torch.from_numpy(unpack_bits(model.tensor(step, "bits"), _group_channels(step)))
    geometry = _geometry(step)
    if step.attrs.get("pad_value", 0):
        rows, columns = geometry["padding"]
        around = [columns, columns, rows, rows]
        signs = F.pad(signs, around, value=float(step.attrs["pad_value"]))
        geometry["padding"] = 0
    return F.conv2d(signs, weight.float(), **geometry)


def _sum_of_taps(model: PackedModel, step: Step, x: Tensor) -> Tensor:
    """Sum of a step of one plane and base whose taps have scales of their own."""
    bits = model.tensor(step, "bits")
    scale = torch.from_numpy(np.array(model.tensor(step, "scale")))  # 1, 1, taps, O
    weight = torch.from_numpy(unpack_bits(bits, _group_channels(step))).float()
    signs = torch.where(x >= _vector(model, step, "threshold"), 1.0, -1.0)
    total = torch.zeros(())
    for i, j in np.ndindex(*bits.shape[:2]):
        alone = torch.zeros_like(weight)
        alone[:, :, i, j] = weight[:, :, i, j]
        total = (
            total
            + F.conv2d(signs, alone, **_geometry(step))
            * scale[0, 0, i * bits.shape[1] + j, :, None, None]
        )
    return total


def unpack_bits(bits: np.ndarray, channels: int) -> np.ndarray:
    """Signs (O, C, KH, KW) of packed bits (KH, KW, words, O), read one at a time."""
    rows, columns, _, outputs = bits.shape
    signs = np.empty((outputs, channels, rows, columns), np.int8)
    for channel in range(channels):
        words = bits[:, :, channel // 64, :]
        is_plus = (words >> np.uint64(channel % 64)) & np.uint64(1)
        signs[:, channel] = np.where(is_plus == 1, 1, -1).transpose(2, 0, 1)
    return signs


def run_step(model: PackedModel, step: Step, inputs: list[Tensor]) -> Tensor:
    """Output of one step for its inputs (N, C, H, W)."""
    x, attrs = inputs[0], step.attrs
    match step.op:
        case "conv":
            weight = torch.from_numpy(np.array(model.tensor(step, "weight"))).permute(3, 2, 0, 1)
            if "levels" in step.tensors:
                x = (x * _vector(model, step, "levels")).round().clamp(-128, 127)
            total = F.conv2d(x - attrs["offset"], weight.float(), **_geometry(step))
            return _epilogue(model, step, total, inputs[1:])
        case "binary_conv":
            if model.tensor(step, "scale").ndim > 1:
                return _epilogue(model, step, _sum_of_taps(model, step, x), inputs[1:])
            return _epilogue(model, step, integer_dots(model, step, x), inputs[1:])
        case "avg_pool":
            return F.avg_pool2d(x, **_pool(step), count_include_pad=False)
        case "max_pool":
            return F.max_pool2d(x, **_pool(step))
        case "global_avg_pool":
            return x.mean((2, 3), keepdim=True)
        case "upsample":
            factor = attrs.get("factor", (1, 1))
            size = [x.shape[2 + i] * factor[i] for i in (0, 1)]
            size = list(inputs[1].shape[2:]) if len(inputs) == 2 else size
            return F.interpolate(x, size=size, mode=attrs["mode"])
        case "clip":
            return x.clamp(attrs["low"], attrs["high"])
        case "concat":
            return torch.cat(inputs, 1)
        case "add":
            return inputs[0] + inputs[1]
        case "prelu":
            return _shifted(model, step, _prelu(x, _vector(model, step, "slope")))
        case "affine":
            return x * _vector(model, step, "scale") + _vector(model, step, "bias")
        case "correlate_channels":
            exemplar = inputs[1]
            rows, columns = exemplar.shape[2:]
            total = F.conv2d(
                x, exemplar[0, :, None], stride=attrs["stride"], groups=x.shape[1],
                padding=(rows // 2, columns // 2),
            )  # fmt: skip
            return total / (rows * columns)
        case "correlate_pixels":
            return F.conv2d(x, inputs[1][0].flatten(1).T[:, :, None, None]) / x.shape[1]
    raise AssertionError(step.op)


def _epilogue(model: PackedModel, step: Step, total: Tensor, residuals: list[Tensor]) -> Tensor:
    if model.tensor(step, "scale").ndim == 1:
        total = total * _vector(model, step, "scale")
    y = total + _vector(model, step, "bias")
    for residual in residuals:
        assert residual.shape == y.shape
        y = y + residual
    y = _prelu(y, _vector(model, step, "slope")) if "slope" in step.tensors else y
    return _shifted(model, step, y)


def _shifted(model: PackedModel, step: Step, y: Tensor) -> Tensor:
    return y + _vector(model, step, "shift") if "shift" in step.tensors else y


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


def _vector(model: PackedModel, step: Step, role: str) -> Tensor:
    return torch.from_numpy(np.array(model.tensor(step, role))).view(-1, 1, 1)


def _geometry(step: Step) -> dict[str, Any]:
    names = ("stride", "padding", "dilation", "groups")
    return {name: step.attrs[name] for name in names}


def _group_channels(step: Step) -> int:
    return step.attrs["in_channels"] // step.attrs["groups"]


def _pool(step: Step) -> dict[str, object]:
    attrs = step.attrs
    return {
        "kernel_size": attrs["kernel"],
        "stride": attrs["stride"],
        "padding": attrs["padding"],
        "ceil_mode": attrs["ceil"],
    }
