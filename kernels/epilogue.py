"""What becomes of a tile's sums: scale, bias, residual, PReLU, shift."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES, finish_channels

__all__ = ["finish_tile"]


@kernel
def finish_tile(
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
    count: int,
    vector: bool,
) -> None:
    """Turn a tile's sums into output channels, in float32 and in the order of the formula."""
    channels = len(scale)
    whole = channels // LANES * LANES if vector else 0
    for i in range(count):
        sums, kind = i * tile_stride, classes[i] * channels
        added, target = residual_at + i * residual_stride, out_at + i * channels
        for o in range(0, whole, LANES):
            finish_channels(
                tile, sums + o, base, kind + o, factor, scale, bias, slope, shift, o,
                residual, added + o, out, target + o,
            )  # fmt: skip
        for o in range(whole, channels):
            dot = np.float32(base[kind + o] + factor * tile[sums + o])
            y = dot * scale[o] + bias[o] + residual[added + o]
            out[target + o] = (y if y >= 0 else y * slope[o]) + shift[o]
