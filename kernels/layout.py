"""Weights and tables in the order in which the convolution kernel reads them (numpy only).

Made once per model and image size. Everything is for pictures with their border, stored flat.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from binvision.kernels.isa import BLOCKING, has_dot4

__all__ = [
    "PIXEL",
    "Picture",
    "Window",
    "aligned_copy",
    "aligned_zeros",
    "bit_sums",
    "bit_weights",
    "border_words",
    "float_sums",
    "float_weights",
    "padding_base",
    "pixel_sums",
    "pixel_weights",
    "tap_classes",
    "window_places",
]


# What 8-bit pixels are stored as: bytes, summed four a step, where the CPU has an instruction for
# it, else numbers of 16 bits, two a step.
PIXEL = np.dtype(np.uint8 if has_dot4() else np.int16)

_LINE = 64  # bytes of a cache line, and of the longest vector


def aligned_zeros(elements: int, dtype: str | np.dtype) -> np.ndarray:
    """Return a flat array of zeros that begins on a cache line."""
    size = elements * np.dtype(dtype).itemsize
    raw = np.zeros(size + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size].view(dtype)


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """Return a C-contiguous copy that begins on a cache line.

    A vector load that straddles two lines costs two loads; files and NumPy align less.
    """
    copy = aligned_zeros(array.size, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class Picture(NamedTuple):
    """Size of one stored picture: rows, columns, elements of a pixel, and border on each side."""

    height: int
    width: int
    elements: int
    border: tuple[int, int]

    @property
    def row(self) -> int:
        """Elements of one stored row."""
        return (self.width + 2 * self.border[1]) * self.elements

    @property
    def size(self) -> int:
        """Elements of the stored picture."""
        return (self.height + 2 * self.border[0]) * self.row

    @property
    def first(self) -> int:
        """Place of the first element inside the border."""
        return self.border[0] * self.row + self.border[1] * self.elements


class Window(NamedTuple):
    """Geometry of a convolution; pairs are (vertical, horizontal)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def window_places(picture: Picture, window: Window, size_hw: tuple[int, int]) -> np.ndarray:
    """Return ``places`` of the kernel for an output of ``size_hw``.

    The border of ``picture`` must be the padding of the window.
    """
    assert picture.border == tuple(window.padding)
    return np.array(
        [
            *size_hw,
            picture.size,
            window.stride[0] * picture.row,
            window.stride[1] * picture.elements,
        ],
        np.int64,
    )


