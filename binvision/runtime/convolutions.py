"""Planning of convolutions: their input in the kernels' layout, their weights, their epilogue."""

from __future__ import annotations

import math

import numpy as np

from binvision import kernels
from binvision.kernels import layout
from binvision.kernels.layout import aligned_copy, aligned_zeros
from binvision.kernels.program import Call
from binvision.kernels.sign_intervals import Chain, sign_intervals
from binvision.kernels.term_layout import term_sums, term_weights
from binvision.runtime.draft import Draft, Floats
from binvision.runtime.model import Step
from binvision.runtime.terms import is_sum, window_of

__all__ = ["plan_binary_conv", "plan_conv"]

# Signed 8-bit levels are stored as bytes counted from here.
_ZERO_LEVEL = 128
_NOTHING = np.zeros(0, np.float32)
_NO_PACKING = (np.zeros(0, np.uint64), _NOTHING, np.zeros(6, np.int64))


def plan_binary_conv(draft: Draft, number: int, step: Step) -> None:
    """Plan a 1-bit convolution of signs that were packed when its input was made."""
    draft.begin()
    bits = draft.bits[number]
    height, width, channels = draft.shapes[step.inputs[0]]
    weight = draft.model.tensor(step, "bits")
    window, out_hw = _window(step, weight), draft.shapes[step.output][:2]
    pad_value = step.attrs.get("pad_value", 0)
    draft.check_memory(_padding_bytes(draft, step, weight, out_hw))
    if is_sum(draft.model, step):
        by_base = weight.reshape(-1, *window.size, *weight.shape[2:])
        form = (len(bits.packings), draft.model.tensor(step, "scale").shape[2] > 1)
        taps, weights = term_weights(by_base, bits.picture, window, *form)
        sums = term_sums(by_base, channels, window, (height, width), out_hw, pad_value, *form)
        _convolution(draft, number, step, bits.words, bits.picture, window, taps, weights, sums)
        return
    taps, weights = layout.bit_weights(weight, bits.picture, window)
    sums = layout.bit_sums(weight, channels, window, (height, width), out_hw, pad_value)
    if number in draft.fusion.without_floats:
        _bits_to_bits(draft, number, step, taps, weights, sums)
        return
    _convolution(draft, number, step, bits.words, bits.picture, window, taps, weights, sums)


def _padding_bytes(draft: Draft, step: Step, weight: np.ndarray, out_hw: tuple[int, int]) -> int:
    """Bound the memory of the tables that make zero padding exact.

    They have an entry for each set of taps outside the picture, and hardly a network has more
    than nine; with padding as wide as the format allows it is many thousands.
    """
    kinds = math.prod(min(out_hw[axis], 2 * step.attrs["padding"][axis] + 2) for axis in (0, 1))
    terms = draft.model.tensor(step, "scale").size // weight.shape[3]
    return kinds * (4 * terms * weight.shape[3] + 8 * math.prod(weight.shape[:2]))


def _bits_to_bits(
    draft: Draft,
    number: int,
    step: Step,
    taps: np.ndarray,
    weights: np.ndarray,
    sums: tuple[np.ndarray, int, np.ndarray, np.ndarray],
) -> None:
    """Plan a 1-bit convolution of which only the signs are read."""
    acts, picture = draft.bits[number].words, draft.bits[number].picture
    weight = draft.model.tensor(step, "bits")
    out_hw, channels = draft.shapes[step.output][:2], weight.shape[3]
    packing = _packing(draft, number, step)
    scale, bias, slope, shift = draft.channel_vectors(step, channels)
    chain = Chain(scale, bias, slope, shift, packing[1])
    most = weight.shape[0] * weight.shape[1] * step.attrs["in_channels"] // step.attrs["groups"]
    intervals = sign_intervals(chain, sums, most, int(packing[2][1]))
    places = layout.window_places(picture, _window(step, weight), out_hw)
    given = (acts, taps, weights, places, intervals, packing)
    draft.task(step, Call(kernels.convolve_to_bits, given, after=(draft.vector,)))


def plan_conv(draft: Draft, number: int, step: Step) -> None:
    """Plan a real convolution, on 8-bit integers where its input and weights are such."""
    weight = draft.model.tensor(step, "weight")
    window, out_hw = _window(step, weight), draft.shapes[step.output][:2]
    offset = step.attrs["offset"]
    is_image = step.inputs[0] == draft.image_name
    if "levels" in step.tensors:
        acts, picture = _levels(draft, step)
        taps, weights = layout.pixel_weights(weight, picture, window)
        sums = layout.pixel_sums(weight, _ZERO_LEVEL, out_hw)
    elif is_image and weight.dtype == np.int8 and offset == int(offset):
        acts, picture = _pixels(draft, step, int(offset))
        taps, weights = layout.pixel_weights(weight, picture, window)
        sums = layout.pixel_sums(weight, int(offset), out_hw)
    else:
        acts, picture = _real_picture(draft, step, offset, is_image)
        taps, weights = layout.float_weights(weight, picture, window)
        sums = layout.float_sums(weight.shape[3], out_hw)
    draft.begin("" if is_image else step.inputs[0])
    _convolution(draft, number, step, acts, picture, window, taps, weights, sums)


