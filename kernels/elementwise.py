"""Copies and element-wise operations on rows of flat NHWC pictures."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, add_channels, round_to_bytes
from binvision.kernels.upsampling import nearest

__all__ = [
    "add",
    "add_enlarged",
    "add_pixel",
    "affine_prelu",
    "clip",
    "copy_channels",
    "copy_rows",
    "quantize",
    "subtract_offset",
]


@kernel
def copy_channels(
    values: np.ndarray,
    stride: int,
    out: np.ndarray,
    out_stride: int,
    channels: int,
    start: int,
    stop: int,
) -> None:
    """Copy the channels of pixels ``start .. stop``; a stride leads to the next pixel."""
    for pixel in range(start, stop):
        source = values[pixel * stride : pixel * stride + channels]
        target = out[pixel * out_stride : pixel * out_stride + channels]
        for c in range(channels):
            target[c] = source[c]


@kernel
def add(
    left: np.ndarray,
    left_stride: int,
    right: np.ndarray,
    right_stride: int,
    out: np.ndarray,
    out_stride: int,
    channels: int,
    start: int,
    stop: int,
) -> None:
    """Add the channels of pixels ``start .. stop``; ``out`` may be ``left`` or ``right``.

    A stride leads from one pixel to the next.
    """
    for pixel in range(start, stop):
        add_pixel(
            left, pixel * left_stride, right, pixel * right_stride, out, pixel * out_stride,
            channels,
        )  # fmt: skip


@kernel
def add_pixel(
    left: np.ndarray,
    left_at: int,
    right: np.ndarray,
    right_at: int,
    out: np.ndarray,
    out_at: int,
    channels: int,
) -> None:
    """Add two runs of elements; ``out`` may be either."""
    whole = channels // LANES * LANES
    for c in range(0, whole, LANES):
        add_channels(left, left_at + c, right, right_at + c, out, out_at + c)
    for c in range(whole, channels):
        out[out_at + c] = left[left_at + c] + right[right_at + c]


@kernel
def add_enlarged(
    small: np.ndarray,
    small_stride: int,
    sizes: np.ndarray,
    values: np.ndarray,
    stride: int,
    out: np.ndarray,
    out_stride: int,
    row_start: int,
    row_stop: int,
) -> None:
    """Add the nearest pixels of a smaller picture; ``out`` may be ``values``.

    Args:
        small: float32, flat NHWC.
        small_stride: Elements from one of its pixels to the next.
        sizes: As for :func:`binvision.kernels.resize`.
        values: float32, flat NHWC.
        stride: Elements from one of its pixels to the next.
        out: float32, flat NHWC.
        out_stride: Elements from one of its pixels to the next.
        row_start: First row of ``out``, counted over the whole batch.
        row_stop: Row after the last.
    """
    height, width, channels, out_height, out_width = sizes
    for row in range(row_start, row_stop):
        picture, y = divmod(row, out_height)
        place = (picture * height + nearest(y, height, out_height)) * width
        for x in range(out_width):
            source, pixel = place + nearest(x, width, out_width), row * out_width + x
            add_pixel(
                small, source * small_stride, values, pixel * stride, out, pixel * out_stride,
                channels,
            )  # fmt: skip


@kernel
def affine_prelu(
    values: np.ndarray,
    scale: np.ndarray,
    bias: np.ndarray,
    slope: np.ndarray,
    shift: np.ndarray,
    out: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """``PReLU(scale * x + bias) + shift``, by channel, for pixels ``start .. stop``; float32."""
    channels = len(scale)
    for pixel in range(start, stop):
        source = values[pixel * channels : (pixel + 1) * channels]
        target = out[pixel * channels : (pixel + 1) * channels]
        for c in range(channels):
            y = source[c] * scale[c] + bias[c]
            target[c] = (y if y >= 0 else y * slope[c]) + shift[c]


@kernel
def clip(
    values: np.ndarray, low: float, high: float, out: np.ndarray, start: int, stop: int
) -> None:
    """Bound elements ``start .. stop`` to ``low .. high``; NaN stays."""
    least, greatest = np.float32(low), np.float32(high)
    for i in range(start, stop):
        x = values[i]
        out[i] = least if x < least else (greatest if x > greatest else x)


@kernel
def copy_rows(
    values: np.ndarray, out: np.ndarray, place: np.ndarray, row_start: int, row_stop: int
) -> None:
    """Copy rows into the inside of a picture with a border.

    Args:
        values: Flat NHWC without border.
        out: Flat, with border, of a dtype that holds all values.
        place: int64 ``[rows of a picture, elements of a row, first, picture stride, row stride]``.
        row_start: First row, counted over the whole batch.
        row_stop: Row after the last.
    """
    length = place[1]
    for row in range(row_start, row_stop):
        picture, y = divmod(row, place[0])
        at = place[2] + picture * place[3] + y * place[4]
        source = values[row * length : (row + 1) * length]
        target = out[at : at + length]
        for i in range(length):
            target[i] = source[i]


@kernel
def subtract_offset(
    values: np.ndarray,
    offset: float,
    out: np.ndarray,
    place: np.ndarray,
    row_start: int,
    row_stop: int,
) -> None:
    """Write ``values - offset`` as float32 into the inside of a picture; see ``copy_rows``."""
    length = place[1]
    shift = np.float32(offset)
    for row in range(row_start, row_stop):
        picture, y = divmod(row, place[0])
        at = place[2] + picture * place[3] + y * place[4]
        source = values[row * length : (row + 1) * length]
        target = out[at : at + length]
        for i in range(length):
            target[i] = np.float32(source[i]) - shift


@kernel
def quantize(
    values: np.ndarray,
    levels: np.ndarray,
    out: np.ndarray,
    place: np.ndarray,
    row_start: int,
    row_stop: int,
    vector: bool,
) -> None:
    """Write ``clamp(round(values * levels), -128, 127) + 128``, 0 to 255; see ``copy_rows``.

    Args:
        values: float32, flat NHWC without border; NaN gives 0.
        levels: float32 (C,): steps of 8 bits in one unit of each channel.
        out: uint8 or int16, flat, with border.
        place: As for ``copy_rows``.
        row_start: First row, counted over the whole batch.
        row_stop: Row after the last.
        vector: False takes the path of plain loops; the results are the same.
    """
    length, channels = place[1], len(levels)
    whole = channels // LANES * LANES if vector else 0
    for row in range(row_start, row_stop):
        picture, y = divmod(row, place[0])
        at = place[2] + picture * place[3] + y * place[4]
        for pixel in range(0, length, channels):
            source, target = row * length + pixel, at + pixel
            for c in range(0, whole, LANES):
                round_to_bytes(values, source + c, levels, c, out, target + c)
            for c in range(whole, channels):
                level = np.rint(values[source + c] * levels[c])
                # In this order, NaN becomes the least level, as in the vector instructions.
                level = level if level > -128 else np.float32(-128)
                out[target + c] = np.int16((level if level < 127 else np.float32(127)) + 128)
