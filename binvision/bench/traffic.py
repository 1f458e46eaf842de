"""Bytes that each part of a step reads and writes: activations, weights, residuals.

What a step must move at least. A network's values mostly stay in the caches, so that a step can
move them faster than main memory would give them.
"""

from __future__ import annotations

import math

import numpy as np

from binvision.runtime.fusion import fuse
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.operations import words_for
from binvision.runtime.shapes import infer_shapes
from binvision.runtime.terms import planes_of

__all__ = ["traffic"]

_FLOAT = 4


def traffic(model: PackedModel, size_hw: tuple[int, int]) -> dict[tuple[str, str], int]:
    """Bytes by step name and operation for one image, as the parts of ``Runner.profile``.

    Weights are counted too, once.

    Args:
        model: A checked model.
        size_hw: Height and width of the image.
    """
    counter = _Counter(model, size_hw)
    image = math.prod(counter.shapes[model.input["name"]])
    found = {("image", "copy"): 2 * image}
    for number, step in enumerate(model.steps):
        found |= {(step.name, op): size for op, size in counter.parts(number, step).items()}
    return found


class _Counter:
    """Sizes of a model's values, as floats, bytes and bits."""

    def __init__(self, model: PackedModel, size_hw: tuple[int, int]) -> None:
        self.shapes = infer_shapes(model, size_hw)
        self._model, self._fusion = model, fuse(model)

    def parts(self, number: int, step: Step) -> dict[str, int]:
        """Bytes of each part of a step."""
        if step.op == "binary_conv":
            bits = self._bits(number)
            parts = {"pack": self._floats(step.inputs[0]) + bits}
            weights = self._model.tensor(step, "bits").nbytes
            return parts | {step.op: bits + weights + self._epilogue(number, step)}
        if step.op == "conv":
            return self._conv(number, step)
        read = sum(self._floats(name) for name in step.inputs)
        return {step.op: read + self._floats(step.output)}

    def _conv(self, number: int, step: Step) -> dict[str, int]:
        weight = self._model.tensor(step, "weight")
        count = math.prod(self.shapes[step.inputs[0]])
        is_image = step.inputs[0] == self._model.input["name"]
        is_integer = step.attrs["offset"] == int(step.attrs["offset"])
        in_bytes = "levels" in step.tensors or (is_image and weight.dtype == np.int8 and is_integer)
        read = count * (1 if in_bytes else _FLOAT)
        given = count * (1 if is_image else _FLOAT)
        weights = weight.size * (1 if in_bytes else _FLOAT)
        first = "round" if "levels" in step.tensors else "pad"
        return {first: given + read, step.op: read + weights + self._epilogue(number, step)}

    def _epilogue(self, number: int, step: Step) -> int:
        """Residual that is added, floats that are stored, signs that are packed."""
        moved = self._floats(step.inputs[1]) if len(step.inputs) == 2 else 0
        moved += self._floats(step.output) * (step.output in self._fusion.sums.residuals)
        if step.output in self._fusion.last_float_use:
            moved += self._floats(step.output)
        packing = self._fusion.packs.get(number)
        return moved + (self._bits(packing.reader) if packing is not None else 0)

    def _floats(self, value: str) -> int:
        return _FLOAT * math.prod(self.shapes[value])

    def _bits(self, number: int) -> int:
        step = self._model.steps[number]
        height, width, channels = self.shapes[step.inputs[0]]
        groups = step.attrs["groups"]
        planes = planes_of(self._model.tensor(step, "threshold"))
        return 8 * height * width * planes * groups * words_for(channels // groups)
