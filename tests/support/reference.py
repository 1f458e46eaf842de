"""The truth that never moves: every step of the packed format in plain NumPy, slow and obvious.

Nothing here knows words, tiles or borders. Integers are exact; epilogues are float32 in the order
that the format fixes, so that integer convolutions can be compared bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.runtime import PackedModel, Step

__all__ = [
    "convolution_sums",
    "correlation",
    "correlation_by_channel",
    "epilogue",
    "interpret",
    "pack",
    "pooled",
    "resized",
    "sign_sums",
    "term_sums",
    "unpack",
]


def interpret(
    model: PackedModel, images: np.ndarray, exemplars: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Every value of a model for uint8 images (N, H, W, 3) and exemplars (h, w, C)."""
    values: dict[str, np.ndarray] = {model.input["name"]: images, **(exemplars or {})}
    for step in model.steps:
        tensors = {role: model.tensor(step, role) for role in step.tensors}
        values[step.output] = _run(step, tensors, [values[name] for name in step.inputs])
    return values


def _run(step: Step, tensors: dict[str, np.ndarray], inputs: list[np.ndarray]) -> np.ndarray:
    x, attrs = inputs[0], step.attrs
    match step.op:
        case "conv":
            if "levels" in tensors:
                x = np.clip(np.rint(x * tensors["levels"]), -128, 127).astype(np.int64)
            else:
                x = x - np.float64(attrs["offset"])
            sums = convolution_sums(x, tensors["weight"], attrs)
            return epilogue(sums, tensors, inputs[1:])
        case "binary_conv":
            weight = unpack(tensors["bits"], attrs["in_channels"] // attrs["groups"])
            if tensors["scale"].ndim == 1:
                sums = sign_sums(x, tensors["threshold"], weight, attrs)
                return epilogue(sums, tensors, inputs[1:])
            thresholds = tensors["threshold"].reshape(-1, attrs["in_channels"])
            bases = weight.reshape(attrs.get("bases", 1), -1, *weight.shape[1:])
            total = term_sums(x, thresholds, bases, tensors["scale"], attrs)
            return epilogue(total, {**tensors, "scale": np.float32(1)}, inputs[1:])
        case "avg_pool" | "max_pool":
            return pooled(x, attrs, np.max if step.op == "max_pool" else np.mean)
        case "global_avg_pool":
            return x.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
        case "upsample":
            rows, columns = attrs.get("factor", (1, 1))
            size = (x.shape[1] * rows, x.shape[2] * columns)
            return resized(x, inputs[1].shape[1:3] if len(inputs) == 2 else size, attrs["mode"])
        case "clip":
            return np.clip(x, np.float32(attrs["low"]), np.float32(attrs["high"]))
        case "concat":
            return np.concatenate(inputs, -1)
        case "add":
            return inputs[0] + inputs[1]
        case "prelu":
            return np.where(x >= 0, x, x * tensors["slope"]) + tensors.get("shift", np.float32(0))
        case "affine":
            return x * tensors["scale"] + tensors["bias"]
        case "correlate_channels":
            return correlation_by_channel(x, inputs[1], attrs["stride"])
        case "correlate_pixels":
            sums = np.einsum("nyxc,ijc->nyxij", x, inputs[1].astype(np.float64))
            return (sums / x.shape[3]).reshape(*x.shape[:3], -1).astype(np.float32)
    raise AssertionError(step.op)


def correlation_by_channel(
    x: np.ndarray, exemplar: np.ndarray, stride: tuple[int, int]
) -> np.ndarray:
    """Mean products of each channel at every ``stride``-th pixel, zeros around ``x``."""
    rows, columns, channels = exemplar.shape
    around = ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0))
    wide = np.pad(x.astype(np.float64), around)
    y = np.empty((len(x), -(-x.shape[1] // stride[0]), -(-x.shape[2] // stride[1]), channels))
    for i, j in np.ndindex(y.shape[1:3]):
        top, left = i * stride[0], j * stride[1]
        seen = wide[:, top : top + rows, left : left + columns]
        y[:, i, j] = (seen * exemplar).mean(axis=(1, 2))
    return y.astype(np.float32)


def sign_sums(
    x: np.ndarray, threshold: np.ndarray, weight: np.ndarray, attrs: dict[str, Any]
) -> np.ndarray:
    """Sums of products of signs, the padding being 0 or ``attrs["pad_value"]``."""
    signs = np.where(x >= threshold, 1, -1)
    pad_value = attrs.get("pad_value", 0)
    if pad_value:
        vertical, horizontal = ((pad, pad) for pad in attrs["padding"])
        around = ((0, 0), vertical, horizontal, (0, 0))
        signs = np.pad(signs, around, constant_values=pad_value)
        attrs = {**attrs, "padding": (0, 0)}
    return convolution_sums(signs, weight, attrs)


def term_sums(
    x: np.ndarray, thresholds: np.ndarray, bases: np.ndarray, scale: np.ndarray,
    attrs: dict[str, Any],
) -> np.ndarray:  # fmt: skip
    """Float32 sum of scale times sums of signs, over planes, bases and taps in this order.

    ``thresholds`` (planes, C), ``bases`` (bases, KH, KW, C / groups, O) of signs, ``scale``
    (planes, bases, taps, O) with taps 1 or KH * KW. A tap alone is the kernel with zeros around.
    """
    total = np.float32(0)
    for plane, base, tap in np.ndindex(scale.shape[:3]):
        weight = bases[base]
        if scale.shape[2] > 1:
            alone = np.zeros(weight.shape[:2], weight.dtype)
            alone.reshape(-1)[tap] = 1
            weight = weight * alone[:, :, None, None]
        sums = sign_sums(x, thresholds[plane], weight, attrs)
        total = total + sums.astype(np.float32) * scale[plane, base, tap]
    return total


def convolution_sums(x: np.ndarray, weight: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    """Sums over the taps inside the picture: x (N, H, W, C), weight (KH, KW, C / groups, O)."""
    rows, columns, inputs, outputs = weight.shape
    out_h, out_w = (
        (
            x.shape[1 + i]
            + 2 * attrs["padding"][i]
            - attrs["dilation"][i] * (weight.shape[i] - 1)
            - 1
        )
        // attrs["stride"][i]
        + 1
        for i in (0, 1)
    )
    groups = attrs["groups"]
    kind = np.int64 if x.dtype.kind in "iu" else np.float64
    sums = np.zeros((x.shape[0], out_h, out_w, outputs), kind)
    share = outputs // groups
    for y, column, i, j, g in np.ndindex(out_h, out_w, rows, columns, groups):
        in_y = y * attrs["stride"][0] - attrs["padding"][0] + i * attrs["dilation"][0]
        in_x = column * attrs["stride"][1] - attrs["padding"][1] + j * attrs["dilation"][1]
        if 0 <= in_y < x.shape[1] and 0 <= in_x < x.shape[2]:
            taken = x[:, in_y, in_x, g * inputs : (g + 1) * inputs].astype(kind)
            kernel = weight[i, j, :, g * share : (g + 1) * share].astype(kind)
            sums[:, y, column, g * share : (g + 1) * share] += taken @ kernel
    return sums


def epilogue(
    sums: np.ndarray, tensors: dict[str, np.ndarray], residuals: list[np.ndarray]
) -> np.ndarray:
    """``PReLU(scale * sums + bias + residual) + shift``, rounded to float32 at every step."""
    y = sums.astype(np.float32) * tensors["scale"]
    y = y + tensors["bias"]
    for residual in residuals:
        y = y + residual
    y = np.where(y >= 0, y, y * tensors["slope"]) if "slope" in tensors else y
    return y + tensors["shift"] if "shift" in tensors else y


def unpack(bits: np.ndarray, channels: int) -> np.ndarray:
    """Signs (KH, KW, channels, O) of packed bits (KH, KW, words, O), one bit at a time."""
    signs = np.empty((*bits.shape[:2], channels, bits.shape[3]), np.int64)
    for channel in range(channels):
        bit = (bits[:, :, channel // 64] >> np.uint64(channel % 64)) & np.uint64(1)
        signs[:, :, channel] = 2 * bit.astype(np.int64) - 1
    return signs


def pack(x: np.ndarray, threshold: np.ndarray, groups: int) -> np.ndarray:
    """Words (..., groups * words) of the signs of x (..., C), one bit at a time."""
    share = x.shape[-1] // groups
    words = -(-share // 64)
    packed = np.zeros((*x.shape[:-1], groups * words), np.uint64)
    for channel in range(x.shape[-1]):
        group, place = divmod(channel, share)
        bit = (x[..., channel] >= threshold[channel]).astype(np.uint64)
        packed[..., group * words + place // 64] |= bit << np.uint64(place % 64)
    return packed


def pooled(x: np.ndarray, attrs: dict[str, Any], reduce: Any) -> np.ndarray:
    """Windows cut to the picture and reduced; a last window must begin inside or before it."""
    starts = []
    for i in (0, 1):
        size, window = x.shape[1 + i], attrs["kernel"][i]
        stride, padding = attrs["stride"][i], attrs["padding"][i]
        last = size + padding - 1 if attrs["ceil"] else size + 2 * padding - window
        places = range(0, last + 1, stride)
        if attrs["ceil"]:  # one window that hangs over, not more
            places = [p for p in places if p - stride + window < size + 2 * padding or p == 0]
        starts.append([p - padding for p in places])
    out = np.empty((x.shape[0], len(starts[0]), len(starts[1]), x.shape[3]), np.float32)
    for (a, top), (b, left) in (
        (row, column) for row in enumerate(starts[0]) for column in enumerate(starts[1])
    ):
        inside = x[
            :,
            max(top, 0) : top + attrs["kernel"][0],
            max(left, 0) : left + attrs["kernel"][1],
        ]
        out[:, a, b] = reduce(inside, axis=(1, 2))
    return out


def resized(x: np.ndarray, size_hw: tuple[int, int], mode: str) -> np.ndarray:
    """Pixels of (N, H, W, C) at the centres of a larger grid, one output pixel at a time."""
    out = np.empty((len(x), *size_hw, x.shape[3]))
    for place in np.ndindex(*size_hw):
        near, far, weights = [], [], []
        for i in (0, 1):
            size, step = x.shape[1 + i], np.float32(x.shape[1 + i]) / np.float32(size_hw[i])
            exact = float(np.float32(place[i]) * step)
            if mode == "bilinear":
                exact = max((place[i] + 0.5) * x.shape[1 + i] / size_hw[i] - 0.5, 0)
            near.append(min(int(exact), size - 1))
            far.append(min(near[i] + 1, size - 1))
            weights.append(exact - near[i] if mode == "bilinear" else 0)
        (a, b), (y, z), (p, q) = near, far, weights
        upper = (1 - q) * x[:, a, b] + q * x[:, a, z]
        lower = (1 - q) * x[:, y, b] + q * x[:, y, z]
        out[:, place[0], place[1]] = (1 - p) * upper + p * lower
    return out.astype(np.float32)


def correlation(exemplar: np.ndarray, search: np.ndarray) -> np.ndarray:
    """Sums of products of (kh, kw, C) at each place of (N, H, W, C), in float64."""
    rows, columns, _ = exemplar.shape
    out = np.empty((len(search), search.shape[1] - rows + 1, search.shape[2] - columns + 1))
    for y, x in np.ndindex(*out.shape[1:]):
        window = search[:, y : y + rows, x : x + columns].astype(np.float64)
        out[:, y, x] = (window * exemplar).sum(axis=(1, 2, 3))
    return out
