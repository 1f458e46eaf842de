"""Planning of everything but convolutions: pools, sums, and what works element by element."""

from __future__ import annotations

import numpy as np

from binvision import kernels
from binvision.kernels.program import Call
from binvision.runtime.draft import Draft
from binvision.runtime.model import Step
from binvision.runtime.readers import Slice

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
    attrs = step.attrs
    window = np.array([*attrs["kernel"], *attrs["stride"], *attrs["padding"]], np.int64)
    _pool(draft, step, window, step.op == "max_pool")


def plan_global_pool(draft: Draft, number: int, step: Step) -> None:
    """Plan the mean over a whole picture: a pool whose window is the picture."""
    height, width, _ = draft.shapes[step.inputs[0]]
    _pool(draft, step, np.array([height, width, 1, 1, 0, 0], np.int64), False)


def _pool(draft: Draft, step: Step, window: np.ndarray, take_max: bool) -> None:
    draft.begin(step.inputs[0])
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    shape, out_hw = draft.shapes[step.inputs[0]], draft.shapes[step.output][:2]
    sizes = np.array([*shape, *out_hw, values.stride, out.stride], np.int64)
    draft.task(step, Call(kernels.pool, (values.memory, out.memory, sizes, window, take_max)))


def plan_upsample(draft: Draft, number: int, step: Step) -> None:
    """Plan nearest or bilinear up-sampling."""
    draft.begin(step.inputs[0])
    values, out = draft.floats[step.inputs[0]].memory, draft.output(step).memory
    sizes = _enlargement(draft, step)
    draft.task(step, Call(kernels.resize, (values, out, sizes, step.attrs["mode"] == "bilinear")))


def _enlargement(draft: Draft, step: Step) -> np.ndarray:
    sizes = (*draft.shapes[step.inputs[0]], *draft.shapes[step.output][:2])
    return np.array(sizes, np.int64)


def plan_concat(draft: Draft, number: int, step: Step) -> None:
    """Plan a concatenation of channels: copies of what was not made in its place."""
    out = draft.output(step)
    width, place = draft.shapes[step.output][1], draft.fusion.place(step.output)
    calls, first = [], 0
    for name in step.inputs:
        values, count = draft.floats[name], draft.shapes[name][2]
        if draft.fusion.place(name) != Slice(place.value, place.first + first):
            given = (*values, out.memory[first:], out.stride, count)
            calls.append(Call(kernels.copy_channels, given, width))
        first += count
    if calls:
        draft.task(step, *calls)


def plan_add(draft: Draft, number: int, step: Step) -> None:
    """Plan the sum of two values, unless convolutions have added them."""
    out = draft.output(step)
    if step.output in draft.fusion.sums.late:
        return
    width, channels = draft.shapes[step.output][1:]
    if number in draft.fusion.sums.enlarged:
        enlargement = draft.model.steps[draft.fusion.sums.enlarged[number]]
        (other,) = (name for name in step.inputs if name != enlargement.output)
        small, sizes = draft.floats[enlargement.inputs[0]], _enlargement(draft, enlargement)
        given = (*small, sizes, *draft.floats[other], *out)
        draft.task(step, Call(kernels.add_enlarged, given))
        return
    left, right = (draft.floats[name] for name in step.inputs)
    draft.task(step, Call(kernels.add, (*left, *right, *out, channels), width))


def plan_per_channel(draft: Draft, number: int, step: Step) -> None:
    """Plan a PReLU or a scale and bias."""
    values, out = draft.floats[step.inputs[0]].memory, draft.output(step).memory
    width, channels = draft.shapes[step.output][1:]
    scale, bias, slope, shift = draft.channel_vectors(step, channels)
    draft.task(step, Call(kernels.affine_prelu, (values, scale, bias, slope, shift, out), width))


def plan_clip(draft: Draft, number: int, step: Step) -> None:
    """Plan the bounding of a value."""
    values, out = draft.floats[step.inputs[0]].memory, draft.output(step).memory
    low, high = float(step.attrs["low"]), float(step.attrs["high"])
    row = int(np.prod(draft.shapes[step.output][1:]))
    draft.task(step, Call(kernels.clip, (values, low, high, out), row))
