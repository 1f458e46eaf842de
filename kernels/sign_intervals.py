"""An epilogue and the next layer's threshold as one comparison of integers (numpy only).

Between two signs a float is computed only to be compared, ``prelu(scale * dot + bias) + shift >=
threshold``, and the result depends on the integer dot alone. Here it is worked out once, with the
very float32 operations of the epilogue, for which sums of a channel the bit is 1.

Derivation. Let k = dot, or -dot where the scale is negative. Rounding is monotone, so ``y(k) =
scale * dot + bias`` never falls as k rises, and so never do PReLU (slope >= 0), shift and the
comparison: the bit is 0 below some k and 1 from there on. Where the slope is negative, PReLU falls
while y < 0 and rises after: the bit is 1, then 0, then 1, each part possibly empty. So in every
case the bit is 0 exactly for the k of one interval [zero, one), found by bisection. With dot =
base - 2 * acc, the interval is one of acc too, [first, stop), and outside it is one comparison
modulo 2^32::

    bit = (acc - stop) mod 2^32 < 2^32 - (stop - first)

A channel whose bit is always 1 has the interval of -1 alone, which no sum of bits is; NaN (slope 0
times infinity) compares as 0 and lies below every finite y, as the order needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from binvision.kernels.layout import aligned_copy

__all__ = ["Chain", "sign_intervals"]

_WORD = 64


class Chain(NamedTuple):
    """What lies between the integers of a binary convolution and the next sign; float32 (C,)."""

    scale: np.ndarray
    bias: np.ndarray
    slope: np.ndarray
    shift: np.ndarray
    threshold: np.ndarray


def sign_intervals(
    chain: Chain,
    sums: tuple[np.ndarray, int, np.ndarray, np.ndarray],
    most: int,
    groups: int,
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return ``intervals`` of :func:`binvision.kernels.convolve_to_bits`.

    Args:
        chain: The epilogue and the threshold of the layer that reads the bits.
        sums: As :func:`binvision.kernels.layout.bit_sums` makes them.
        most: Greatest magnitude of a dot: channels of a group times taps.
        groups: Channel groups of the layer that reads the bits.
    """
    base, factor, row_class, column_class = sums
    assert factor == -2
    zero, one = _zero_interval(chain, most)
    channels = len(zero)
    base = base.astype(np.int64).reshape(-1, channels)
    rising = chain.scale >= 0
    first = np.where(rising, (base - one) // 2 + 1, -(-(base + zero) // 2))
    stop = np.where(rising, (base - zero) // 2 + 1, -(-(base + one) // 2))
    always = first == stop
    low = np.where(always, 0, stop)
    length = np.where(always, 2**32 - 1, 2**32 - (stop - first))
    return (
        channels,
        _by_word(low, groups),
        _by_word(length, groups),
        row_class,
        column_class,
    )


def _zero_interval(chain: Chain, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each channel, the ``[zero, one)`` of k in -most .. most whose bit is 0."""
    sign = np.where(chain.scale >= 0, 1, -1)

    def linear(k: np.ndarray) -> np.ndarray:
        return (sign * k).astype(np.float32) * chain.scale + chain.bias

    def bit(k: np.ndarray) -> np.ndarray:
        y = linear(k)
        return np.where(y >= 0, y, y * chain.slope) + chain.shift >= chain.threshold

    least, end = np.full(len(sign), -most), np.full(len(sign), most + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        positive = _first(lambda k: linear(k) >= 0, least, end)
        turn = np.where(chain.slope >= 0, least, positive)
        return _first(lambda k: ~bit(k), least, turn), _first(bit, turn, end)


def _first(
    holds: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return the least k of ``low .. high`` where ``holds``, ``high`` where none; by bisection."""
    while (low < high).any():
        middle = (low + high) // 2
        found = holds(middle) | (low == high)
        low, high = np.where(found, low, middle + 1), np.where(found, middle, high)
    return low


def _by_word(table: np.ndarray, groups: int) -> np.ndarray:
    """Lay (classes, channels) out as the packed words are: each group filled to whole words.

    What fills has length 0, so that the bit is 0.
    """
    classes, channels = table.shape
    share = channels // groups
    filled = np.zeros((classes, groups, -(-share // _WORD) * _WORD), np.uint32)
    filled[:, :, :share] = table.reshape(classes, groups, share)
    return aligned_copy(filled.reshape(-1))
