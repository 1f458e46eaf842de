"""Cross-correlations of an exemplar with search features, as siamese trackers use them."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import CORRELATED, LANES, add_correlation, add_correlations

__all__ = ["correlate", "correlate_channels", "exemplar_weights"]


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
            add_correlations(
                weights, i * run, LANES, values, at, LANES, stride, whole // LANES, sums, 0, LANES
            )  # fmt: skip
        for place in range(together):
            for j in range(whole, run):
                sums[place * LANES] += values[at + place * channels + j] * weights[i * run + j]


def exemplar_weights(exemplar: np.ndarray) -> np.ndarray:
    """Return float32 (kh, kw, C) as :func:`correlate_channels` takes it, flat.

    All taps of 16 channels lie together, as their products are summed together; those of the
    channels that are left come last.
    """
    channels = exemplar.shape[2]
    whole = channels // LANES * LANES
    taps = exemplar.reshape(-1, channels)
    blocks = taps[:, :whole].reshape(len(taps), -1, LANES).swapaxes(0, 1)
    return np.concatenate([blocks.reshape(-1), taps[:, whole:].reshape(-1)])


@kernel
def correlate_channels(
    values: np.ndarray,
    stride: int,
    weights: np.ndarray,
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
        weights: float32: the exemplar (kh, kw, C) as :func:`exemplar_weights` lays it out.
        out: float32, flat NHWC.
        out_stride: Elements from one of its pixels to the next.
        sizes: int64 ``[height, width, channels, output height, output width, kh, kw, s, s]``,
            vertical first.
        row_start: First output row, counted over the whole batch.
        row_stop: Row after the last.
    """
    height, width, channels, out_height, out_width, rows, columns = sizes[:7]
    whole = channels // LANES * LANES
    for row in range(row_start, row_stop):
        picture, y = divmod(row, out_height)
        top = y * sizes[7] - rows // 2
        inside = (max(0, -top), min(rows, height - top))
        first = (picture * height + top) * width
        for pixel in range(row * out_width, (row + 1) * out_width):
            out[pixel * out_stride : pixel * out_stride + channels] = 0
        for i in range(inside[0], inside[1]):
            _add_row(
                values, (first + i * width) * stride, stride, weights, i * columns * LANES,
                out, row * out_width * out_stride, out_stride, sizes,
            )  # fmt: skip
        for c in range(whole, channels):
            at = whole * rows * columns + c - whole
            for x in range(out_width):
                left = x * sizes[8] - columns // 2
                total = np.float32(0)
                for i in range(inside[0], inside[1]):
                    for j in range(max(0, -left), min(columns, width - left)):
                        weight = weights[at + (i * columns + j) * (channels - whole)]
                        total += weight * values[(first + i * width + left + j) * stride + c]
                out[(row * out_width + x) * out_stride + c] = total


@kernel
def _add_row(
    values: np.ndarray,
    value_at: int,
    stride: int,
    weights: np.ndarray,
    weight_at: int,
    out: np.ndarray,
    out_at: int,
    out_stride: int,
    sizes: np.ndarray,
) -> None:
    """Add the products of one row of the exemplar and one of the values to one of the output."""
    width, out_width, rows, columns, step = sizes[1], sizes[4], sizes[5], sizes[6], sizes[8]
    whole = sizes[2] // LANES * LANES
    for x in range(0, out_width, CORRELATED):
        count = min(CORRELATED, out_width - x)
        left = x * step - columns // 2  # of the first place
        # Taps that lie inside the picture at all places are summed together.
        begin = max(0, -left)
        end = min(columns, width - left - (CORRELATED - 1) * step)
        if count < CORRELATED or end < begin:
            end = begin
        if begin < end:
            source = value_at + (left + begin) * stride
            for c in range(0, whole, LANES):
                add_correlations(
                    weights, weight_at + c * rows * columns + begin * LANES, LANES, values,
                    source + c, stride, step * stride, end - begin,
                    out, out_at + x * out_stride + c, out_stride,
                )  # fmt: skip
        for place in range(count):
            column = left + place * step
            before, after = max(0, -column), max(end, -column)
            stop = min(columns, width - column)
            for first, last in ((before, begin), (after, stop)):
                source = value_at + (column + first) * stride
                target = out_at + (x + place) * out_stride
                if first < last:
                    for c in range(0, whole, LANES):
                        add_correlation(
                            weights, weight_at + c * rows * columns + first * LANES, LANES,
                            values, source + c, stride, 0, last - first, out, target + c, 0,
                        )  # fmt: skip
