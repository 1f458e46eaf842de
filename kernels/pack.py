"""Signs of float activations, packed 64 to a word.

Bit i of a word is 1 where ``x >= threshold``, which stands for +1; so sign(0) = +1, and -0.0
counts as 0. NaN gives 0. Each group of channels is packed from bit 0 of its own words; bits
beyond a group's last channel stay 0, here and in the weights, so that they never differ.

The words of one pixel lie together. Where a picture of bits has a border (the zero padding of the
convolution that reads it), the border is never written and keeps what it was filled with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, pack_lanes, pack_word

__all__ = ["pack_pixels", "pack_signs"]


@kernel
def pack_pixels(
    values: np.ndarray,
    at: int,
    stride: int,
    count: int,
    threshold: np.ndarray,
    bits: np.ndarray,
    places: np.ndarray,
    groups: int,
    vector: bool,
) -> None:
    """Pack ``count`` pixels, ``stride`` apart from ``values[at]`` on, to ``bits[places[i]:]``.

    A pixel has ``len(threshold)`` channels.
    """
    channels = len(threshold) // groups
    words = (channels + 63) // 64
    for group in range(groups):
        for word in range(words):
            first = group * channels + 64 * word
            number = group * words + word
            used = min(64, channels - 64 * word)
            if vector and used == 64:
                for i in range(count):
                    packed = pack_word(values, at + i * stride + first, threshold, first)
                    bits[places[i] + number] = packed
                continue
            whole = used // LANES * LANES if vector else 0
            for i in range(count):
                packed, pixel = np.uint64(0), at + i * stride + first
                for c in range(0, whole, LANES):
                    packed |= pack_lanes(values, pixel + c, threshold, first + c) << np.uint64(c)
                for c in range(whole, used):
                    if values[pixel + c] >= threshold[first + c]:
                        packed |= np.uint64(1) << np.uint64(c)
                bits[places[i] + number] = packed


@kernel
def pack_signs(
    values: np.ndarray,
    stride: int,
    width: int,
    packing: tuple[Any, ...],
    row_start: int,
    row_stop: int,
    vector: bool,
) -> None:
    """Pack rows of a float picture.

    Args:
        values: float32, flat NHWC.
        stride: Elements from one pixel to the next.
        width: Pixels in a row.
        packing: ``(bits, threshold, layout)``: uint64 flat; float32 (C,); int64
            ``[rows of a picture, groups, first, picture stride, row stride, pixel stride]`` in
            words, ``first`` being the place of pixel (0, 0).
        row_start: First row, counted over the whole batch.
        row_stop: Row after the last.
        vector: False takes the path of plain loops.
    """
    bits, threshold, layout = packing
    places = np.empty(width, np.int64)
    for row in range(row_start, row_stop):
        picture, y = divmod(row, layout[0])
        for x in range(width):
            places[x] = layout[2] + picture * layout[3] + y * layout[4] + x * layout[5]
        at = row * width * stride
        pack_pixels(values, at, stride, width, threshold, bits, places, layout[1], vector)
