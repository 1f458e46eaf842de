"""The operations of the packed format, and the check that a model obeys them.

Values between steps are NHWC float32; the input image is NHWC uint8. Channel counts are fixed in
the file and checked here; heights and widths are chosen when the model is planned.

    conv         real convolution of float32 values or of the image:
                 y = scale * sum(weight * (x - offset)) + bias, padding is zero after the offset;
                 with levels, x is first rounded to 8 bits: clamp(round(x * levels), -128, 127)
    binary_conv  1-bit convolution: a bit is x >= threshold (1 means +1, 0 means -1);
                 y = scale * (valid_bits - 2 * popcount(x_bits XOR bits)) + bias, where taps
                 outside the image count nothing, or have the sign pad_value;
                 or a sum of such terms, each with a scale of its own: over planes (several rows
                 of thresholds), over bases (several kernels) and over the taps of the window
                 both: an optional second input is added, then come an optional PReLU (slope)
                 and an optional shift
    avg_pool     mean over the window, padded elements not counted
    max_pool     maximum over the window
    global_avg_pool  mean over the whole picture
    upsample     larger by whole factors, or to the size of a second input
    concat       the channels of all inputs in order
    add          sum of two inputs
    prelu        x where x >= 0, else slope * x; then an optional shift is added
    affine       scale * x + bias
    clip         x bounded to low .. high
    correlate_channels  correlation of a value with an exemplar, channel by channel, at every
                 stride-th pixel, with zeros around the value: the mean of the products
    correlate_pixels  each pixel of a value with each pixel of an exemplar, which gives a channel
                 each: the mean of the products over the channels

Bits lie along channels, 64 to a uint64 word: channel c of a group in word c // 64, bit c % 64.
Bits beyond the last channel are zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from binvision.runtime.faults import fault, show
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.terms import planes_of, window_of

__all__ = [
    "EXEMPLAR_SIZE",
    "MAX_CHANNELS",
    "OPS",
    "Op",
    "output_channels",
    "place_of",
    "words_for",
]

MAX_PIXELS = 256  # stride, padding, dilation, window: far beyond any network
MAX_CHANNELS = 2**16
MAX_FACTOR = 16  # up-sampling
MAX_NUMBER = 3e38  # fits float32
MAX_TERMS = 16  # bases, and planes


Valid = tuple[str, Callable[[Any], bool]]


@dataclass(frozen=True)
class Op:
    """What a step of one operation must and may have.

    Attributes:
        inputs: Least and greatest number of inputs.
        channels: Checks the step's tensors against the channel counts of its inputs and gives the
            channel count of its output. An exemplar counts as channels, height and width.
        attrs: Name of an attribute that must be there to a pair (text of what is valid, test).
        optional_attrs: The same for attributes that may be there.
        required: Roles of the tensors that must be there.
        optional: Roles of the tensors that may be there.
        takes_image: Whether the first input may be the uint8 image.
        takes_exemplar: Whether the second input is an exemplar.
    """

    inputs: tuple[int, int]
    channels: Callable[[Step, list[int], dict[str, np.ndarray]], int]
    attrs: dict[str, Valid] = field(default_factory=dict)
    optional_attrs: dict[str, Valid] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    takes_image: bool = False
    takes_exemplar: bool = False


def words_for(channels: int) -> int:
    """Number of 64-bit words that hold ``channels`` bits."""
    return -(-channels // 64)


def output_channels(model: PackedModel, step: Step, channels: Mapping[str, int]) -> int:
    """Return the channels of a step's output, after checking its tensors and counts.

    Args:
        model: A model whose exemplars are checked.
        step: A step whose inputs, attributes and names of tensors are checked.
        channels: Channels of all values that are defined before it.

    Raises:
        ModelFileError: They do not fit.
    """
    counts = []
    for name in step.inputs:
        counts.append(channels[name])
        if name in model.exemplars:
            counts += model.exemplars[name][:2]
    tensors = {role: model.tensor(step, role) for role in step.tensors}
    return OPS[step.op].channels(step, counts, tensors)


def place_of(step: Step) -> str:
    """Name a step in a message."""
    return f"step {show(step.name)} ({step.op})"


def _expect(
    step: Step, role: str, tensor: np.ndarray, dtypes: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    if tensor.dtype.name not in dtypes:
        raise fault(place_of(step), f"dtype of {role}", " or ".join(dtypes), tensor.dtype.name)
    if tensor.shape != shape:
        raise fault(place_of(step), f"shape of {role}", str(shape), str(tensor.shape))


def _expect_vectors(
    step: Step, tensors: dict[str, np.ndarray], roles: tuple[str, ...], channels: int
) -> None:
    for role in roles:
        if role in tensors:
            _expect(step, role, tensors[role], ("float32",), (channels,))


# Channels and tensors, operation by operation


def _conv_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    weight = tensors["weight"]
    outputs = _kernel_outputs(step, "weight", weight, channels[0])
    rows, columns = weight.shape[:2]
    shape = (rows, columns, channels[0] // step.attrs["groups"], outputs)
    _expect(step, "weight", weight, ("int8", "float32"), shape)
    if "levels" in tensors:
        _check_levels(step, tensors, channels[0])
    _expect_vectors(step, tensors, ("scale", "bias", "slope", "shift"), outputs)
    _check_residual(step, channels, outputs)
    return outputs


def _check_levels(step: Step, tensors: dict[str, np.ndarray], channels: int) -> None:
    _expect(step, "levels", tensors["levels"], ("float32",), (channels,))
    if (tensors["levels"] <= 0).any():
        raise fault(place_of(step), "tensor levels", "positive numbers", "zero or negative ones")
    _expect(step, "weight", tensors["weight"], ("int8",), tensors["weight"].shape)
    if step.attrs["offset"] != 0:
        raise fault(place_of(step), "offset", "0 with levels", show(step.attrs["offset"]))


def _binary_conv_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    bits = tensors["bits"]
    if channels[0] != step.attrs["in_channels"]:
        raise fault(
            place_of(step), "in_channels", str(channels[0]), show(step.attrs["in_channels"])
        )
    outputs = _kernel_outputs(step, "bits", bits, channels[0])
    rows, columns = bits.shape[:2]
    bases = step.attrs.get("bases", 1)
    if rows % bases:
        raise fault(place_of(step), "bases", f"a divisor of {rows} rows of bits", show(bases))
    group_channels = channels[0] // step.attrs["groups"]
    shape = (rows, columns, words_for(group_channels), outputs)
    _expect(step, "bits", bits, ("uint64",), shape)
    spare = group_channels % 64
    if spare and (bits[:, :, -1, :] >> np.uint64(spare)).any():
        raise fault(place_of(step), "bits", f"zero beyond channel {group_channels}", "ones")
    _check_terms(step, tensors, channels[0], outputs)
    _expect_vectors(step, tensors, ("bias", "slope", "shift"), outputs)
    _check_residual(step, channels, outputs)
    return outputs


def _check_terms(step: Step, tensors: dict[str, np.ndarray], channels: int, outputs: int) -> None:
    """Check thresholds and scales: one row of each, or one for each plane and each term."""
    threshold, scale = tensors["threshold"], tensors["scale"]
    planes, bases = planes_of(threshold), step.attrs.get("bases", 1)
    if planes > MAX_TERMS:
        raise fault(place_of(step), "planes of threshold", f"at most {MAX_TERMS}", str(planes))
    shape = (channels,) if threshold.ndim == 1 else (planes, channels)
    _expect(step, "threshold", threshold, ("float32",), shape)
    if scale.ndim == 1 and planes == bases == 1:
        _expect(step, "scale", scale, ("float32",), (outputs,))
        return
    taps = math.prod(window_of(step, tensors["bits"]))
    per_tap = scale.ndim == 4 and scale.shape[2] == taps
    _expect(step, "scale", scale, ("float32",), (planes, bases, taps if per_tap else 1, outputs))


def _kernel_outputs(step: Step, role: str, kernel: np.ndarray, channels: int) -> int:
    """Output channels of a kernel, after checking its rank, window and groups."""
    if kernel.ndim != 4:
        raise fault(place_of(step), f"shape of {role}", "four sizes", str(kernel.shape))
    rows, columns = window_of(step, kernel)
    outputs = kernel.shape[3]
    if max(rows, columns) > MAX_PIXELS:
        raise fault(
            place_of(step), f"window of {role}", f"at most {MAX_PIXELS}", f"{rows}x{columns}"
        )
    groups = step.attrs["groups"]
    if channels % groups or outputs % groups:
        got = f"{groups} for {channels} inputs and {outputs} outputs"
        raise fault(place_of(step), "groups", "a divisor of both channel counts", got)
    return outputs


def _check_residual(step: Step, channels: list[int], outputs: int) -> None:
    if len(channels) == 2 and channels[1] != outputs:
        raise fault(place_of(step), "channels of the second input", str(outputs), str(channels[1]))


def _pool_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    kernel, padding = step.attrs["kernel"], step.attrs["padding"]
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise fault(
            place_of(step), "padding", f"at most half of the window {kernel}", show(padding)
        )
    return channels[0]


def _concat_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    return sum(channels)


def _add_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    if channels[0] != channels[1]:
        raise fault(
            place_of(step), "channels of the second input", str(channels[0]), str(channels[1])
        )
    return channels[0]


def _same_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    return channels[0]


def _upsample_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    if (len(channels) == 1) != ("factor" in step.attrs):
        expected = "a factor, or a second input that has the size"
        got = "both" if "factor" in step.attrs else "neither"
        raise fault(place_of(step), "size", expected, got)
    return channels[0]


def _clip_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    if step.attrs["low"] > step.attrs["high"]:
        raise fault(
            place_of(step), "high", f"at least {step.attrs['low']}", show(step.attrs["high"])
        )
    return channels[0]


def _per_channel(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    _expect_vectors(step, tensors, tuple(tensors), channels[0])
    return channels[0]


def _check_exemplar(step: Step, channels: int, exemplar_channels: int) -> None:
    if exemplar_channels != channels:
        got = str(exemplar_channels)
        raise fault(place_of(step), "channels of the exemplar", str(channels), got)


def _correlate_channels(step: Step, counts: list[int], tensors: dict[str, np.ndarray]) -> int:
    channels, exemplar_channels, height, width = counts
    _check_exemplar(step, channels, exemplar_channels)
    if height % 2 == 0 or width % 2 == 0:
        raise fault(place_of(step), "size of the exemplar", "odd sides", f"{height}x{width}")
    return channels


def _correlate_pixels(step: Step, counts: list[int], tensors: dict[str, np.ndarray]) -> int:
    channels, exemplar_channels, height, width = counts
    _check_exemplar(step, channels, exemplar_channels)
    return height * width


# Attributes


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= MAX_PIXELS


def _is_pair(value: Any, least: int) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(_is_whole(v, least) for v in value)
    )


def _is_exemplar_size(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and _is_pair(value[:2], 1)
        and _is_channel_count(value[2])
    )


def _is_channel_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_CHANNELS


def _is_offset(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 255


def _is_term_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_TERMS


_POSITIVE_PAIR = (f"two whole numbers from 1 to {MAX_PIXELS}", lambda v: _is_pair(v, 1))
_PAIR = (f"two whole numbers from 0 to {MAX_PIXELS}", lambda v: _is_pair(v, 0))
_COUNT = (f"a whole number from 1 to {MAX_CHANNELS}", _is_channel_count)
EXEMPLAR_SIZE: Valid = (
    f"height and width from 1 to {MAX_PIXELS}, channels from 1 to {MAX_CHANNELS}",
    _is_exemplar_size,
)
_CONV_ATTRS = {
    "stride": _POSITIVE_PAIR,
    "padding": _PAIR,
    "dilation": _POSITIVE_PAIR,
    "groups": _COUNT,
}
_NUMBER = ("a finite number", lambda v: type(v) in (int, float) and abs(v) <= MAX_NUMBER)
_POOL_ATTRS = {
    "kernel": _POSITIVE_PAIR,
    "stride": _POSITIVE_PAIR,
    "padding": _PAIR,
    "ceil": ("true or false", lambda v: type(v) is bool),
}

OPS = {
    "conv": Op(
        inputs=(1, 2),
        channels=_conv_channels,
        attrs={**_CONV_ATTRS, "offset": ("a number from 0 to 255", _is_offset)},
        required=("weight", "scale", "bias"),
        optional=("slope", "shift", "levels"),
        takes_image=True,
    ),
    "binary_conv": Op(
        inputs=(1, 2),
        channels=_binary_conv_channels,
        attrs={**_CONV_ATTRS, "in_channels": _COUNT},
        optional_attrs={
            "bases": (f"a whole number from 1 to {MAX_TERMS}", _is_term_count),
            "pad_value": ("0, 1 or -1", lambda v: type(v) is int and v in (0, 1, -1)),
        },
        required=("threshold", "bits", "scale", "bias"),
        optional=("slope", "shift"),
    ),
    "avg_pool": Op(inputs=(1, 1), channels=_pool_channels, attrs=_POOL_ATTRS),
    "max_pool": Op(inputs=(1, 1), channels=_pool_channels, attrs=_POOL_ATTRS),
    "global_avg_pool": Op(inputs=(1, 1), channels=_same_channels),
    "upsample": Op(
        inputs=(1, 2),
        channels=_upsample_channels,
        attrs={"mode": ("'nearest' or 'bilinear'", lambda v: v in ("nearest", "bilinear"))},
        optional_attrs={
            "factor": (
                f"two whole numbers from 1 to {MAX_FACTOR}",
                lambda v: _is_pair(v, 1) and max(v) <= MAX_FACTOR,
            )
        },
    ),
    "concat": Op(inputs=(1, 64), channels=_concat_channels),
    "add": Op(inputs=(2, 2), channels=_add_channels),
    "prelu": Op(inputs=(1, 1), channels=_per_channel, required=("slope",), optional=("shift",)),
    "affine": Op(inputs=(1, 1), channels=_per_channel, required=("scale", "bias")),
    "clip": Op(inputs=(1, 1), channels=_clip_channels, attrs={"low": _NUMBER, "high": _NUMBER}),
    "correlate_channels": Op(
        inputs=(2, 2),
        channels=_correlate_channels,
        attrs={"stride": _POSITIVE_PAIR},
        takes_exemplar=True,
    ),
    "correlate_pixels": Op(inputs=(2, 2), channels=_correlate_pixels, takes_exemplar=True),
}
