"""The real-valued twin of a packed model: the same shapes without signs, for other engines.

Every 1-bit convolution becomes a real one with weights ``scale * (+1 or -1)``, the sum of its
bases where it has several, and every step is taken apart into operations that any engine knows:
convolution with bias, sum, PReLU, pools, enlargement, concatenation. Signs are left out, since a
real-valued network has none: the engines are spared that work. Their input is the image as
float32, less the offset that the first layer subtracts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from binvision.bench.reference import scales, signs
from binvision.errors import UsageError
from binvision.runtime.model import PackedModel, Step

__all__ = ["real_input", "real_offset", "real_twin"]

_GEOMETRY = ("stride", "padding", "dilation", "groups")


def real_twin(model: PackedModel) -> PackedModel:
    """Return the real-valued network of the same shapes.

    Its ``conv`` has float32 weights and bias alone, its ``prelu`` no shift; all other steps are
    those of ``model``. Its values are those of ``model`` and those between the parts of a step.

    Raises:
        UsageError: Two layers read the image with different offsets.
    """
    real_offset(model)
    steps: list[Step] = []
    tensors: dict[str, np.ndarray] = {}
    for step in model.steps:
        if step.op in ("conv", "binary_conv", "prelu"):
            _take_apart(model, step, steps, tensors)
        else:
            steps.append(step)
            tensors.update({name: model.tensors[name] for name in step.tensors.values()})
    return replace(model, name=f"{model.name}-real", steps=tuple(steps), tensors=tensors)


def real_offset(model: PackedModel) -> float:
    """Offset that the layers which read the image subtract from it.

    Raises:
        UsageError: There are several.
    """
    image = model.input["name"]
    offsets = {step.attrs.get("offset", 0.0) for step in model.steps if image in step.inputs}
    if len(offsets) != 1:
        raise UsageError(
            f"{model.name}: its layers read the image with offsets {sorted(offsets)}, expected "
            f"one; other engines cannot be given the same input"
        )
    return float(offsets.pop())


def real_input(model: PackedModel, images: np.ndarray) -> np.ndarray:
    """Input of the twin, float32 (N, H, W, C), for uint8 images."""
    return images.astype(np.float32) - np.float32(real_offset(model))


def _take_apart(
    model: PackedModel, step: Step, steps: list[Step], tensors: dict[str, np.ndarray]
) -> None:
    """Append convolution, sum, PReLU and shift of one step, each with a value of its own."""
    parts: list[tuple[str, dict[str, np.ndarray]]] = []
    if step.op != "prelu":
        parts.append(("conv", _dense(model, step)))
    if len(step.inputs) == 2:
        parts.append(("add", {}))
    if "slope" in step.tensors:
        parts.append(("prelu", {"slope": model.tensor(step, "slope")}))
    if "shift" in step.tensors:
        shift = model.tensor(step, "shift")
        parts.append(("affine", {"scale": np.ones_like(shift), "bias": shift}))
    value = step.inputs[0]
    for index, (op, arrays) in enumerate(parts):
        name = step.name if index == 0 else f"{step.name}.{op}"
        output = step.output if index == len(parts) - 1 else f"{step.output}.{op}"
        inputs = (value, step.inputs[1]) if op == "add" else (value,)
        roles = {role: f"{name}.{role}" for role in arrays}
        tensors.update({roles[role]: array for role, array in arrays.items()})
        attrs = {key: step.attrs[key] for key in _GEOMETRY} if op == "conv" else {}
        steps.append(Step(op, name, inputs, output, attrs, roles))
        value = output


def _dense(model: PackedModel, step: Step) -> dict[str, np.ndarray]:
    """Weights of one real convolution, its scales in them, and its bias."""
    bias = model.tensor(step, "bias")
    if step.op == "binary_conv":
        by_base = scales(model, step).sum(axis=0)[..., None, :]
        weight = (signs(model, step) * by_base).sum(axis=0)
    else:
        weight = model.tensor(step, "weight") * model.tensor(step, "scale")
        if "levels" in step.tensors:  # y = scale * sum(w * x * levels)
            weight = weight * model.tensor(step, "levels")[:, None]
    return {"weight": weight.astype(np.float32), "bias": bias}
