"""Tiles of output pixels: where their windows lie, and the sums of their products.

A tile's sums stay in the first-level cache until an epilogue has turned them into what the next
layer reads. There is no im2col: each output pixel has the position of its window, and a table of
taps says where the window's elements lie from there.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from binvision.kernels.isa import BLOCKING
from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, popcount
from binvision.kernels.register_tile import sum_narrow, sum_wide

__all__ = ["new_tile", "place_tile", "sum_tile", "tile_pixels", "tile_stride"]

_ROWS, _VECTORS, _VECTOR_BYTES = BLOCKING.rows, BLOCKING.vectors, BLOCKING.vector_bytes
_BIT_LANES, _BYTES_APART = BLOCKING.bit_lanes, BLOCKING.counts_bits_by != "words"
_TILE_SUMS = 4096  # 16 KiB: half of a small first-level cache


@kernel
def tile_pixels(channels: int) -> int:
    """Return how many output pixels of ``channels`` make a tile."""
    return max(1, _TILE_SUMS // (channels * _ROWS)) * _ROWS


@kernel
def tile_stride(channels: int, itemsize: int) -> int:
    """Return the distance of two pixels in a tile, for weights of ``itemsize`` bytes a step."""
    lanes = _BIT_LANES if itemsize == 8 else _VECTOR_BYTES // itemsize
    return (channels + lanes + LANES - 1) // LANES * LANES


@kernel
def new_tile(sums: int, like: np.ndarray) -> np.ndarray:
    """Return memory for ``sums`` numbers of the type of ``like``, from a cache line on."""
    tile = np.empty(sums + LANES, like.dtype)
    return tile[-tile.ctypes.data % 64 // tile.itemsize :]


@kernel
def place_tile(
    windows: np.ndarray,
    classes: np.ndarray,
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
        classes[i] = row_class[y] + column_class[x]
        words[i] = layout[2] + picture * layout[3] + y * layout[4] + x * layout[5]
        if i < count - 1:
            x += 1
            if x == width:
                x, y = 0, y + 1
                if y == height:
                    y, picture = 0, picture + 1


@kernel
def sum_tile(
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
    lanes = _BIT_LANES if weights.itemsize == 8 else _VECTOR_BYTES // weights.itemsize
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
        place, first = position + taps[t], weight + t * block
        for o in range(block):
            tile[at + o] += _product(acts, place, weights, first, o, block)


def _product(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    """Multiply what lies at ``place`` with the weight of channel ``o`` of the block at ``first``.

    Its forms by element type are below.
    """


@overload(_product)
def _product_by_type(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    if acts.dtype == types.uint64:
        return _ones_apart if _BYTES_APART else _ones
    return _real if acts.dtype == types.float32 else _dot


def _ones(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    return np.int32(popcount(acts[place] ^ weights[first + o]))


def _ones_apart(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    """Count the ones of a word whose bytes are ``block`` bytes apart."""
    word = np.uint64(0)
    for byte in range(8):
        at = byte * block + o
        eight = (weights[first + at // 8] >> np.uint64(at % 8 * 8)) & np.uint64(255)
        word |= eight << np.uint64(8 * byte)
    return np.int32(popcount(acts[place] ^ word))


def _real(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    return acts[place] * weights[first + o]


def _dot(acts, place, weights, first, o, block):  # type: ignore[no-untyped-def]
    """Add the products of four bytes, or two numbers of 16 bits, with the parts of a weight."""
    total, weight = np.int32(0), weights[first + o]
    bits = 8 * acts.itemsize
    for i in range(32 // bits):
        signed = np.int32(weight << np.int32(32 - bits * (i + 1))) >> np.int32(32 - bits)
        total += np.int32(acts[place + i]) * signed
    return total
