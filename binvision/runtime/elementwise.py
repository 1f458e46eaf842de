"""Planning of everything but convolutions: pools, sums, and what works element by element."""

from __future__ import annotations

import numpy as np

from binvision import kernels
from binvision.kernels.program import Call
from binvision.runtime.draft import Draft
from binvision.runtime.model import Step

__all__ = [
    "plan_add",
    "plan_clip",
    "plan_concat",
    "plan_global_pool",
    "plan_per_channel",
    "plan_pool",
    "plan_upsample",
]


def plan_pool(draft: Draft, number: int, step: Step) -> None:
    """Plan an average or maximum pool."""
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    sizes = np.array([*draft.shapes[step.inputs[0]], *draft.shapes[step.output][:2]], np.int64)
    attrs = step.attrs
    window = np.array([*attrs["kernel"], *attrs["stride"], *attrs["padding"]], np.int64)
    take_max = step.op == "max_pool"
    draft.task(step, Call(kernels.pool, (values, out, sizes, window, take_max)))


def plan_global_pool(draft: Draft, number: int, step: Step) -> None:
    """Plan the mean over a whole picture: a pool whose window is the picture."""
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    height, width, channels = draft.shapes[step.inputs[0]]
    sizes = np.array([height, width, channels, 1, 1], np.int64)
    window = np.array([height, width, 1, 1, 0, 0], np.int64)
    draft.task(step, Call(kernels.pool, (values, out, sizes, window, False)))


def plan_upsample(draft: Draft, number: int, step: Step) -> None:
    """Plan nearest or bilinear up-sampling."""
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    sizes = np.array([*draft.shapes[step.inputs[0]], *draft.shapes[step.output][:2]], np.int64)
    bilinear = step.attrs["mode"] == "bilinear"
    draft.task(step, Call(kernels.resize, (values, out, sizes, bilinear)))


def plan_concat(draft: Draft, number: int, step: Step) -> None:
    """Plan a concatenation of channels."""
    out = draft.output(step)
    width, channels = draft.shapes[step.output][1:]
    calls, first = [], 0
    for name in step.inputs:
        count = draft.shapes[name][2]
        given = (draft.floats[name], count, out, channels, first)
        calls.append(Call(kernels.copy_channels, given, width))
        first += count
    draft.task(step, *calls)


def plan_add(draft: Draft, number: int, step: Step) -> None:
    """Plan the sum of two values."""
    left, right = (draft.floats[name] for name in step.inputs)
    out = draft.output(step)
    row = int(np.prod(draft.shapes[step.output][1:]))
    draft.task(step, Call(kernels.add, (left, right, out), row))


def plan_per_channel(draft: Draft, number: int, step: Step) -> None:
    """Plan a PReLU or a scale and bias."""
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    width, channels = draft.shapes[step.output][1:]
    scale, bias, slope, shift = draft.channel_vectors(step, channels)
    draft.task(step, Call(kernels.affine_prelu, (values, scale, bias, slope, shift, out), width))


def plan_clip(draft: Draft, number: int, step: Step) -> None:
    """Plan the bounding of a value."""
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    low, high = float(step.attrs["low"]), float(step.attrs["high"])
    row = int(np.prod(draft.shapes[step.output][1:]))
    draft.task(step, Call(kernels.clip, (values, low, high, out), row))