def _convolution(
    draft: Draft,
    number: int,
    step: Step,
    acts: np.ndarray,
    picture: layout.Picture,
    window: layout.Window,
    taps: np.ndarray,
    weights: np.ndarray,
    sums: tuple[np.ndarray, int, np.ndarray, np.ndarray],
) -> None:
    height, width, channels = draft.shapes[step.output]
    places = layout.window_places(picture, window, (height, width))
    scale, bias, slope, shift = draft.channel_vectors(step, channels)
    convolve = kernels.convolve
    if scale.ndim > 1:
        scale, convolve = scale.reshape(-1, channels), kernels.convolve_terms
    residual = Floats(aligned_zeros(channels, "float32"), 0)
    if len(step.inputs) == 2:
        residual = draft.floats[step.inputs[1]]
    late = Floats(_NOTHING, 0)
    if step.output in draft.fusion.sums.residuals:
        added = draft.fusion.sums.residuals[step.output]
        memory, pixel = draft.floats[added.value]
        late = Floats(memory[added.first :], pixel)
    out = draft.output(step)
    epilogue = (scale, bias, slope, shift, *residual, *late, *out)
    packing = _packing(draft, number, step)
    given = (acts, taps, weights, places, sums, epilogue, packing)
    draft.task(step, Call(convolve, given, after=(draft.vector,)))
    draft.pack(step.output, draft.fusion.packed_late.get(step.output, []))


def _packing(draft: Draft, number: int, step: Step) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where a convolution packs the signs of its output, empty arrays for nowhere."""
    packing = draft.fusion.packs.get(number)
    if packing is None:
        return _NO_PACKING
    channels = draft.shapes[step.output][2]
    (plane,) = draft.bits[packing.reader].packings_of(packing.first, channels)
    return plane


def _pixels(draft: Draft, step: Step, offset: int) -> tuple[np.ndarray, layout.Picture]:
    """Return the image with a border of ``offset``; the image itself where that will do."""
    picture = layout.Picture(*draft.shapes[draft.image_name], tuple(step.attrs["padding"]))
    if picture.border == (0, 0) and draft.image.dtype == layout.PIXEL:
        return draft.image, picture
    padded = draft.persistent(picture.size, layout.PIXEL)
    padded[:] = offset
    image, place = draft.image, _inside_place(picture)
    draft.task(
        step,
        Call(kernels.copy_rows, (image, padded, place)),
        op="pad",
        rows=draft.batch * picture.height,
    )
    return padded, picture


def _levels(draft: Draft, step: Step) -> tuple[np.ndarray, layout.Picture]:
    """Return the input rounded to 8 bits, with a border of zeros."""
    picture = layout.Picture(*draft.shapes[step.inputs[0]], tuple(step.attrs["padding"]))
    rounded, place = draft.persistent(picture.size, layout.PIXEL), _inside_place(picture)
    rounded[:] = _ZERO_LEVEL
    values = draft.floats[step.inputs[0]].memory
    levels = aligned_copy(draft.model.tensor(step, "levels"))
    draft.task(
        step,
        Call(kernels.quantize, (values, levels, rounded, place), after=(draft.vector,)),
        op="round",
        rows=draft.batch * picture.height,
    )
    return rounded, picture


def _real_picture(
    draft: Draft, step: Step, offset: float, is_image: bool
) -> tuple[np.ndarray, layout.Picture]:
    """Return the float input less its offset, with a border of zeros."""
    picture = layout.Picture(*draft.shapes[step.inputs[0]], tuple(step.attrs["padding"]))
    values = draft.image if is_image else draft.floats[step.inputs[0]].memory
    if not is_image and picture.border == (0, 0) and offset == 0:
        return values, picture
    padded, place = draft.persistent(picture.size, "float32"), _inside_place(picture)
    draft.task(
        step,
        Call(kernels.subtract_offset, (values, float(offset), padded, place)),
        op="pad",
        rows=draft.batch * picture.height,
    )
    return padded, picture


def _window(step: Step, weight: np.ndarray) -> layout.Window:
    stride, padding, dilation = (
        tuple(step.attrs[name]) for name in ("stride", "padding", "dilation")
    )
    return layout.Window(window_of(step, weight), stride, padding, dilation, step.attrs["groups"])


def _inside_place(picture: layout.Picture) -> np.ndarray:
    """Return ``place`` of the row-copying kernels for a picture with a border."""
    length = picture.width * picture.elements
    return np.array([picture.height, length, picture.first, picture.size, picture.row], np.int64)
