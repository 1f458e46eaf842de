"""Weights and tables of binary convolutions that are sums of terms (numpy only).

The order of the terms is: planes, bases, taps, the last changing fastest.
"""

from __future__ import annotations

import numpy as np

from binvision.kernels.layout import (
    Picture,
    Window,
    aligned_copy,
    bit_weights,
    padding_base,
    tap_classes,
)

__all__ = ["term_sums", "term_weights"]


def term_weights(
    bits: np.ndarray, picture: Picture, window: Window, planes: int, per_tap: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``taps`` and ``weights`` of :func:`binvision.kernels.convolve_terms`.

    Args:
        bits: uint64 (bases, KH, KW, words, Cout).
        picture: Planes lie one after another in each pixel.
        window: The whole window.
        planes: Planes of bits, each with the weights of every base.
        per_tap: Every tap is a term of its own.
    """
    plane = picture.elements // planes
    taps, weights = [], []
    for number in range(planes):
        for base in bits:
            for rows, columns in _term_windows(window, per_tap):
                part = window._replace(size=(len(rows), len(columns)))
                inner, packed = bit_weights(base[np.ix_(rows, columns)], picture, part)
                first = rows[0] * window.dilation[0] * picture.row
                first += columns[0] * window.dilation[1] * picture.elements
                taps.append(inner + first + number * plane)
                weights.append(packed)
    return np.stack(taps), aligned_copy(np.stack(weights))


def term_sums(
    bits: np.ndarray,
    in_channels: int,
    window: Window,
    in_hw: tuple[int, int],
    out_hw: tuple[int, int],
    pad_value: int,
    planes: int,
    per_tap: bool,
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Return ``sums`` of :func:`binvision.kernels.convolve_terms`; see :func:`term_weights`."""
    inside, row_class, column_class = tap_classes(window, in_hw, out_hw, pad_value)
    inputs = in_channels // window.groups
    terms = [
        padding_base(base[np.ix_(rows, columns)], inside[:, rows][:, :, columns], inputs).reshape(
            -1
        )
        for base in bits
        for rows, columns in _term_windows(window, per_tap)
    ]
    return aligned_copy(np.stack(terms * planes)), -2, row_class, column_class


def _term_windows(window: Window, per_tap: bool) -> list[tuple[list[int], list[int]]]:
    """Return rows and columns of the window that each term of one base takes."""
    rows, columns = (list(range(size)) for size in window.size)
    return [([i], [j]) for i in rows for j in columns] if per_tap else [(rows, columns)]
