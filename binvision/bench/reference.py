"""Any packed model in plain NumPy: what engines and kernels are compared with before they race.

Nothing here uses the kernels that are measured. A convolution is a matrix product for each tap.
"""

from __future__ import annotations

import numpy as np

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes
from binvision.runtime.terms import window_of

__all__ = ["evaluate", "scales", "signs"]

Size = tuple[int, int]


def evaluate(model: PackedModel, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Compute every value of a model.

    Args:
        model: A packed model or its real-valued twin.
        inputs: (N, H, W, C): images of a packed model, or the input of a twin.

    Returns:
        Value name to float32 (N, h, w, c), the input included.
    """
    shapes = infer_shapes(model, inputs.shape[1:3])
    values = {model.input["name"]: inputs}
    for step in model.steps:
        given = [values[name] for name in step.inputs]
        values[step.output] = _evaluate(model, step, given, shapes[step.output][:2])
    return values


def signs(model: PackedModel, step: Step) -> np.ndarray:
    """Weights of a 1-bit convolution as float32 -1 and +1, (bases, KH, KW, Cin / groups, Cout)."""
    bits = model.tensor(step, "bits")
    inputs = step.attrs["in_channels"] // step.attrs["groups"]
    octets = np.ascontiguousarray(bits.swapaxes(2, 3)).astype("<u8").view(np.uint8)
    flat = np.unpackbits(octets, axis=-1, bitorder="little")[..., :inputs]
    weight = np.float32(2) * flat.swapaxes(2, 3) - np.float32(1)
    return weight.reshape(-1, *window_of(step, bits), *weight.shape[2:])


def scales(model: PackedModel, step: Step) -> np.ndarray:
    """Scales of a 1-bit convolution, (planes, bases, KH, KW, Cout) with equal ones repeated."""
    scale = model.tensor(step, "scale")
    rows, columns = window_of(step, model.tensor(step, "bits"))
    scale = scale.reshape(1, 1, 1, -1) if scale.ndim == 1 else scale
    planes, bases, taps, outputs = scale.shape
    whole = np.broadcast_to(scale, (planes, bases, rows * columns, outputs))
    return whole.reshape(planes, bases, rows, columns, outputs)


def _evaluate(model: PackedModel, step: Step, inputs: list[np.ndarray], size: Size) -> np.ndarray:
    tensors = {role: model.tensor(step, role) for role in step.tensors}
    x = inputs[0]
    match step.op:
        case "conv" | "binary_conv":
            dot = _real_dot if step.op == "conv" else _binary_dot
            y = dot(model, step, x, size) + tensors["bias"]
            return _prelu(y + inputs[1] if len(inputs) == 2 else y, tensors)
        case "avg_pool" | "max_pool":
            return _pooled(step, x, size)
        case "global_avg_pool":
            return x.mean(axis=(1, 2), keepdims=True)
        case "upsample":
            return _resized(x, size, step.attrs["mode"])
        case "clip":
            return np.clip(x, np.float32(step.attrs["low"]), np.float32(step.attrs["high"]))
        case "concat":
            return np.concatenate(inputs, axis=-1)
        case "add":
            return inputs[0] + inputs[1]
        case "prelu":
            return _prelu(x, tensors)
    return x * tensors["scale"] + tensors["bias"]


def _prelu(x: np.ndarray, tensors: dict[str, np.ndarray]) -> np.ndarray:
    x = np.where(x >= 0, x, x * tensors["slope"]) if "slope" in tensors else x
    return x + tensors["shift"] if "shift" in tensors else x


def _real_dot(model: PackedModel, step: Step, x: np.ndarray, size: Size) -> np.ndarray:
    """Scaled sum of products of numbers."""
    if "levels" in step.tensors:
        x = np.clip(np.rint(x * model.tensor(step, "levels")), -128, 127)
    x = x.astype(np.float32) - np.float32(step.attrs.get("offset", 0))
    dot = _convolve(x, model.tensor(step, "weight").astype(np.float32), step, size, 0)
    return dot * model.tensor(step, "scale") if "scale" in step.tensors else dot


def _binary_dot(model: PackedModel, step: Step, x: np.ndarray, size: Size) -> np.ndarray:
    """Scaled sum of products of signs; by tap or at once, as the scales ask for."""
    weight, scale = signs(model, step), scales(model, step)
    pad_value = step.attrs.get("pad_value", 0)
    total: np.ndarray = np.float32(0)  # type: ignore[assignment]
    for plane, threshold in enumerate(np.atleast_2d(model.tensor(step, "threshold"))):
        bits = np.where(x >= threshold, np.float32(1), np.float32(-1))
        for base, by_tap in zip(weight, scale[plane], strict=True):
            if (by_tap == by_tap[0, 0]).all():
                total = total + _convolve(bits, base, step, size, pad_value) * by_tap[0, 0]
            else:
                scaled = base * by_tap[:, :, None]
                total = total + _convolve(bits, scaled, step, size, pad_value)
    return total


def _convolve(
    x: np.ndarray, weight: np.ndarray, step: Step, size: Size, pad_value: float
) -> np.ndarray:
    attrs, groups = step.attrs, step.attrs["groups"]
    rows, columns, inputs, outputs = weight.shape
    top, left = attrs["padding"]
    x = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)), constant_values=pad_value)
    y = np.zeros((len(x), *size, outputs), np.float32)
    share = outputs // groups
    for i, j in np.ndindex(rows, columns):
        tap = _seen(x, (i * attrs["dilation"][0], j * attrs["dilation"][1]), step, size)
        for g in range(groups):
            part = np.ascontiguousarray(tap[..., g * inputs : (g + 1) * inputs])
            kernel = weight[i, j, :, g * share : (g + 1) * share]
            y[..., g * share : (g + 1) * share] += part @ kernel
    return y


def _seen(x: np.ndarray, first: Size, step: Step, size: Size) -> np.ndarray:
    """Pixels that one tap of every window sees."""
    (row, column), (down, right) = first, step.attrs["stride"]
    return x[:, row : row + down * size[0] : down, column : column + right * size[1] : right]


def _pooled(step: Step, x: np.ndarray, size: Size) -> np.ndarray:
    (rows, columns), (top, left) = step.attrs["kernel"], step.attrs["padding"]
    spare = [step.attrs["kernel"][i] + step.attrs["stride"][i] for i in (0, 1)]  # for ceil
    margin = ((0, 0), (top, top + spare[0]), (left, left + spare[1]), (0, 0))

    def taps(values: np.ndarray, fill: float) -> list[np.ndarray]:
        padded = np.pad(values, margin, constant_values=fill)
        return [_seen(padded, tap, step, size) for tap in np.ndindex(rows, columns)]

    if step.op == "max_pool":
        return np.maximum.reduce(taps(x, -np.inf))
    inside = np.ones((1, *x.shape[1:3], 1), np.float32)
    return np.add.reduce(taps(x, 0)) / np.add.reduce(taps(inside, 0))


def _resized(x: np.ndarray, size: Size, mode: str) -> np.ndarray:
    """Enlarge height and width, the one after the other."""
    for axis, count in zip((1, 2), size, strict=True):
        most, step = x.shape[axis] - 1, x.shape[axis] / count
        if mode == "nearest":
            x = x.take(np.floor(np.arange(count) * step).astype(np.int64).clip(0, most), axis)
            continue
        place = np.maximum(step * (np.arange(count) + 0.5) - 0.5, 0)
        first = np.floor(place).astype(np.int64)
        share = (place - first).astype(np.float32).reshape(-1, *[1] * (3 - axis))
        second = np.minimum(first + 1, most)
        x = x.take(first, axis) * (1 - share) + x.take(second, axis) * share
    return x
