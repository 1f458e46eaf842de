"""One convolution through the kernels, as a plan would call it, from ordinary NHWC arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from binvision import kernels
from binvision.kernels import layout
from binvision.kernels.sign_intervals import Chain, sign_intervals
from binvision.kernels.term_layout import term_sums, term_weights

__all__ = [
    "Layer",
    "layers",
    "run_bits",
    "run_bits_to_bits",
    "run_floats",
    "run_pixels",
    "run_terms",
]

_NOTHING = (np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(6, np.int64))


@dataclass(frozen=True)
class Layer:
    """Sizes of a convolution; the numbers come from ``seed``."""

    batch: int
    size: tuple[int, int]
    inputs: int
    outputs: int
    kernel: tuple[int, int]
    attrs: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return (*self.kernel, self.inputs // self.attrs["groups"], self.outputs)

    @property
    def out_hw(self) -> tuple[int, int]:
        a = self.attrs
        return tuple(
            (self.size[i] + 2 * a["padding"][i] - a["dilation"][i] * (self.kernel[i] - 1) - 1)
            // a["stride"][i]
            + 1
            for i in (0, 1)
        )

    @property
    def window(self) -> layout.Window:
        a = self.attrs
        return layout.Window(self.kernel, a["stride"], a["padding"], a["dilation"], a["groups"])


@st.composite
def layers(
    draw: st.DrawFn, inputs: int = 140, outputs: int = 80, pad_values: tuple[int, ...] = (0,)
) -> Layer:
    """Any convolution whose window fits its padded picture."""
    pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731
    kernel, dilation, stride = draw(pair(1, 4)), draw(pair(1, 3)), draw(pair(1, 3))
    padding, extra = draw(pair(0, 3)), draw(pair(0, 7))
    reach = [dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    size = tuple(max(1, reach[i] - 2 * padding[i]) + extra[i] for i in (0, 1))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    return Layer(
        batch=draw(st.integers(1, 3)),
        size=size,
        inputs=groups * draw(st.integers(1, inputs // groups)),
        outputs=groups * draw(st.integers(1, outputs // groups)),
        kernel=kernel,
        attrs={
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "pad_value": draw(st.sampled_from(pad_values)),
        },
        seed=draw(st.integers(0, 2**16)),
    )


def run_bits(
    layer: Layer, x: np.ndarray, threshold: np.ndarray, bits: np.ndarray, **options: Any
) -> Any:
    """Pack ``x``, convolve it with ``bits``."""
    acts, picture = _bit_picture(layer, x, threshold, bits.shape[2], options.get("vector", True))
    taps, weights = layout.bit_weights(bits, picture, layer.window)
    sums = _bit_sums(layer, bits)
    return _convolve(layer, acts, picture, taps, weights, sums, **options)


def run_bits_to_bits(
    layer: Layer, x: np.ndarray, threshold: np.ndarray, bits: np.ndarray, chain: Chain,
    groups: int, *, vector: bool = True, cuts: tuple[int, ...] = (),
) -> np.ndarray:  # fmt: skip
    """Pack ``x``, convolve it with ``bits`` and take the signs for a layer of ``groups``."""
    acts, picture = _bit_picture(layer, x, threshold, bits.shape[2], vector)
    taps, weights = layout.bit_weights(bits, picture, layer.window)
    sums = _bit_sums(layer, bits)
    most = int(np.prod(layer.weight_shape[:3]))
    intervals = sign_intervals(chain, sums, most, groups)
    places = layout.window_places(picture, layer.window, layer.out_hw)
    packing, packed = _packed_output(layer, chain.threshold, groups)
    for start, stop in _row_ranges(layer, cuts):
        kernels.convolve_to_bits(
            acts, taps, weights, places, intervals, packing, start, stop, vector
        )
    return packed


def run_terms(
    layer: Layer, x: np.ndarray, thresholds: np.ndarray, bits: np.ndarray, per_tap: bool,
    **options: Any,
) -> Any:  # fmt: skip
    """Pack ``x`` once for each row of ``thresholds``, convolve with each of ``bits`` and add."""
    planes, groups = len(thresholds), layer.attrs["groups"]
    pad_value = layer.attrs.get("pad_value", 0)
    border = layout.border_words(layer.inputs, groups, pad_value)
    picture = layout.Picture(*layer.size, planes * len(border), layer.attrs["padding"])
    acts = np.tile(border, layer.batch * picture.size // len(border))
    for plane, threshold in enumerate(thresholds):
        places = _places(picture, layer.size[0], groups)
        places[2] += plane * len(border)
        rows, vector = layer.batch * layer.size[0], options.get("vector", True)
        packing = (acts, threshold, places)
        kernels.pack_signs(x.reshape(-1), layer.inputs, layer.size[1], packing, 0, rows, vector)
    taps, weights = term_weights(bits, picture, layer.window, planes, per_tap)
    sums = term_sums(
        bits, layer.inputs, layer.window, layer.size, layer.out_hw, pad_value, planes, per_tap
    )
    return _convolve(
        layer, acts, picture, taps, weights, sums, run=kernels.convolve_terms, **options
    )


def _bit_sums(layer: Layer, bits: np.ndarray) -> Any:
    pad_value = layer.attrs.get("pad_value", 0)
    return layout.bit_sums(bits, layer.inputs, layer.window, layer.size, layer.out_hw, pad_value)


def _bit_picture(
    layer: Layer, x: np.ndarray, threshold: np.ndarray, words: int, vector: bool
) -> tuple[np.ndarray, layout.Picture]:
    groups = layer.attrs["groups"]
    picture = layout.Picture(*layer.size, words * groups, layer.attrs["padding"])
    border = layout.border_words(layer.inputs, groups, layer.attrs.get("pad_value", 0))
    acts = np.tile(border, layer.batch * picture.size // len(border))
    packing = (acts, threshold, _places(picture, layer.size[0], groups))
    rows = layer.batch * layer.size[0]
    kernels.pack_signs(x.reshape(-1), layer.inputs, layer.size[1], packing, 0, rows, vector)
    return acts, picture


def run_pixels(
    layer: Layer, x: np.ndarray, weight: np.ndarray, offset: int,
    pixel: np.dtype = layout.PIXEL, **options: Any,
) -> Any:  # fmt: skip
    """Convolve uint8 ``x``, stored as ``pixel``, less its offset with int8 weights."""
    picture = layout.Picture(*layer.size, layer.inputs, layer.attrs["padding"])
    acts = _bordered(x.astype(pixel), picture, offset, slack=3)
    taps, weights = layout.pixel_weights(weight, picture, layer.window, pixel)
    sums = layout.pixel_sums(weight, offset, layer.out_hw)
    return _convolve(layer, acts, picture, taps, weights, sums, **options)


def run_floats(layer: Layer, x: np.ndarray, weight: np.ndarray, **options: Any) -> Any:
    """Convolve float32 ``x`` with float32 weights."""
    picture = layout.Picture(*layer.size, layer.inputs, layer.attrs["padding"])
    acts = _bordered(x, picture, 0)
    taps, weights = layout.float_weights(weight, picture, layer.window)
    sums = layout.float_sums(layer.outputs, layer.out_hw)
    return _convolve(layer, acts, picture, taps, weights, sums, **options)


def _convolve(
    layer: Layer, acts: np.ndarray, picture: layout.Picture, taps: np.ndarray, weights: np.ndarray,
    sums: Any, *, tensors: dict[str, np.ndarray], residual: np.ndarray | None = None,
    pack: tuple[np.ndarray, int] | None = None, store: bool = True, vector: bool = True,
    cuts: tuple[int, ...] = (), in_place: bool = False, late: np.ndarray | None = None,
    spare: int = 0, run: Any = kernels.convolve,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Run in the row ranges between ``cuts``; returns floats and packed words of the output.

    With ``spare`` the output, and ``late``, have so many channels more than the layer writes;
    ``in_place`` it lies in the residual or, where there is one, in ``late``.
    """
    height, width = layer.out_hw
    shape = (layer.batch, height, width, layer.outputs)
    slope = tensors.get("slope", np.ones(layer.outputs, np.float32))
    shift = tensors.get("shift", np.zeros(layer.outputs, np.float32))
    added, stride = np.zeros(layer.outputs, np.float32), 0
    if residual is not None:
        added, stride = residual.reshape(-1).copy(), layer.outputs
    pixel = layer.outputs + spare
    out = np.full(int(np.prod(shape[:3])) * pixel if store else 0, np.nan, np.float32)
    later = np.zeros(0, np.float32) if late is None else late.reshape(-1).copy()
    if in_place:
        out = added if late is None else later
    packing, packed = _NOTHING, np.zeros(0, np.uint64)
    if pack is not None:
        packing, packed = _packed_output(layer, *pack)
    places = layout.window_places(picture, layer.window, (height, width))
    epilogue = (
        tensors["scale"], tensors["bias"], slope, shift, added, stride, later, pixel, out, pixel,
    )  # fmt: skip
    for start, stop in _row_ranges(layer, cuts):
        run(acts, taps, weights, places, sums, epilogue, packing, start, stop, vector)
    return (out.reshape(*shape[:3], pixel) if store else out), packed


