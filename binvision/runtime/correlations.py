"""Planning of correlations with exemplars, which are written to where the kernels want them."""

from __future__ import annotations

import numpy as np

from binvision import kernels
from binvision.kernels import layout
from binvision.kernels.layout import aligned_zeros
from binvision.kernels.program import Call
from binvision.runtime.draft import Draft
from binvision.runtime.model import Step

__all__ = ["plan_correlate_channels", "plan_correlate_pixels"]

_NOTHING = np.zeros(0, np.float32)
_NO_PACKING = (np.zeros(0, np.uint64), _NOTHING, np.zeros(6, np.int64))


def plan_correlate_channels(draft: Draft, number: int, step: Step) -> None:
    """Plan a correlation channel by channel; the exemplar is divided by its pixels when given."""
    draft.begin(step.inputs[0])
    values, out = draft.floats[step.inputs[0]], draft.output(step)
    rows, columns, channels = draft.shapes[step.inputs[1]]
    draft.check_memory(8 * rows * columns * channels)  # and while it is written
    weights = aligned_zeros(rows * columns * channels, "float32")
    draft.bytes += weights.nbytes

    def write(numbers: np.ndarray) -> None:
        weights[:] = kernels.exemplar_weights(numbers / np.float32(rows * columns))

    draft.exemplars[step.inputs[1]].append(write)
    shape, out_hw = draft.shapes[step.inputs[0]], draft.shapes[step.output][:2]
    sizes = np.array([*shape, *out_hw, rows, columns, *step.attrs["stride"]], np.int64)
    draft.task(step, Call(kernels.correlate_channels, (*values, weights, *out, sizes)))


def plan_correlate_pixels(draft: Draft, number: int, step: Step) -> None:
    """Plan a correlation pixel by pixel: a 1x1 convolution whose weights are the exemplar."""
    draft.begin(step.inputs[0])
    height, width, channels = draft.shapes[step.inputs[0]]
    rows, columns, _ = draft.shapes[step.inputs[1]]
    pixels = rows * columns
    draft.check_memory(16 * pixels * channels)  # and while they are laid out
    picture = layout.Picture(height, width, channels, (0, 0))
    window = layout.Window((1, 1), (1, 1), (0, 0), (1, 1), 1)
    nothing = np.zeros((1, 1, channels, pixels), np.float32)
    taps, weights = layout.float_weights(nothing, picture, window)
    draft.bytes += weights.nbytes

    def write(numbers: np.ndarray) -> None:
        by_pixel = (numbers.reshape(pixels, channels) / np.float32(channels)).T
        weights[:] = layout.float_weights(by_pixel[np.newaxis, np.newaxis], picture, window)[1]

    draft.exemplars[step.inputs[1]].append(write)
    scale, bias, slope, shift = draft.channel_vectors(step, pixels)
    residual, late = (aligned_zeros(pixels, "float32"), 0), (_NOTHING, 0)
    epilogue = (scale, bias, slope, shift, *residual, *late, *draft.output(step))
    given = (
        draft.floats[step.inputs[0]].memory,
        taps,
        weights,
        layout.window_places(picture, window, (height, width)),
        layout.float_sums(pixels, (height, width)),
        epilogue,
        _NO_PACKING,
    )
    draft.task(step, Call(kernels.convolve, given, after=(draft.vector,)))
