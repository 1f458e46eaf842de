"""Binary convolution between two signs: from bits to bits, with no float in between."""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import pack_outside
from binvision.kernels.tile import new_tile, place_tile, sum_tile, tile_pixels, tile_stride

__all__ = ["convolve_to_bits"]

_WORD = 64


@kernel
def convolve_to_bits(
    acts: np.ndarray,
    taps: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    intervals: tuple[Any, ...],
    packing: tuple[Any, ...],
    row_start: int,
    row_stop: int,
    vector: bool,
) -> None:
    """Convolve output rows ``row_start .. row_stop``, counted over the whole batch.

    The bits are those of :func:`binvision.kernels.convolve` with the epilogue that the intervals
    were made from; see :mod:`binvision.kernels.sign_intervals`.

    Args:
        acts: uint64, flat input picture with its border.
        taps: As for ``convolve``.
        weights: As for ``convolve``, uint64.
        places: As for ``convolve``.
        intervals: ``(channels, low, length, row_class, column_class)``: the bit of a sum is
            ``(sum - low) mod 2^32 < length``; tables uint32 (classes, output words, 64).
        packing: As in :func:`binvision.kernels.pack.pack_signs`; its thresholds are not read.
        row_start: First output row.
        row_stop: Row after the last.
        vector: False takes the path of plain loops; the results are the same.
    """
    channels, low, length, row_class, column_class = intervals
    bits, _, layout = packing
    pixels, stride = tile_pixels(channels), tile_stride(channels, weights.itemsize)
    tile = new_tile(pixels * stride + _WORD, np.empty(0, np.int32))  # words are read whole
    windows = np.empty(pixels, np.int64)
    classes = np.empty(pixels, np.int64)
    words = np.empty(pixels, np.int64)
    pixel_stop = row_stop * places[1]
    for first in range(row_start * places[1], pixel_stop, pixels):
        count = min(pixels, pixel_stop - first)
        place_tile(windows, classes, words, first, count, places, row_class, column_class, layout)
        sum_tile(acts, windows, count, taps, weights, tile, stride, channels, vector)
        _pack_tile(
            tile, stride, channels, classes, low, length, bits, words, layout[1], count, vector
        )


@kernel
def _pack_tile(
    tile: np.ndarray,
    tile_stride: int,
    channels: int,
    classes: np.ndarray,
    low: np.ndarray,
    length: np.ndarray,
    bits: np.ndarray,
    places: np.ndarray,
    groups: int,
    count: int,
    vector: bool,
) -> None:
    """Compare a tile's sums, a word at a time, and store the words."""
    share = channels // groups
    words = (share + _WORD - 1) // _WORD
    for i in range(count):
        for group in range(groups):
            for word in range(words):
                sums = i * tile_stride + group * share + _WORD * word
                number = group * words + word
                table = (classes[i] * groups * words + number) * _WORD
                if vector:
                    packed = pack_outside(tile, sums, low, length, table)
                else:
                    packed = np.uint64(0)
                    for c in range(_WORD):
                        distance = np.uint32(np.uint32(tile[sums + c]) - low[table + c])
                        if distance < length[table + c]:
                            packed |= np.uint64(1) << np.uint64(c)
                bits[places[i] + number] = packed
