"""Convolution of bits, of 8-bit pixels and of floats: one driver, three element types.

The driver works through tiles of output pixels. For each tile it sums products into a buffer that
stays in the first-level cache, then finishes it while it is hot: scale, bias, residual, PReLU,
and, where the next layer is binary, sign and packing. There is no im2col: each output pixel has
the position of its window, and a table of taps says where the window's elements lie from there.

Arithmetic. With acc the sum of ``register_tile.py`` and integers until the last line::

    bits    dot = valid + 2 * outside - 2 * acc      valid: bits of the taps inside the picture
                                                     outside: ones in the weights of the others
    pixels  dot = acc - offset * sum(w)
    floats  dot = acc
    y = PReLU(scale * dot + bias + residual)

Zero padding of bits: the border holds zero words, so a tap outside adds the ones of its weight
to acc, a constant per channel and per set of outside taps. The table ``base`` holds ``valid + 2 *
outside`` for each such set (nine sets for a 3x3 window), and the inner loop needs no edges.
Padding of pixels: the border holds the offset itself, and contributes offset * w, which is part of
offset * sum(w). |dot| of bits is at most the number of taps, of pixels at most 2^15 * taps: int32
holds 2^16 taps, more than a window of 256 channels times 15x15.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from binvision.kernels.isa import BLOCKING
from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, finish_channels, popcount
from binvision.kernels.pack import pack_pixels
from binvision.kernels.register_tile import sum_narrow, sum_wide

__all__ = ["convolve"]

_ROWS, _VECTORS, _VECTOR_BYTES = BLOCKING.rows, BLOCKING.vectors, BLOCKING.vector_bytes
_TILE_SUMS = 4096  # 16 KiB: half of a small first-level cache


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
        acts: Flat input picture with its border: uint64, uint8 or float32.
        taps: int64 (groups, T): where the elements of a window lie from its position.
        weights: (groups, T * padded channels) as :mod:`binvision.kernels.layout` makes
            them: uint64, int32 (four int8) or float32.
        places: int64 ``[output height, output width, picture stride, row step, column step]`` of
            window positions, in elements of ``acts``.
        sums: ``(base, factor, row_class, column_class)``: ``dot = base[class] + factor * acc``;
            base int32 (classes, channels), or float32 zeros for floats; class of an output pixel
            = row_class[y] + column_class[x].
        epilogue: ``(scale, bias, slope, residual, residual_stride, out)``: float32 per channel;
            residual flat NHWC with its pixel stride, or one row of zeros with stride 0; out flat
            NHWC, or empty where nobody reads the floats. ``out`` may be ``residual``.
        packing: As in :func:`binvision.kernels.pack.pack_signs`; empty bits where no binary
            layer follows.
        row_start: First output row.
        row_stop: Row after the last.
        vector: False takes the path of plain loops; the results are the same.
    """
    base, factor, row_class, column_class = sums
    scale, bias, slope, residual, residual_stride, out = epilogue
    bits, threshold, layout = packing
    channels = len(scale)
    lanes = _VECTOR_BYTES // weights.itemsize
    tile_stride = (channels + lanes + LANES - 1) // LANES * LANES
    tile_pixels = max(1, _TILE_SUMS // (channels * _ROWS)) * _ROWS
    tile = np.empty(tile_pixels * tile_stride + LANES, base.dtype)
    tile = tile[-tile.ctypes.data % 64 // tile.itemsize :]  # from a cache line on
    scratch = np.empty(0 if len(out) else tile_pixels * channels, np.float32)
    windows = np.empty(tile_pixels, np.int64)
    bases = np.empty(tile_pixels, np.int64)
    words = np.empty(tile_pixels, np.int64)
    pixel_stop = row_stop * places[1]
    for first in range(row_start * places[1], pixel_stop, tile_pixels):
        count = min(tile_pixels, pixel_stop - first)
        _place(windows, bases, words, first, count, places, row_class, column_class, layout)
        _sum_tile(acts, windows, count, taps, weights, tile, tile_stride, channels, vector)
        target, at = (out, first * channels) if len(out) else (scratch, 0)
        _finish_tile(
            tile, tile_stride, base, bases, factor, scale, bias, slope, residual,
            first * residual_stride, residual_stride, target, at, count, vector,
        )  # fmt: skip
        if len(bits):
            pack_pixels(target, at, count, threshold, bits, words, layout[1], vector)


@kernel
def _place(
    windows: np.ndarray,
    bases: np.ndarray,
    words: np.ndarray,
    first: int,
    count: int,
    places: np.ndarray,
    row_class: np.ndarray,
    column_class: np.ndarray,
    layout: np.ndarray,
) -> None:
    """Write where each pixel of a tile has its window, its class in ``base``, and its bits.

    Beyond ``count`` the last pixel is repeated: the tile's last block of rows sums it again, into
    rows that are never read.
    """
    height, width = places[0], places[1]
    row, x = divmod(first, width)
    picture, y = divmod(row, height)
    for i in range(len(windows)):
        windows[i] = picture * places[2] + y * places[3] + x * places[4]
        bases[i] = row_class[y] + column_class[x]
        words[i] = layout[2] + picture * layout[3] + y * layout[4] + x * layout[5]
        if i < count - 1:
            x += 1
            if x == width:
                x, y = 0, y + 1
                if y == height:
                    y, picture = 0, picture + 1


@kernel
def _sum_tile(
    acts: np.ndarray,
    positions: np.ndarray,
    count: int,
    taps: np.ndarray,
    weights: np.ndarray,
    tile: np.ndarray,
    tile_stride: int,
    channels: int,
    vector: bool,
) -> None:
    """Sum the windows of a tile, group by group and block of channels by block.

    The last block of a group may reach beyond the group's channels: into the next group's, which
    are written after it, or into the tile's spare columns.
    """
    groups, steps = taps.shape
    lanes = _VECTOR_BYTES // weights.itemsize
    group_channels = channels // groups
    padded = (group_channels + lanes - 1) // lanes * lanes
    flat_weights, flat_taps = weights.reshape(-1), taps.reshape(-1)
    for group in range(groups):
        group_taps = flat_taps[group * steps : (group + 1) * steps]
        done = 0
        while done < padded:
            wide = padded - done >= _VECTORS * lanes
            block = _VECTORS * lanes if wide else lanes
            weight = (group * padded + done) * steps
            column = group * group_channels + done
            for i in range(0, count, _ROWS):
                at = i * tile_stride + column
                if not vector:
                    for j in range(_ROWS):
                        _sum_plain(
                            acts, positions[i + j], group_taps, flat_weights, weight,
                            tile, at + j * tile_stride, block,
                        )  # fmt: skip
                elif wide:
                    sum_wide(
                        acts, positions, i, group_taps, steps, flat_weights, weight,
                        tile, at, tile_stride,
                    )  # fmt: skip
                else:
                    sum_narrow(
                        acts, positions, i, group_taps, steps, flat_weights, weight,
                        tile, at, tile_stride,
                    )  # fmt: skip
            done += block


@kernel
def _sum_plain(
    acts: np.ndarray,
    position: int,
    taps: np.ndarray,
    weights: np.ndarray,
    weight: int,
    tile: np.ndarray,
    at: int,
    block: int,
) -> None:
    """Sum one window for ``block`` channels with plain loops."""
    for o in range(block):
        tile[at + o] = 0
    for t in range(len(taps)):
        for o in range(block):
            place = position + taps[t]
            tile[at + o] += _product(acts, place, weights[weight + t * block + o])


def _product(acts, place, weight):  # type: ignore[no-untyped-def]
    """Multiply what lies at ``place`` with one weight; its forms by element type are below."""


@overload(_product)
def _product_by_type(acts, place, weight):  # type: ignore[no-untyped-def]
    if acts.dtype == types.uint64:
        return lambda acts, place, weight: np.int32(popcount(acts[place] ^ weight))
    if acts.dtype == types.float32:
        return lambda acts, place, weight: acts[place] * weight
    return _dot4


def _dot4(acts, place, weight):  # type: ignore[no-untyped-def]
    """Add the products of four bytes with the four signed bytes of ``weight``."""
    total = np.int32(0)
    for i in range(4):
        signed = np.int32(weight << np.int32(24 - 8 * i)) >> np.int32(24)
        total += np.int32(acts[place + i]) * signed
    return total


@kernel
def _finish_tile(
    tile: np.ndarray,
    tile_stride: int,
    base: np.ndarray,
    bases: np.ndarray,
    factor: int,
    scale: np.ndarray,
    bias: np.ndarray,
    slope: np.ndarray,
    residual: np.ndarray,
    residual_at: int,
    residual_stride: int,
    out: np.ndarray,
    out_at: int,
    count: int,
    vector: bool,
) -> None:
    """Turn a tile's sums into output channels, in float32 and in the order of the formula."""
    channels = len(scale)
    whole = channels // LANES * LANES if vector else 0
    for i in range(count):
        sums, kind = i * tile_stride, bases[i] * channels
        added, target = residual_at + i * residual_stride, out_at + i * channels
        for o in range(0, whole, LANES):
            finish_channels(
                tile, sums + o, base, kind + o, factor, scale, bias, slope, o,
                residual, added + o, out, target + o,
            )  # fmt: skip
        for o in range(whole, channels):
            dot = np.float32(base[kind + o] + factor * tile[sums + o])
            y = dot * scale[o] + bias[o] + residual[added + o]
            out[target + o] = y if y >= 0 else y * slope[o]
