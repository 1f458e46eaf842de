"""From a packed model to a list of kernel calls, made once per batch and image size.

Every task names its kernels and their arguments, arrays in the kernels' own layout that stay where
they are: running a frame plans nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from binvision.errors import ModelError
from binvision.runtime.convolutions import plan_binary_conv, plan_conv
from binvision.runtime.correlations import plan_correlate_channels, plan_correlate_pixels
from binvision.runtime.draft import Draft, Task
from binvision.runtime.elementwise import (
    plan_add,
    plan_clip,
    plan_concat,
    plan_global_pool,
    plan_per_channel,
    plan_pool,
    plan_upsample,
)
from binvision.runtime.model import PackedModel

__all__ = ["Plan", "make_plan"]

_PLANNERS = {
    "conv": plan_conv,
    "binary_conv": plan_binary_conv,
    "avg_pool": plan_pool,
    "max_pool": plan_pool,
    "global_avg_pool": plan_global_pool,
    "upsample": plan_upsample,
    "concat": plan_concat,
    "add": plan_add,
    "prelu": plan_per_channel,
    "affine": plan_per_channel,
    "clip": plan_clip,
    "correlate_channels": plan_correlate_channels,
    "correlate_pixels": plan_correlate_pixels,
}


@dataclass(frozen=True)
class Plan:
    """Tasks in order, and the arrays where a frame goes in and its results come out.

    Attributes:
        image: uint8 (N, H, W, 3), to be filled before the tasks run.
        outputs: Value name to float32 (N, h, w, C), filled by the tasks.
        exemplars: Exemplar to what writes it, float32 (h, w, C), to where the tasks read it. Until
            then it is zero.
        tasks: Kernel calls in order.
        bytes: Memory of all activations.
    """

    image: np.ndarray
    outputs: dict[str, np.ndarray]
    exemplars: dict[str, list[Callable[[np.ndarray], None]]]
    tasks: tuple[Task, ...]
    bytes: int


def make_plan(
    model: PackedModel, batch: int, size_hw: tuple[int, int], *, vector: bool = True
) -> Plan:
    """Plan a model for ``batch`` images of ``size_hw`` pixels.

    Args:
        model: A checked model.
        batch: Number of images that run together.
        size_hw: Height and width of the images.
        vector: Use the vector kernels; without, plain loops with the same results.

    Raises:
        ModelError: The images are too small for the network, or need more memory than there is.
    """
    try:
        draft = Draft(model, batch, size_hw, vector)
        for number, step in enumerate(model.steps):
            if step.op in ("conv", "binary_conv") or draft.is_stored(step.output):
                _PLANNERS[step.op](draft, number, step)
            draft.pack(step.output, draft.fusion.packed_after.get(step.output, []))
            draft.free(number)
    except MemoryError:
        raise ModelError(
            f"model {model.name}: there is not enough memory for {batch} images of "
            f"{size_hw[0]}x{size_hw[1]} pixels; give smaller images, or fewer at once"
        ) from None
    outputs = {
        name: draft.floats[name].memory.reshape(batch, *draft.shapes[name])
        for name in model.outputs
    }
    image_shape = (batch, *draft.shapes[draft.image_name])
    image = draft.image[: int(np.prod(image_shape))].reshape(image_shape)
    total = draft.bytes + draft.pool.bytes
    return Plan(image, outputs, draft.exemplars, tuple(draft.tasks), total)
