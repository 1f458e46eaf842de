"""What becomes of a tile's sums: scale, bias, residual, PReLU, shift; signs; a late residual."""

from __future__ import annotations

from typing import Any

import numpy as np

from binvision.kernels.elementwise import add_pixel
from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, finish_channels
from binvision.kernels.pack import pack_pixels

__all__ = ["finish_tile", "new_scratch"]


@kernel
def new_scratch(epilogue: tuple[Any, ...], pixels: int) -> np.ndarray:
    """Return memory for a tile's floats that are not stored as they are, else an empty array."""
    channels, late, out = len(epilogue[1]), epilogue[6], epilogue[8]
    return np.empty(0 if len(out) and not len(late) else pixels * channels, np.float32)


@kernel
def finish_tile(
    tile: np.ndarray,
    tile_stride: int,
    base: np.ndarray,
    classes: np.ndarray,
    factor: int,
    scale: np.ndarray,
    epilogue: tuple[Any, ...],
    packing: tuple[Any, ...],
    words: np.ndarray,
    scratch: np.ndarray,
    first: int,
    count: int,
    vector: bool,
) -> None:
    """Turn the sums of pixels ``first .. first + count`` into what others read.

    Floats in the order of the formula, then the signs of these, then the late residual. The
    arguments are those of :func:`binvision.kernels.convolve`; ``words`` are the places of signs.
    """
    _, bias, slope, shift, residual, residual_stride, late, late_stride, out, out_stride = epilogue
    bits, threshold, layout = packing
    channels = len(bias)
    if len(scratch):
        _finish(
            tile, tile_stride, base, classes, factor, scale, bias, slope, shift, residual,
            first * residual_stride, residual_stride, scratch, 0, channels, count, vector,
        )  # fmt: skip
        if len(bits):
            pack_pixels(scratch, 0, channels, count, threshold, bits, words, layout[1], vector)
        if len(late):
            for i in range(count):
                pixel = first + i
                add_pixel(
                    scratch, i * channels, late, pixel * late_stride, out, pixel * out_stride,
                    channels,
                )  # fmt: skip
        return
    at = first * out_stride
    _finish(
        tile, tile_stride, base, classes, factor, scale, bias, slope, shift, residual,
        first * residual_stride, residual_stride, out, at, out_stride, count, vector,
    )  # fmt: skip
    if len(bits):
        pack_pixels(out, at, out_stride, count, threshold, bits, words, layout[1], vector)


@kernel
def _finish(
    tile: np.ndarray,
    tile_stride: int,
    base: np.ndarray,
    classes: np.ndarray,
    factor: int,
    scale: np.ndarray,
    bias: np.ndarray,
    slope: np.ndarray,
    shift: np.ndarray,
    residual: np.ndarray,
    residual_at: int,
    residual_stride: int,
    out: np.ndarray,
    out_at: int,
    out_stride: int,
    count: int,
    vector: bool,
) -> None:
    channels = len(scale)
    whole = channels // LANES * LANES if vector else 0
    for i in range(count):
        sums, kind = i * tile_stride, classes[i] * channels
        added, target = residual_at + i * residual_stride, out_at + i * out_stride
        for o in range(0, whole, LANES):
            finish_channels(
                tile, sums + o, base, kind + o, factor, scale, bias, slope, shift, o,
                residual, added + o, out, target + o,
            )  # fmt: skip
        for o in range(whole, channels):
            dot = np.float32(base[kind + o] + factor * tile[sums + o])
            y = dot * scale[o] + bias[o] + residual[added + o]
            out[target + o] = (y if y >= 0 else y * slope[o]) + shift[o]
