"""Cross-correlation of an exemplar over search features, the last step of a siamese tracker."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel

__all__ = ["correlate"]

# Sums are kept in this many partial sums, so that they fill vectors; the order of addition is
# fixed by it, and the same for every CPU.
_LANES = 16


@kernel
def correlate(exemplar, search, out):  # type: ignore[no-untyped-def]
    """Correlate without padding (Bertinetto et al. 2016, eq. 1).

    ::

        out[n, y, x] = sum over i, j, c of exemplar[i, j, c] * search[n, y + i, x + j, c]

    Args:
        exemplar: float32 (kh, kw, C).
        search: float32 (N, H, W, C), H >= kh and W >= kw.
        out: float32 (N, H - kh + 1, W - kw + 1), written.
    """
    rows, columns, channels = exemplar.shape
    count, height, width = out.shape
    run = columns * channels
    kernel_rows = np.ascontiguousarray(exemplar).reshape(rows, run)
    whole = run // _LANES * _LANES
    partial = np.empty(_LANES, np.float32)
    for n in range(count):
        picture = np.ascontiguousarray(search[n]).reshape(search.shape[1], -1)
        for y in range(height):
            for x in range(width):
                partial[:] = 0
                for i in range(rows):
                    values = picture[y + i, x * channels : x * channels + run]
                    weights = kernel_rows[i]
                    for j in range(0, whole, _LANES):
                        for lane in range(_LANES):
                            partial[lane] += values[j + lane] * weights[j + lane]
                    for j in range(whole, run):
                        partial[0] += values[j] * weights[j]
                out[n, y, x] = partial.sum()
