"""Cross-correlations of an exemplar with search features, as siamese trackers use them."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import CORRELATED, LANES, add_correlations

__all__ = ["correlate", "correlate_channels"]


@kernel
def correlate(exemplar: np.ndarray, search: np.ndarray, out: np.ndarray) -> None:
    """Correlate without padding (Bertinetto et al. 2016, eq. 1).

    ::

        out[n, y, x] = sum over i, j, c of exemplar[i, j, c] * search[n, y + i, x + j, c]

    The pixels of one row of a window lie together, so a row is one run of products. Four
    neighbouring places are summed at once.

    Args:
        exemplar: float32 (kh, kw, C).
        search: float32 (N, H, W, C), H >= kh and W >= kw.
        out: float32 (N, H - kh + 1, W - kw + 1), written.
    """
    count, height, width = out.shape
    weights = np.empty(exemplar.size + LANES, np.float32)
    weights = weights[-weights.ctypes.data % 64 // 4 :]  # from a cache line on
    weights[: exemplar.size] = np.ascontiguousarray(exemplar).reshape(-1)
    values = np.ascontiguousarray(search).reshape(-1)
    together = CORRELATED if width >= CORRELATED else 1
    sums = np.empty(CORRELATED * LANES, np.float32)
    for n in range(count):
        for y in range(height):
            first = n * search.shape[1] + y
            for x in range(0, width, together):
                left = min(x, width - together)  # the last block may do some places again
                _sum_windows(
                    weights, exemplar.shape, values, search.shape, first, left, together, sums
                )  # fmt: skip
                for place in range(together):
                    total = np.float32(0)
                    for lane in range(LANES):
                        total += sums[place * LANES + lane]
                    out[n, y, left + place] = total


@kernel
def _sum_windows(
    weights: np.ndarray,
    exemplar_shape: tuple[int, ...],
    values: np.ndarray,
    search_shape: tuple[int, ...],
    first: int,
    left: int,
    together: int,
    sums: np.ndarray,
) -> None:
    """Sum the windows whose top row is ``first`` and whose left columns are ``left`` and next."""
    rows, columns, channels = exemplar_shape
    run = columns * channels
    whole = run // LANES * LANES
    stride = channels if together == CORRELATED else 0
    for i in range(len(sums)):
        sums[i] = 0
    for i in range(rows):
        at = ((first + i) * search_shape[2] + left) * channels
        if whole:
            add_correlations(weights, i * run, values, at, stride, whole, sums)
        for place in range(together):
            for j in range(whole, run):
                sums[place * LANES] += values[at + place * channels + j] * weights[i * run + j]


@kernel
def correlate_channels(
    values: np.ndarray,
    stride: int,
    exemplar: np.ndarray,
    out: np.ndarray,
    out_stride: int,
    sizes: np.ndarray,
    row_start: int,
    row_stop: int,
) -> None:
    """Correlate channel by channel (Li et al., SiamRPN++, CVPR 2019, section 3.4).

    ::

        out[n, y, x, c] = sum over i, j of
                          exemplar[i, j, c] * values[n, s y + i - kh // 2, s x + j - kw // 2, c]

    with zeros around the values.

    Args:
        values: float32, flat NHWC.
        stride: Elements from one of its pixels to the next.
        exemplar: float32, flat (kh, kw, C).
        out: float32, flat NHWC.
        out_stride: Elements from one of its pixels to the next.
        sizes: int64 ``[height, width, channels, output height, output width, kh, kw, s, s]``,
            vertical first.
        row_start: First output row, counted over the whole batch.
        row_stop: Row after the last.
    """
    height, width, channels, out_height, out_width, rows, columns = sizes[:7]
    for row in range(row_start, row_stop):
        picture, y = divmod(row, out_height)
        top = y * sizes[7] - rows // 2
        for x in range(out_width):
            left = x * sizes[8] - columns // 2
            at = (row * out_width + x) * out_stride
            target = out[at : at + channels]
            target[:] = 0
            for i in range(max(0, -top), min(rows, height - top)):
                first = (picture * height + top + i) * width + left
                for j in range(max(0, -left), min(columns, width - left)):
                    place = (first + j) * stride
                    source = values[place : place + channels]
                    weights = exemplar[(i * columns + j) * channels :]
                    for c in range(channels):
                        target[c] += weights[c] * source[c]
