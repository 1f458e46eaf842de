"""Average and maximum pooling of float pictures."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel

__all__ = ["pool"]


@kernel
def pool(
    values: np.ndarray,
    out: np.ndarray,
    sizes: np.ndarray,
    window: np.ndarray,
    take_max: bool,
    row_start: int,
    row_stop: int,
) -> None:
    """Pool output rows ``row_start .. row_stop``, counted over the whole batch.

    A window is cut to the picture; an average divides by the elements that are left, so padding
    is not counted. Every window must hold at least one element, as the shape rules make sure.

    Args:
        values: float32, flat NHWC.
        out: float32, flat NHWC.
        sizes: int64 ``[height, width, channels, output height, output width, stride, output
            stride]``; a stride leads from one pixel to the next.
        window: int64 ``[kernel, kernel, stride, stride, padding, padding]``, vertical first.
        take_max: Maximum instead of average.
        row_start: First output row.
        row_stop: Row after the last.
    """
    height, width, channels, out_height, out_width, stride, out_stride = sizes
    for row in range(row_start, row_stop):
        picture, y = divmod(row, out_height)
        top = y * window[2] - window[4]
        y0, y1 = max(top, 0), min(top + window[0], height)
        for x in range(out_width):
            left = x * window[3] - window[5]
            x0, x1 = max(left, 0), min(left + window[1], width)
            at = (row * out_width + x) * out_stride
            target = out[at : at + channels]
            for inner_y in range(y0, y1):
                for inner_x in range(x0, x1):
                    place = ((picture * height + inner_y) * width + inner_x) * stride
                    source = values[place : place + channels]
                    if inner_y == y0 and inner_x == x0:
                        _copy(target, source)
                    elif take_max:
                        _take_larger(target, source)
                    else:
                        _add(target, source)
            if not take_max:
                count = np.float32((y1 - y0) * (x1 - x0))
                for c in range(channels):
                    target[c] /= count


@kernel
def _copy(target: np.ndarray, source: np.ndarray) -> None:
    for c in range(len(target)):
        target[c] = source[c]


@kernel
def _take_larger(target: np.ndarray, source: np.ndarray) -> None:
    for c in range(len(target)):
        # A NaN stays: it is neither smaller nor larger, and must not vanish.
        target[c] = source[c] if source[c] > target[c] or source[c] != source[c] else target[c]


@kernel
def _add(target: np.ndarray, source: np.ndarray) -> None:
    for c in range(len(target)):
        target[c] += source[c]
