"""Convolution of bits, of 8-bit pixels and of floats: one driver, three element types.

The driver works through tiles of output pixels. For each tile it sums products into a buffer that
stays in the first-level cache, then finishes it while it is hot: scale, bias, residual, PReLU,
shift, and, where the next layer is binary, sign and packing.

Arithmetic. With acc the sum of ``register_tile.py`` and integers until the last line::

    bits    dot = valid + 2 * outside - 2 * acc      valid: bits of the taps inside the picture
                                                     outside: ones in the weights of the others
    pixels  dot = acc - offset * sum(w)
    floats  dot = acc
    y = PReLU(scale * dot + bias + residual) + shift

Zero padding of bits: the border holds zero words, so a tap outside adds the ones of its weight
to acc, a constant per channel and per set of outside taps. The table ``base`` holds ``valid + 2 *
outside`` for each such set (nine sets for a 3x3 window), and the inner loop needs no edges.
Padding of bits with +1 or -1: the border holds that bit, and all taps count.
Padding of pixels: the border holds the offset itself, and contributes offset * w, which is part of
offset * sum(w). |dot| of bits is at most the number of taps, of pixels at most 2^15 * taps: int32
holds 2^16 taps, more than a window of 256 channels times 15x15.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.kernels.epilogue import finish_tile, new_scratch
from binvision.kernels.jit import kernel
from binvision.kernels.tile import new_tile, place_tile, sum_tile, tile_pixels, tile_stride

__all__ = ["convolve"]


@kernel
def convolve(
    acts: np.ndarray,
    taps: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    sums: tuple[Any, ...],
    epilogue: tuple[Any, ...],
    packing: tuple[Any, ...],
    row_start: int,
    row_stop: int,
    vector: bool,
) -> None:
    """Convolve output rows ``row_start .. row_stop``, counted over the whole batch.

    Args:
        acts: Flat input picture with its border: uint64, uint8, int16 or float32.
        taps: int64 (groups, T): where the elements of a window lie from its position.
        weights: (groups, T * padded channels) as :mod:`binvision.kernels.layout` makes
            them: uint64, int32 (four int8 or two int16) or float32.
        places: int64 ``[output height, output width, picture stride, row step, column step]`` of
            window positions, in elements of ``acts``.
        sums: ``(base, factor, row_class, column_class)``: ``dot = base[class] + factor * acc``;
            base int32 (classes, channels), or float32 zeros for floats; class of an output pixel
            = row_class[y] + column_class[x].
        epilogue: ``(scale, bias, slope, shift, residual, residual_stride, late, late_stride, out,
            out_stride)``: the first four float32 per channel; residual flat NHWC with its pixel
            stride, or one row of zeros with stride 0; late like it, added after the signs were
            taken, or empty; out flat NHWC with its pixel stride, or empty where nobody reads
            the floats. ``out`` may be ``residual`` or ``late``.
        packing: As in :func:`binvision.kernels.pack.pack_signs`; empty bits where no binary
            layer follows.
        row_start: First output row.
        row_stop: Row after the last.
        vector: False takes the path of plain loops; the results are the same.
    """
    base, factor, row_class, column_class = sums
    scale, layout = epilogue[0], packing[2]
    channels = len(scale)
    pixels, stride = tile_pixels(channels), tile_stride(channels, weights.itemsize)
    tile = new_tile(pixels * stride, base)
    scratch = new_scratch(epilogue, pixels)
    windows = np.empty(pixels, np.int64)
    classes = np.empty(pixels, np.int64)
    words = np.empty(pixels, np.int64)
    pixel_stop = row_stop * places[1]
    for first in range(row_start * places[1], pixel_stop, pixels):
        count = min(pixels, pixel_stop - first)
        place_tile(windows, classes, words, first, count, places, row_class, column_class, layout)
        sum_tile(acts, windows, count, taps, weights, tile, stride, channels, vector)
        finish_tile(
            tile, stride, base, classes, factor, scale, epilogue, packing, words, scratch,
            first, count, vector,
        )  # fmt: skip