def _packed_output(layer: Layer, threshold: np.ndarray, groups: int) -> tuple[Any, np.ndarray]:
    """Return ``packing`` for the output of a layer, and its words (N, H, W, words)."""
    words = groups * -(-(layer.outputs // groups) // 64)
    inside = layout.Picture(*layer.out_hw, words, (0, 0))
    packed = np.zeros(layer.batch * inside.size, np.uint64)
    packing = (packed, threshold, _places(inside, layer.out_hw[0], groups))
    return packing, packed.reshape(layer.batch, *layer.out_hw, words)


def _row_ranges(layer: Layer, cuts: tuple[int, ...]) -> list[tuple[int, int]]:
    rows = layer.batch * layer.out_hw[0]
    edges = sorted([0, *(cut % (rows + 1) for cut in cuts), rows])
    return list(zip(edges, edges[1:], strict=False))


def _places(picture: layout.Picture, height: int, groups: int) -> np.ndarray:
    numbers = [height, groups, picture.first, picture.size, picture.row, picture.elements]
    return np.array(numbers, np.int64)


def _bordered(x: np.ndarray, picture: layout.Picture, fill: int, slack: int = 0) -> np.ndarray:
    vertical, horizontal = ((pad, pad) for pad in picture.border)
    padded = np.pad(x, ((0, 0), vertical, horizontal, (0, 0)), constant_values=fill)
    return np.concatenate([padded.reshape(-1), np.zeros(slack, x.dtype)])
