"""Cross-correlations of an exemplar with search features, as siamese trackers use them."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel
from binvision.kernels.lanes import CORRELATED, LANES, add_correlations

__all__ = ["correlate", "correlate_channels", "correlate_pixels"]


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
def correlate_channels(exemplar: np.ndarray, search: np.ndarray, out: np.ndarray) -> None:
    """Correlate channel by channel without padding (Li et al., SiamRPN++, CVPR 2019, section 3.4).

    ::

        out[n, y, x, c] = sum over i, j of exemplar[i, j, c] * search[n, y + i, x + j, c]

    Args:
        exemplar: float32 (kh, kw, C).
        search: float32 (N, H, W, C), H >= kh and W >= kw.
        out: float32 (N, H - kh + 1, W - kw + 1, C), written.
    """
    rows, columns, channels = exemplar.shape
    for n, y, x in np.ndindex(out.shape[:3]):
        target = out[n, y, x]
        target[:] = 0
        for i in range(rows):
            for j in range(columns):
                weights, values = exemplar[i, j], search[n, y + i, x + j]
                for c in range(channels):
                    target[c] += weights[c] * values[c]


@kernel
def correlate_pixels(exemplar: np.ndarray, search: np.ndarray, out: np.ndarray) -> None:
    """Correlate each exemplar pixel with each search pixel (Yan et al., Alpha-Refine, CVPR 2021).

    ::

        out[n, y, x, k] = sum over c of exemplar[k, c] * search[n, y, x, c]

    Args:
        exemplar: float32 (K, C), the K pixels of the exemplar's features.
        search: float32 (N, H, W, C).
        out: float32 (N, H, W, K), written.
    """
    by_channel = np.ascontiguousarray(exemplar.T)
    channels, pixels = by_channel.shape
    for n, y, x in np.ndindex(out.shape[:3]):
        target, values = out[n, y, x], search[n, y, x]
        target[:] = 0
        for c in range(channels):
            value, weights = values[c], by_channel[c]
            for k in range(pixels):
                target[k] += value * weights[k]
