"""Binary convolution as a sum of scaled terms: several bases, several planes, a scale per tap.

Each term k has its own taps, a part of the window in one plane of bits, with its own weights and
correction of the padding. Its integers are exact; the terms are added in float32, in order::

    total = 0
    total = total + scale[k, o] * dot_k[o]      for k = 0, 1, ...
    y = PReLU(total + bias + residual) + shift

A tile is summed for one term after the other while its window lies in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.kernels.epilogue import finish_tile, new_scratch
from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, add_scaled
from binvision.kernels.tile import new_tile, place_tile, sum_tile, tile_pixels, tile_stride

__all__ = ["convolve_terms"]


@kernel
def convolve_terms(
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

    The arguments are those of :func:`binvision.kernels.convolve` for bits, with an axis of terms
    in front: taps (terms, groups, T), weights (terms, groups, T * padded channels), base (terms,
    classes * channels), scale (terms, channels).
    """
    base, factor, row_class, column_class = sums
    scale, layout = epilogue[0], packing[2]
    terms, channels = scale.shape
    pixels, stride = tile_pixels(channels), tile_stride(channels, weights.itemsize)
    tile, total = new_tile(pixels * stride, base), new_tile(pixels * stride, scale)
    scratch = new_scratch(epilogue, pixels)
    ones, no_base = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    windows = np.empty(pixels, np.int64)
    classes, no_class = np.empty(pixels, np.int64), np.zeros(pixels, np.int64)
    words = np.empty(pixels, np.int64)
    pixel_stop = row_stop * places[1]
    for first in range(row_start * places[1], pixel_stop, pixels):
        count = min(pixels, pixel_stop - first)
        place_tile(windows, classes, words, first, count, places, row_class, column_class, layout)
        total[:] = 0
        for k in range(terms):
            sum_tile(acts, windows, count, taps[k], weights[k], tile, stride, channels, vector)
            _add_term(tile, stride, base[k], classes, factor, scale[k], total, count, vector)
        finish_tile(
            total, stride, no_base, no_class, 1, ones, epilogue, packing, words, scratch,
            first, count, vector,
        )  # fmt: skip


@kernel
def _add_term(
    tile: np.ndarray,
    tile_stride: int,
    base: np.ndarray,
    classes: np.ndarray,
    factor: int,
    scale: np.ndarray,
    total: np.ndarray,
    count: int,
    vector: bool,
) -> None:
    """Add one term's scaled sums to the tile of floats."""
    channels = len(scale)
    whole = channels // LANES * LANES if vector else 0
    for i in range(count):
        sums, kind = i * tile_stride, classes[i] * channels
        for o in range(0, whole, LANES):
            add_scaled(tile, sums + o, base, kind + o, factor, scale, o, total)
        for o in range(whole, channels):
            dot = np.float32(base[kind + o] + factor * tile[sums + o])
            total[sums + o] += dot * scale[o]