def _blocks(weights: np.ndarray) -> np.ndarray:
    """Put (groups, T, channels) weights into blocks of the register tile's channels.

    Channels are padded with zeros to whole vectors. Blocks are as wide as the register tile while
    they fit, then one vector wide; inside a block, all channels of one tap lie together, and where
    bits are counted byte by byte, all channels of one byte of it.
    """
    groups, steps, channels = weights.shape
    lanes = BLOCKING.lanes(weights.itemsize)
    padded = -(-channels // lanes) * lanes
    whole = np.zeros((groups, steps, padded), weights.dtype)
    whole[..., :channels] = weights
    blocks, done = [], 0
    while done < padded:
        width = lanes * (BLOCKING.vectors if padded - done >= lanes * BLOCKING.vectors else 1)
        block = whole[..., done : done + width]
        if weights.itemsize == 8 and BLOCKING.counts_bits_by != "words":
            block = _bytes_apart(block)
        blocks.append(block.reshape(groups, -1))
        done += width
    return aligned_copy(np.concatenate(blocks, 1))


def _bytes_apart(words: np.ndarray) -> np.ndarray:
    """Put byte 0 of all channels (the last axis, uint64) first, then byte 1 of all, to byte 7."""
    bytes_of = np.ascontiguousarray(words, "<u8")[..., None].view(np.uint8)
    apart = np.ascontiguousarray(bytes_of.swapaxes(-1, -2))
    return apart.reshape(*words.shape[:-1], -1).view("<u8")


def _taps(picture: Picture, window: Window, first: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Return (groups, T): offsets of rows, columns and elements of a window.

    ``first`` (groups,) is where a group begins in a pixel; ``run`` the elements to read there.
    """
    rows = np.arange(window.size[0]) * window.dilation[0] * picture.row
    columns = np.arange(window.size[1]) * window.dilation[1] * picture.elements
    inside = rows[:, None, None] + columns[None, :, None] + run
    return (first[:, None] + inside.reshape(1, -1)).astype(np.int64)


# --- bits -------------------------------------------------------------------------------------


def bit_weights(
    bits: np.ndarray, picture: Picture, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``taps`` and ``weights`` of the kernel for ``bits`` (KH, KW, words, Cout) uint64."""
    words, channels = bits.shape[2:]
    groups = window.groups
    taps = _taps(picture, window, np.arange(groups) * words, np.arange(words))
    by_group = bits.reshape(-1, groups, channels // groups).swapaxes(0, 1)
    return taps, _blocks(by_group)


def bit_sums(
    bits: np.ndarray,
    in_channels: int,
    window: Window,
    in_hw: tuple[int, int],
    out_hw: tuple[int, int],
    pad_value: int = 0,
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Return ``sums`` of the kernel: exact zero padding as a constant per class of pixels.

    Padding with +1 or -1 has bits of its own, :func:`border_words`, and needs no correction.
    """
    inside, row_class, column_class = tap_classes(window, in_hw, out_hw, pad_value)
    base = padding_base(bits, inside, in_channels // window.groups)
    return aligned_copy(base.reshape(-1)), -2, row_class, column_class


def tap_classes(
    window: Window, in_hw: tuple[int, int], out_hw: tuple[int, int], pad_value: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort output pixels into classes by which taps count as inside the picture.

    Returns:
        bool (classes, KH, KW), then int64 ``row_class`` and ``column_class`` of the kernel. With
        a ``pad_value`` all taps count and there is one class.
    """
    if pad_value:
        return np.ones((1, *window.size), np.bool_), *_one_class(out_hw)
    (row_kinds, row_class), (column_kinds, column_class) = (
        np.unique(_inside(window, axis, in_hw[axis], out_hw[axis]), axis=0, return_inverse=True)
        for axis in (0, 1)
    )
    inside = row_kinds[:, None, :, None] & column_kinds[None, :, None, :]
    return (
        inside.reshape(-1, *window.size),
        row_class.reshape(-1).astype(np.int64) * len(column_kinds),
        column_class.reshape(-1).astype(np.int64),
    )


def padding_base(bits: np.ndarray, inside: np.ndarray, inputs: int) -> np.ndarray:
    """Return ``valid + 2 * outside``, int32 (classes, Cout), for ``bits`` (KH, KW, words, Cout)."""
    ones = _popcount(bits).sum(axis=2)
    valid = inside.sum(axis=(1, 2)) * inputs
    outside = np.einsum("kyx,yxo->ko", ~inside, ones)
    return (valid[:, None] + 2 * outside).astype(np.int32)


def border_words(channels: int, groups: int, pad_value: int) -> np.ndarray:
    """Return the words of a border pixel of bits: of ones for +1, zeros for -1 and for 0."""
    share = channels // groups
    ones = np.zeros((groups, -(-share // 64) * 64), np.uint8)
    ones[:, :share] = pad_value == 1
    return np.packbits(ones, bitorder="little").view("<u8")


def _popcount(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(words[..., None].view(np.uint8), axis=-1).sum(axis=-1, dtype=np.int64)


def _inside(window: Window, axis: int, size: int, count: int) -> np.ndarray:
    """Tell (count, taps) whether each tap of each window lies inside the picture."""
    start = np.arange(count) * window.stride[axis] - window.padding[axis]
    place = start[:, None] + np.arange(window.size[axis]) * window.dilation[axis]
    return (place >= 0) & (place < size)


# --- pixels -----------------------------------------------------------------------------------


def pixel_weights(
    weight: np.ndarray, picture: Picture, window: Window, pixel: np.dtype = PIXEL
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``taps`` and ``weights`` for ``weight`` (KH, KW, Cin / groups, Cout) int8.

    Four bytes of the ``pixel`` type make a step. Where the window's pixels of one row lie without
    gaps, they are one run; else each pixel's group is a run. Runs are filled with zero weights to
    whole steps, so the picture needs three readable bytes after its end.
    """
    numbers = 4 // pixel.itemsize
    rows, columns, inputs, channels = weight.shape
    if window.dilation[1] == 1 and window.groups == 1:
        window = window._replace(size=(rows, 1))
        weight = weight.reshape(rows, 1, columns * inputs, channels)
    run = weight.shape[2]
    steps = -(-run // numbers)
    filled = np.zeros((*weight.shape[:2], numbers * steps, channels), f"<i{pixel.itemsize}")
    filled[:, :, :run] = weight
    taps = _taps(picture, window, np.arange(window.groups) * inputs, numbers * np.arange(steps))
    by_step = filled.reshape(-1, numbers, window.groups, channels // window.groups)
    by_step = np.ascontiguousarray(by_step.transpose(2, 0, 3, 1)).view("<i4")[..., 0]
    return taps, _blocks(by_step)


def pixel_sums(
    weight: np.ndarray, offset: int, out_hw: tuple[int, int]
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Return ``sums`` of the kernel: what the offset takes from every sum of a channel."""
    base = -offset * weight.sum(axis=(0, 1, 2), dtype=np.int64)
    return aligned_copy(base.astype(np.int32)), 1, *_one_class(out_hw)


# --- floats -----------------------------------------------------------------------------------


def float_weights(
    weight: np.ndarray, picture: Picture, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``taps`` and ``weights`` for ``weight`` (KH, KW, Cin / groups, Cout)."""
    inputs, channels = weight.shape[2:]
    groups = window.groups
    taps = _taps(picture, window, np.arange(groups) * inputs, np.arange(inputs))
    by_group = weight.astype(np.float32).reshape(-1, groups, channels // groups).swapaxes(0, 1)
    return taps, _blocks(by_group)


def float_sums(
    channels: int, out_hw: tuple[int, int]
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Return ``sums`` of the kernel for floats: nothing to add."""
    return aligned_zeros(channels, "float32"), 1, *_one_class(out_hw)


def _one_class(out_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(out_hw[0], np.int64), np.zeros(out_hw[1], np.int64)
