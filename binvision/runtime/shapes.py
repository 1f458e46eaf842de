"""Heights and widths of every value of a model, once the size of the image is chosen."""

from __future__ import annotations

import math

from binvision.errors import ModelError
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.terms import window_of

__all__ = ["infer_shapes"]

Shape = tuple[int, int, int]
MAX_ELEMENTS = 2**30  # of one value: 4 GiB of float32


def infer_shapes(model: PackedModel, size_hw: tuple[int, int]) -> dict[str, Shape]:
    """Shape of each value for one image.

    Args:
        model: A checked model.
        size_hw: Height and width of the image in pixels.

    Returns:
        Value name to (height, width, channels), the image and the exemplars included.

    Raises:
        ModelError: The image is too small for a window or so large that no memory would do, or
            two values that are added or concatenated have different sizes.
    """
    shapes: dict[str, Shape] = {model.input["name"]: (*size_hw, model.input["channels"])}
    shapes |= model.exemplars
    for step in model.steps:
        inputs = [shapes[name] for name in step.inputs]
        shape = _output_shape(model, step, inputs)
        if math.prod(shape) > MAX_ELEMENTS:
            shown = "x".join(str(size) for size in shape)
            raise ModelError(
                f"step {step.name!r} ({step.op}): its output would have {shown} elements, expected "
                f"at most {MAX_ELEMENTS}; give smaller images"
            )
        shapes[step.output] = shape
    return shapes


def _output_shape(model: PackedModel, step: Step, inputs: list[Shape]) -> Shape:
    height, width, channels = inputs[0]
    size = (height, width)
    if step.op in ("conv", "binary_conv"):
        kernel = model.tensor(step, "weight" if step.op == "conv" else "bits")
        window, channels = window_of(step, kernel), kernel.shape[3]
        dilation = step.attrs["dilation"]
        size = _sizes(step, size, window, dilation, ceil=False)
        _check_same(step, [size, *(shape[:2] for shape in inputs[1:])])
    elif step.op in ("avg_pool", "max_pool"):
        size = _sizes(step, size, step.attrs["kernel"], (1, 1), step.attrs["ceil"])
    elif step.op == "global_avg_pool":
        size = (1, 1)
    elif step.op == "upsample":
        rows, columns = step.attrs.get("factor", (1, 1))
        size = inputs[1][:2] if len(inputs) == 2 else (height * rows, width * columns)
    elif step.op == "correlate_channels":
        strides = step.attrs["stride"]
        size = (-(-height // strides[0]), -(-width // strides[1]))
    elif step.op == "correlate_pixels":
        channels = math.prod(inputs[1][:2])
    elif step.op in ("concat", "add"):
        _check_same(step, [shape[:2] for shape in inputs])
        if step.op == "concat":
            channels = sum(shape[2] for shape in inputs)
    return (*size, channels)


def _sizes(
    step: Step,
    size: tuple[int, int],
    window: tuple[int, int],
    dilation: tuple[int, int],
    ceil: bool,
) -> tuple[int, int]:
    height, width = (
        _window_count(
            size[i], window[i], step.attrs["stride"][i], step.attrs["padding"][i], dilation[i], ceil
        )
        for i in (0, 1)
    )
    if height < 1 or width < 1:
        rows, columns = (d * (w - 1) + 1 for d, w in zip(dilation, window, strict=True))
        raise ModelError(
            f"step {step.name!r} ({step.op}): its input of {size[0]}x{size[1]} pixels is smaller "
            f"than its window of {rows}x{columns}; give larger images"
        )
    return height, width


def _window_count(
    size: int, window: int, stride: int, padding: int, dilation: int, ceil: bool
) -> int:
    """Windows that fit along one side, as PyTorch counts them.

    With ``ceil`` a last window may hang over the edge, but it must begin inside the input or the
    padding before it.
    """
    room = size + 2 * padding - dilation * (window - 1) - 1
    if room < 0 and not ceil:
        return 0
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def _check_same(step: Step, sizes: list[tuple[int, ...]]) -> None:
    if len(set(sizes)) > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise ModelError(
            f"step {step.name!r} ({step.op}): its values differ in size: {shown} pixels; "
            f"expected one size"
        )
