"""The place of each heat map: its mean under a softmax, and how much of it lies there."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from binvision.kernels.emit import F32, I32, address, data_of, load, splat, store, vector_of
from binvision.kernels.jit import kernel
from binvision.kernels.lanes import LANES

__all__ = ["soft_argmax"]

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

    Channels lie side by side, so vectors hold one cell of 16 maps. The last vector of a cell may
    reach into the next one: what it sums up there is never read. Behind the last cell there is
    nothing to read, so that cell is taken one map at a time.

    Args:
        maps: float32 (h, w, P), logits, contiguous.
        reach: Cells to each side of the place's cell that count.
        sums: float32 (6, P rounded up to a multiple of 16), written.
        places: float32 (P, 2), x and y in cells, written; NaN where a map is not finite.
        masses: float32 (P,), 0..1, written.
    """
    height, width, count = maps.shape
    values = maps.reshape(-1)
    greatest, row, row_across, total, across, down = sums
    greatest[:] = -np.inf
    total[:] = across[:] = down[:] = 0
    inside = len(values) - LANES  # where the last whole vector begins
    for at in range(0, len(values), count):
        for c in range(0, count, LANES):
            if at + c <= inside:
                _take_larger(values, at + c, greatest, c)
            else:
                for k in range(c, count):
                    greatest[k] = values[at + k] if values[at + k] > greatest[k] else greatest[k]
    for i in range(height):
        row[:] = row_across[:] = 0
        for j in range(width):
            at = (i * width + j) * count
            for c in range(0, count, LANES):
                if at + c <= inside:
                    _add_exponentials(values, at + c, greatest, c, np.float32(j), row, row_across)
                else:
                    for k in range(c, count):
                        exponential = np.exp(values[at + k] - greatest[k])
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
def _take_larger(typingctx, values, at, greatest, channel):  # type: ignore[no-untyped-def]
    """Raise 16 numbers of ``greatest`` to those of ``values``; NaN raises none."""
    args = (values, at, greatest, channel)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        pointers = _pointers(context, builder, signature, given, (0, 2))
        value, most = (load(builder, pointer, vector_of(F32, LANES), 4) for pointer in pointers)
        larger = builder.fcmp_ordered(">", value, most)
        store(builder, builder.select(larger, value, most), pointers[1], 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def _add_exponentials(
    typingctx, values, at, greatest, channel, column, total, across
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add exp(values - greatest) of 16 maps to ``total``, and ``column`` times it to ``across``."""
    args = (values, at, greatest, channel, types.float32, total, across)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        kind = vector_of(F32, LANES)
        pointers = _pointers(context, builder, signature, given, (0, 2))
        for array in (5, 6):
            data = data_of(context, builder, signature.args[array], given[array])
            pointers.append(address(builder, data, F32, given[3]))
        value, most, sums, moments = (load(builder, pointer, kind, 4) for pointer in pointers)
        exponential = _emit_exp(builder, builder.fsub(value, most))
        columns = splat(builder, given[4], LANES)
        moment = builder.fmul(exponential, columns, flags=("contract",))
        store(builder, builder.fadd(sums, exponential), pointers[2], 4)
        store(builder, builder.fadd(moments, moment, flags=("contract",)), pointers[3], 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


def _emit_exp(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """exp of 16 numbers <= 0, to 2e-7 of each; NaN stays.

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


def _pointers(context, builder, signature, given, arrays):  # type: ignore[no-untyped-def]
    """Where arrays are read, of which each is followed by its index."""
    return [
        address(builder, data_of(context, builder, signature.args[i], given[i]), F32, given[i + 1])
        for i in arrays
    ]
