"""The operations of the packed format, and the check that a model obeys them.

Values between steps are NHWC float32; the input image is NHWC uint8. Channel counts are fixed in
the file and checked here; heights and widths are chosen when the model is planned.

    conv         real convolution of float32 values or of the image:
                 y = scale * sum(weight * (x - offset)) + bias, padding is zero after the offset;
                 with levels, x is first rounded to 8 bits: clamp(round(x * levels), -128, 127)
    binary_conv  1-bit convolution: a bit is x >= threshold (1 means +1, 0 means -1);
                 y = scale * (valid_bits - 2 * popcount(x_bits XOR bits)) + bias, where taps
                 outside the image count nothing
                 both: an optional second input is added, then an optional PReLU (slope)
    avg_pool     mean over the window, padded elements not counted
    max_pool     maximum over the window
    concat       the channels of all inputs in order
    add          sum of two inputs
    prelu        x where x >= 0, else slope * x
    affine       scale * x + bias

Bits lie along channels, 64 to a uint64 word: channel c of a group in word c // 64, bit c % 64.
Bits beyond the last channel are zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from binvision.runtime.faults import fault, show
from binvision.runtime.model import PackedModel, Step

__all__ = ["FORMAT_VERSION", "OPS", "Op", "check_model", "words_for"]

FORMAT_VERSION = 1
INPUT = {"channels": 3, "dtype": "uint8", "order": "bgr"}
MAX_PIXELS = 256  # stride, padding, dilation, window: far beyond any network
MAX_CHANNELS = 2**16
MAX_NAME = 200

_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,{MAX_NAME - 1}}}")
_TASK = re.compile(r"[a-z]+(/[a-z0-9_\-]+)*")


@dataclass(frozen=True)
class Op:
    """What a step of one operation must and may have.

    Attributes:
        inputs: Least and greatest number of inputs.
        channels: Checks the step's tensors against the channel counts of its inputs and gives the
            channel count of its output.
        attrs: Attribute name to a pair (text of what is valid, test).
        required: Roles of the tensors that must be there.
        optional: Roles of the tensors that may be there.
        takes_image: Whether the first input may be the uint8 image.
    """

    inputs: tuple[int, int]
    channels: Callable[[Step, list[int], dict[str, np.ndarray]], int]
    attrs: dict[str, tuple[str, Callable[[Any], bool]]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    takes_image: bool = False


def words_for(channels: int) -> int:
    """Number of 64-bit words that hold ``channels`` bits."""
    return -(-channels // 64)


def check_model(model: PackedModel) -> None:
    """Prove that a model can be planned and run: names, references, shapes, dtypes, values.

    Raises:
        ModelFileError: Something is wrong; the message names the step and the tensor.
    """
    _check_head(model)
    channels = {model.input["name"]: model.input["channels"]}
    names: set[str] = set()
    for step in model.steps:
        _check_names(step, names, channels)
        op = OPS[step.op]
        _check_inputs(step, op, channels, model.input["name"])
        _check_attrs(step, op)
        tensors = _check_tensors(step, op, model.tensors)
        names.add(step.name)
        count = op.channels(step, [channels[i] for i in step.inputs], tensors)
        if count > MAX_CHANNELS:
            raise fault(_at(step), "output channels", f"at most {MAX_CHANNELS}", str(count))
        channels[step.output] = count
    _check_outputs(model, channels)


# What surrounds the steps


def _check_head(model: PackedModel) -> None:
    if not _NAME.fullmatch(model.name):
        raise fault("model", "name", "letters, digits, '-', '_', '.'", show(model.name))
    if not _TASK.fullmatch(model.task):
        raise fault("model", "task", "a task like 'tracking/siamfc'", show(model.task))
    if set(model.input) != {"name", *INPUT}:
        raise fault("input", "keys", "name, channels, dtype, order", show(sorted(model.input)))
    for key, value in INPUT.items():
        if model.input[key] != value:
            raise fault("input", key, show(value), show(model.input[key]))
    if not _is_name(model.input["name"]):
        raise fault("input", "name", "letters, digits, '-', '_', '.'", show(model.input["name"]))
    if not model.steps:
        raise fault("model", "steps", "at least one", "none")


def _check_outputs(model: PackedModel, channels: dict[str, int]) -> None:
    defined = [value for value in channels if value != model.input["name"]]
    if not model.outputs or len(set(model.outputs)) != len(model.outputs):
        raise fault("model", "outputs", "at least one, each once", show(list(model.outputs)))
    for output in model.outputs:
        if output not in defined:
            raise fault("model", "output", "the output of a step", show(output))
    read = {value for step in model.steps for value in step.inputs} | set(model.outputs)
    for step in model.steps:
        if step.output not in read:
            raise fault(_at(step), "output", "a value that is read", f"{show(step.output)}, unread")
    used = {name for step in model.steps for name in step.tensors.values()}
    for name in model.tensors:
        if name not in used:
            raise fault(f"tensor {show(name)}", "use", "a step that uses it", "none")


# A step


def _at(step: Step) -> str:
    return f"step {show(step.name)} ({step.op})"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _check_names(step: Step, names: set[str], values: dict[str, int]) -> None:
    where = f"step {show(step.name)}"
    if step.op not in OPS:
        remedy = "upgrade binvision, or export the model again"
        raise fault(where, "unknown operation", " or ".join(OPS), show(step.op), remedy)
    for what, name in (("name", step.name), ("output", step.output)):
        if not _is_name(name):
            raise fault(where, what, "letters, digits, '-', '_', '.'", show(name))
    if step.name in names:
        raise fault(_at(step), "name", "a new name", "the name of an earlier step")
    if step.output in values:
        raise fault(_at(step), "output", "a new value", f"{show(step.output)}, defined before")


def _check_inputs(step: Step, op: Op, values: dict[str, int], image: str) -> None:
    least, most = op.inputs
    if not least <= len(step.inputs) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise fault(_at(step), "number of inputs", expected, str(len(step.inputs)))
    for position, value in enumerate(step.inputs):
        if value not in values:
            raise fault(_at(step), "input", "a value defined before this step", show(value))
        takes_image = op.takes_image and position == 0 and "levels" not in step.tensors
        if value == image and not takes_image:
            raise fault(_at(step), "input", "a float32 value", f"the uint8 image {show(value)}")


def _check_attrs(step: Step, op: Op) -> None:
    if set(step.attrs) != set(op.attrs):
        expected = ", ".join(sorted(op.attrs)) or "none"
        raise fault(_at(step), "attributes", expected, show(sorted(step.attrs)))
    for name, (expected, is_valid) in op.attrs.items():
        if not is_valid(step.attrs[name]):
            raise fault(_at(step), name, expected, show(step.attrs[name]))


def _check_tensors(step: Step, op: Op, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    roles = set(step.tensors)
    allowed = {*op.required, *op.optional}
    if not roles >= set(op.required) or not roles <= allowed:
        expected = ", ".join(op.required) or "none"
        if op.optional:
            expected += f" and perhaps {', '.join(op.optional)}"
        raise fault(_at(step), "tensors", expected, show(sorted(roles)))
    for role, name in step.tensors.items():
        if name not in tensors:
            raise fault(_at(step), f"tensor {role}", "a tensor of this file", show(name))
        tensor = tensors[name]
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise fault(_at(step), f"tensor {role}", "finite numbers", "NaN or infinity")
    return {role: tensors[name] for role, name in step.tensors.items()}


def _expect(
    step: Step, role: str, tensor: np.ndarray, dtypes: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    if tensor.dtype.name not in dtypes:
        raise fault(_at(step), f"dtype of {role}", " or ".join(dtypes), tensor.dtype.name)
    if tensor.shape != shape:
        raise fault(_at(step), f"shape of {role}", str(shape), str(tensor.shape))


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
    _expect_vectors(step, tensors, ("scale", "bias", "slope"), outputs)
    _check_residual(step, channels, outputs)
    return outputs


def _check_levels(step: Step, tensors: dict[str, np.ndarray], channels: int) -> None:
    _expect(step, "levels", tensors["levels"], ("float32",), (channels,))
    if (tensors["levels"] <= 0).any():
        raise fault(_at(step), "tensor levels", "positive numbers", "zero or negative ones")
    _expect(step, "weight", tensors["weight"], ("int8",), tensors["weight"].shape)
    if step.attrs["offset"] != 0:
        raise fault(_at(step), "offset", "0 with levels", show(step.attrs["offset"]))


def _binary_conv_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    bits = tensors["bits"]
    if channels[0] != step.attrs["in_channels"]:
        raise fault(_at(step), "in_channels", str(channels[0]), show(step.attrs["in_channels"]))
    outputs = _kernel_outputs(step, "bits", bits, channels[0])
    rows, columns = bits.shape[:2]
    group_channels = channels[0] // step.attrs["groups"]
    shape = (rows, columns, words_for(group_channels), outputs)
    _expect(step, "bits", bits, ("uint64",), shape)
    spare = group_channels % 64
    if spare and (bits[:, :, -1, :] >> np.uint64(spare)).any():
        raise fault(_at(step), "bits", f"zero beyond channel {group_channels}", "ones")
    _expect_vectors(step, tensors, ("threshold",), channels[0])
    _expect_vectors(step, tensors, ("scale", "bias", "slope"), outputs)
    _check_residual(step, channels, outputs)
    return outputs


def _kernel_outputs(step: Step, role: str, kernel: np.ndarray, channels: int) -> int:
    """Output channels of a kernel, after checking its rank, window and groups."""
    if kernel.ndim != 4:
        raise fault(_at(step), f"shape of {role}", "four sizes", str(kernel.shape))
    rows, columns, _, outputs = kernel.shape
    if max(rows, columns) > MAX_PIXELS:
        raise fault(_at(step), f"window of {role}", f"at most {MAX_PIXELS}", f"{rows}x{columns}")
    groups = step.attrs["groups"]
    if channels % groups or outputs % groups:
        got = f"{groups} for {channels} inputs and {outputs} outputs"
        raise fault(_at(step), "groups", "a divisor of both channel counts", got)
    return outputs


def _check_residual(step: Step, channels: list[int], outputs: int) -> None:
    if len(channels) == 2 and channels[1] != outputs:
        raise fault(_at(step), "channels of the second input", str(outputs), str(channels[1]))


def _pool_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    kernel, padding = step.attrs["kernel"], step.attrs["padding"]
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise fault(_at(step), "padding", f"at most half of the window {kernel}", show(padding))
    return channels[0]


def _concat_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    return sum(channels)


def _add_channels(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    if channels[0] != channels[1]:
        raise fault(_at(step), "channels of the second input", str(channels[0]), str(channels[1]))
    return channels[0]


def _per_channel(step: Step, channels: list[int], tensors: dict[str, np.ndarray]) -> int:
    _expect_vectors(step, tensors, tuple(tensors), channels[0])
    return channels[0]


# Attributes


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= MAX_PIXELS


def _is_pair(value: Any, least: int) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(_is_whole(v, least) for v in value)
    )


def _is_offset(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 255


_POSITIVE_PAIR = (f"two whole numbers from 1 to {MAX_PIXELS}", lambda v: _is_pair(v, 1))
_PAIR = (f"two whole numbers from 0 to {MAX_PIXELS}", lambda v: _is_pair(v, 0))
_COUNT = (
    f"a whole number from 1 to {MAX_CHANNELS}",
    lambda v: type(v) is int and 1 <= v <= MAX_CHANNELS,
)
_CONV_ATTRS = {
    "stride": _POSITIVE_PAIR,
    "padding": _PAIR,
    "dilation": _POSITIVE_PAIR,
    "groups": _COUNT,
}
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
        optional=("slope", "levels"),
        takes_image=True,
    ),
    "binary_conv": Op(
        inputs=(1, 2),
        channels=_binary_conv_channels,
        attrs={**_CONV_ATTRS, "in_channels": _COUNT},
        required=("threshold", "bits", "scale", "bias"),
        optional=("slope",),
    ),
    "avg_pool": Op(inputs=(1, 1), channels=_pool_channels, attrs=_POOL_ATTRS),
    "max_pool": Op(inputs=(1, 1), channels=_pool_channels, attrs=_POOL_ATTRS),
    "concat": Op(inputs=(1, 64), channels=_concat_channels),
    "add": Op(inputs=(2, 2), channels=_add_channels),
    "prelu": Op(inputs=(1, 1), channels=_per_channel, required=("slope",)),
    "affine": Op(inputs=(1, 1), channels=_per_channel, required=("scale", "bias")),
}
