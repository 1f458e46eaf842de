"""The place of each heat map: its mean under a softmax, and how much of it lies there."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from binvision.kernels.emit import (
    F32,
    I32,
    I64,
    address,
    counted_loop,
    data_of,
    load,
    store,
    vector_of,
    zeros,
)
from binvision.kernels.jit import kernel

__all__ = ["LANES", "soft_argmax"]

LANES = 8  # maps that are treated at once

_LEAST = -87.0  # exp of less is no normal float32
_LOG2_E = 1.4426950408889634
_LN_2 = (0.693359375, -2.12194440e-4)  # as a sum, the first one with few bits
_ROUND = 1.5 * 2**23  # added to a float32, it leaves the nearest whole number
_ROUND_BITS = 0x4B400000
_POLYNOMIAL = (
    *(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3),
    *(4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
)


@kernel
def soft_argmax(
    maps: np.ndarray, reach: int, sums: np.ndarray, places: np.ndarray, masses: np.ndarray
) -> None:
    """Mean place of each map's softmax (Sun et al., Integral Human Pose, ECCV 2018, eq. 2).

    ::

        p[i, j] = exp(m[i, j]) / sum over all cells of exp(m)
        place = (sum of p[i, j] * j, sum of p[i, j] * i)
        mass = sum of p within ``reach`` cells of the cell that the place is in

    Channels lie side by side, so vectors hold one cell of 8 maps. The last vector of a cell may
    reach into the next one: what it sums up there is never read. Behind the last cell there is
    nothing to read, so that cell is taken one map at a time.

    Args:
        maps: float32 (h, w, P), logits, contiguous.
        reach: Cells to each side of the place's cell that count.
        sums: float32 (6, P rounded up to a multiple of ``LANES``), written.
        places: float32 (P, 2), x and y in cells, written; NaN where a map is not finite.
        masses: float32 (P,), 0..1, written.
    """
    height, width, count = maps.shape
    values = maps.reshape(-1)
    greatest, row, row_across, total, across, down = sums
    greatest[:] = -np.inf
    total[:] = across[:] = down[:] = 0
    for c in range(0, count, LANES):
        # Cells of which a whole vector can be read; the others are at the very end.
        whole = max((len(values) - LANES - c) // count + 1, 0)
        if whole:
            _take_larger(values, c, count, whole, greatest, c)
        for cell in range(whole, height * width):
            for k in range(c, min(c + LANES, count)):
                value = values[cell * count + k]
                greatest[k] = value if value > greatest[k] else greatest[k]
    for i in range(height):
        first = i * width
        row[:] = row_across[:] = 0
        for c in range(0, count, LANES):
            whole = min(max((len(values) - LANES - c) // count + 1 - first, 0), width)
            if whole:
                at = first * count + c
                _add_exponentials(values, at, count, whole, greatest, c, row, row_across)
            for j in range(whole, width):
                for k in range(c, min(c + LANES, count)):
                    exponential = np.exp(values[(first + j) * count + k] - greatest[k])
                    row[k] += exponential
                    row_across[k] += exponential * np.float32(j)
        for c in range(count):
            total[c] += row[c]
            across[c] += row_across[c]
            down[c] += row[c] * np.float32(i)
    for c in range(count):
        x, y = across[c] / total[c], down[c] / total[c]
        places[c, 0], places[c, 1], masses[c] = x, y, np.float32(0)
        if x + y >= 0:  # not NaN
            mass = _mass(maps, c, greatest[c], int(x + 0.5), int(y + 0.5), reach)
            masses[c] = min(mass / total[c], np.float32(1))


@kernel
def _mass(
    maps: np.ndarray, channel: int, greatest: np.float32, x: int, y: int, reach: int
) -> np.float32:
    """Sum of the exponentials of one channel in a square of cells."""
    height, width, _ = maps.shape
    mass = np.float32(0)
    for i in range(max(y - reach, 0), min(y + reach + 1, height)):
        for j in range(max(x - reach, 0), min(x + reach + 1, width)):
            mass += np.exp(maps[i, j, channel] - greatest)
    return mass


@intrinsic
def _take_larger(
    typingctx, values, at, stride, cells, greatest, channel
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Raise some numbers of ``greatest`` to the largest of so many cells; NaN raises none."""
    args = (values, at, stride, cells, greatest, channel)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        source = data_of(context, builder, signature.args[0], given[0])
        target = _place(context, builder, signature, given, 4, given[5])
        kind = vector_of(F32, LANES)

        def body(cell, carried):  # type: ignore[no-untyped-def]
            place = builder.add(given[1], builder.mul(cell, given[2]))
            value = load(builder, address(builder, source, F32, place), kind, 4)
            larger = builder.fcmp_ordered(">", value, carried[0])
            return [builder.select(larger, value, carried[0])]

        start = [load(builder, target, kind, 4)]
        (most,) = counted_loop(builder, I64(0), given[3], 1, start, body)
        store(builder, most, target, 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def _add_exponentials(
    typingctx, values, at, stride, cells, greatest, channel, total, across
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add exp(values - greatest) of some maps over cells of a row, and the column times it."""
    args = (values, at, stride, cells, greatest, channel, total, across)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        source = data_of(context, builder, signature.args[0], given[0])
        most, *targets = (
            _place(context, builder, signature, given, array, given[5]) for array in (4, 6, 7)
        )
        kind = vector_of(F32, LANES)
        most = load(builder, most, kind, 4)

        def body(cell, carried):  # type: ignore[no-untyped-def]
            sums, moments, column = carried
            place = builder.add(given[1], builder.mul(cell, given[2]))
            value = load(builder, address(builder, source, F32, place), kind, 4)
            exponential = _emit_exp(builder, builder.fsub(value, most))
            moment = builder.fmul(exponential, column, flags=("contract",))
            return [
                builder.fadd(sums, exponential),
                builder.fadd(moments, moment, flags=("contract",)),
                builder.fadd(column, ir.Constant(kind, [1.0] * LANES)),
            ]

        start = [load(builder, target, kind, 4) for target in targets]
        start.append(zeros(F32, LANES))
        new = counted_loop(builder, I64(0), given[3], 1, start, body)
        for target, value in zip(targets, new, strict=False):
            store(builder, value, target, 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


def _emit_exp(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """exp of some numbers <= 0, to 2e-7 of each; NaN stays.

    With n the whole number next to x / ln 2 and f = x - n ln 2, it is 2^n exp(f): a float32 with
    exponent n + 127, and a polynomial (Cephes, ``expf``).
    """
    number, whole = vector_of(F32, LANES), vector_of(I32, LANES)

    def constant(value: float) -> ir.Value:
        return ir.Constant(number, [value] * LANES)

    def multiply_add(a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))

    x = builder.select(builder.fcmp_ordered("<", x, constant(_LEAST)), constant(_LEAST), x)
    rounded = multiply_add(x, constant(_LOG2_E), constant(_ROUND))
    n = builder.fsub(rounded, constant(_ROUND))
    f = multiply_add(n, constant(-_LN_2[0]), x)
    f = multiply_add(n, constant(-_LN_2[1]), f)
    y = constant(_POLYNOMIAL[0])
    for coefficient in _POLYNOMIAL[1:]:
        y = multiply_add(y, f, constant(coefficient))
    y = builder.fadd(multiply_add(builder.fmul(y, f), f, f), constant(1.0))
    exponent = builder.sub(
        builder.bitcast(rounded, whole), ir.Constant(whole, [_ROUND_BITS - 127] * LANES)
    )
    power = builder.shl(exponent, ir.Constant(whole, [23] * LANES))
    return builder.fmul(y, builder.bitcast(power, number))


def _place(context, builder, signature, given, array, index):  # type: ignore[no-untyped-def]
    """Where element ``index`` of an argument is."""
    data = data_of(context, builder, signature.args[array], given[array])
    return address(builder, data, F32, index)
