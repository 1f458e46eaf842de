"""What each step of a packed model costs: parameters, bytes in the file, multiplications."""

from __future__ import annotations

import math
from dataclasses import dataclass

from binvision.runtime.model import PackedModel, Step
from binvision.runtime.operations import OPS
from binvision.runtime.shapes import infer_shapes
from binvision.runtime.terms import planes_of, window_of

__all__ = ["StepCost", "account", "header_bytes", "working_size_hw"]

_REASONS = {
    "int8": "reads 8-bit pixels",
    "float32": "real in the trained network",
}
_KERNEL_ROLES = {"conv": "weight", "binary_conv": "bits"}


@dataclass(frozen=True)
class StepCost:
    """One row of the account.

    Attributes:
        name: Name of the step.
        op: Operation.
        kernel: Text such as ``"3x3 64>128 /2"`` for convolutions and windows, else empty.
        bits: Bits of one weight (1, 8 or 32); 0 where there is no kernel.
        binary_parameters: Weights of one bit.
        real_parameters: All other numbers (kernels of 8 or 32 bits, scales, thresholds...).
        bytes: Bytes of its tensors in the file. A tensor that several steps share counts once.
        shape_hwc: Shape of its output, None where the image size is unknown.
        binary_macs: Multiply-accumulates done on bits, for one image.
        real_macs: Multiply-accumulates of real convolutions and correlations, for one image.
        reason: Why its kernel is not 1-bit; empty for 1-bit kernels and for steps without one.
    """

    name: str
    op: str
    kernel: str
    bits: int
    binary_parameters: int
    real_parameters: int
    bytes: int
    shape_hwc: tuple[int, int, int] | None
    binary_macs: int
    real_macs: int
    reason: str


def account(model: PackedModel, size_hw: tuple[int, int] | None) -> list[StepCost]:
    """Cost of each step, in order.

    The bytes of all rows and :func:`header_bytes` add up to the size of the file.

    Args:
        model: A checked model.
        size_hw: Height and width of the image; with None, shapes and MACs are not counted.

    Raises:
        ModelError: The network cannot run on images of this size.
    """
    shapes = infer_shapes(model, size_hw) if size_hw else {}
    seen: set[str] = set()
    rows = []
    for step in model.steps:
        rows.append(_cost(model, step, shapes.get(step.output), seen))
        seen |= set(step.tensors.values())
    return rows


def header_bytes(model: PackedModel) -> int:
    """Bytes of a model's file that are not tensors: names, graph, settings, provenance.

    The model must have been loaded or saved, so that the size of its file is known.
    """
    return model.file_bytes - sum(tensor.nbytes for tensor in model.tensors.values())


def working_size_hw(model: PackedModel) -> tuple[int, int] | None:
    """Image size at which a model's cost is usually stated; None if its settings name none.

    A tracker's is its search region, which it computes in every frame; a detector's a square of
    the side to which it scales pictures.
    """
    settings = model.settings
    side = settings.get("search_size", settings.get("input_size"))
    multiple = settings.get("multiple", 1)
    if not isinstance(side, int) or not isinstance(multiple, int) or multiple < 1:
        return None
    side = -(-side // multiple) * multiple
    return side, side


def _cost(
    model: PackedModel, step: Step, shape: tuple[int, int, int] | None, seen: set[str]
) -> StepCost:
    new = {role: name for role, name in step.tensors.items() if name not in seen}
    binary = _weights(model, step) if "bits" in new else 0
    real = sum(model.tensors[name].size for role, name in new.items() if role != "bits")
    macs = _products(model, step) * shape[0] * shape[1] if shape else 0
    is_binary = step.op == "binary_conv"
    if is_binary:
        macs *= planes_of(model.tensor(step, "threshold"))
    dtype = model.tensor(step, "weight").dtype if step.op == "conv" else None
    return StepCost(
        name=step.name,
        op=step.op,
        kernel=_kernel_text(model, step),
        bits=1 if is_binary else 8 * dtype.itemsize if dtype is not None else 0,
        binary_parameters=binary,
        real_parameters=real,
        bytes=sum(model.tensors[name].nbytes for name in set(new.values())),
        shape_hwc=shape,
        binary_macs=macs if is_binary else 0,
        real_macs=0 if is_binary else macs,
        reason=_reason(step, dtype.name) if dtype is not None else "",
    )


def _reason(step: Step, dtype: str) -> str:
    """Why a convolution is not 1-bit."""
    return "rounded to 8 bits" if "levels" in step.tensors else _REASONS[dtype]


def _weights(model: PackedModel, step: Step) -> int:
    """Number of weights of a convolution's kernel, without the spare bits; 0 for other steps."""
    if step.op not in _KERNEL_ROLES:
        return 0
    kernel = model.tensor(step, _KERNEL_ROLES[step.op])
    if step.op == "conv":
        return kernel.size
    rows, columns, _, outputs = kernel.shape
    return rows * columns * outputs * step.attrs["in_channels"] // step.attrs["groups"]


def _products(model: PackedModel, step: Step) -> int:
    """Products for one pixel of the output."""
    if not OPS[step.op].takes_exemplar:
        return _weights(model, step)
    return math.prod(model.exemplars[step.inputs[1]])


def _kernel_text(model: PackedModel, step: Step) -> str:
    if step.op in ("avg_pool", "max_pool"):
        return _window_text(step, step.attrs["kernel"])
    if step.op == "correlate_channels":
        return _window_text(step, model.exemplars[step.inputs[1]][:2])
    if step.op not in _KERNEL_ROLES:
        return ""
    kernel = model.tensor(step, _KERNEL_ROLES[step.op])
    groups = step.attrs["groups"]
    inputs = step.attrs["in_channels"] if step.op == "binary_conv" else kernel.shape[2] * groups
    text = f"{_window_text(step, window_of(step, kernel))} {inputs}>{kernel.shape[3]}"
    text += f" in {groups} groups" if groups > 1 else ""
    return text + (_terms_text(model, step) if step.op == "binary_conv" else "")


def _terms_text(model: PackedModel, step: Step) -> str:
    """What a 1-bit convolution adds up, for example ``", 2 planes, 3 bases, scaled by tap"``."""
    counts = {
        "planes": planes_of(model.tensor(step, "threshold")),
        "bases": step.attrs.get("bases", 1),
    }
    text = "".join(f", {count} {what}" for what, count in counts.items() if count > 1)
    scale = model.tensor(step, "scale")
    return text + (", scaled by tap" if scale.ndim == 4 and scale.shape[2] > 1 else "")


def _window_text(step: Step, window: tuple[int, int]) -> str:
    text = f"{window[0]}x{window[1]}"
    stride = tuple(step.attrs["stride"])
    if math.prod(stride) == 1:
        return text
    return f"{text}/{stride[0]}" if stride[0] == stride[1] else f"{text}/{stride[0]},{stride[1]}"
