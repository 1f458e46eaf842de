"""Nearest and bilinear up-sampling of float pictures, with the centres of PyTorch's default."""

from __future__ import annotations

import numpy as np

from binvision.kernels.jit import kernel

__all__ = ["nearest", "resize"]


@kernel
def resize(
    values: np.ndarray,
    out: np.ndarray,
    sizes: np.ndarray,
    bilinear: bool,
    row_start: int,
    row_stop: int,
) -> None:
    """Resize to output rows ``row_start .. row_stop``, counted over the whole batch.

    An output pixel p reads, in float32 and with ``step = size / output size``::

        nearest     floor(p * step)
        bilinear    around max(step * (p + 1/2) - 1/2, 0), weighted by distance

    as ``torch.nn.functional.interpolate`` does with ``align_corners=False``.

    Args:
        values: float32, flat NHWC.
        out: float32, flat NHWC.
        sizes: int64 ``[height, width, channels, output height, output width]``.
        bilinear: Bilinear instead of nearest.
        row_start: First output row.
        row_stop: Row after the last.
    """
    height, width, channels, out_height, out_width = sizes
    for row in range(row_start, row_stop):
        picture, y = divmod(row, out_height)
        upper, lower, down = _source(y, height, out_height, bilinear)
        for x in range(out_width):
            left, right, across = _source(x, width, out_width, bilinear)
            at = (row * out_width + x) * channels
            target = out[at : at + channels]
            first, second = picture * height + upper, picture * height + lower
            corner = values[(first * width + left) * channels :]
            if not bilinear:
                for c in range(channels):
                    target[c] = corner[c]
                continue
            beside = values[(first * width + right) * channels :]
            below = values[(second * width + left) * channels :]
            opposite = values[(second * width + right) * channels :]
            up, back = np.float32(1) - down, np.float32(1) - across
            for c in range(channels):
                target[c] = up * (back * corner[c] + across * beside[c]) + down * (
                    back * below[c] + across * opposite[c]
                )


@kernel
def nearest(place: int, size: int, out_size: int) -> int:
    """Return the element that an output place reads when the nearest one is taken."""
    return min(int(np.float32(place) * (np.float32(size) / np.float32(out_size))), size - 1)


@kernel
def _source(place: int, size: int, out_size: int, bilinear: bool) -> tuple[int, int, np.float32]:
    """Return the two elements that an output place reads, and the weight of the second."""
    if not bilinear:
        first = nearest(place, size, out_size)
        return first, first, np.float32(0)
    step = np.float32(size) / np.float32(out_size)
    exact = max(step * (np.float32(place) + np.float32(0.5)) - np.float32(0.5), np.float32(0))
    first = min(int(exact), size - 1)
    return first, min(first + 1, size - 1), np.float32(exact - np.float32(first))
