"""Vector steps of epilogue, packing and correlation, as intrinsics for numba.

Explicit vectors, because a compiler that must prove its arrays apart, or that may not reorder
float additions, falls back to one element at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from binvision.kernels.emit import (
    F32,
    I32,
    I64,
    address,
    call_llvm,
    counted_loop,
    data_of,
    load,
    splat,
    store,
    vector_of,
    zeros,
)

__all__ = [
    "CORRELATED",
    "LANES",
    "add_channels",
    "add_correlation",
    "add_correlations",
    "add_scaled",
    "finish_channels",
    "pack_lanes",
    "pack_outside",
    "pack_word",
    "popcount",
    "round_to_bytes",
]

# Channels that epilogue and correlation treat at once, and places that are correlated together;
# LLVM splits a vector where registers are shorter.
LANES = 16
CORRELATED = 4


@intrinsic
def finish_channels(
    typingctx, tile, tile_at, base, base_at, factor, scale, bias, slope, shift, channel,
    residual, residual_at, out, out_at
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Finish 16 channels of one pixel: scale, bias, residual, PReLU, shift, in this order.

    ``out`` may be the very buffer of ``residual``.
    """
    args = (tile, tile_at, base, base_at, factor, scale, bias, slope, shift, channel,
            residual, residual_at, out, out_at)  # fmt: skip

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        def read(array: int, index: int) -> ir.Value:
            kind = signature.args[array]
            element = F32 if kind.dtype == types.float32 else I32
            data = data_of(context, builder, kind, values[array])
            pointer = address(builder, data, element, values[index])
            return load(builder, pointer, vector_of(element, LANES), 4)

        total = read(0, 1)
        if signature.args[0].dtype == types.int32:
            factors = splat(builder, builder.trunc(values[4], I32), LANES)
            total = builder.add(read(2, 3), builder.mul(total, factors))
            total = builder.sitofp(total, vector_of(F32, LANES))
        y = builder.fadd(builder.fmul(total, read(5, 9)), read(6, 9))
        y = builder.fadd(y, read(10, 11))
        positive = builder.fcmp_ordered(">=", y, zeros(F32, LANES))
        y = builder.select(positive, y, builder.fmul(y, read(7, 9)))
        y = builder.fadd(y, read(8, 9))
        data = data_of(context, builder, signature.args[12], values[12])
        store(builder, y, address(builder, data, F32, values[13]), 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def add_channels(typingctx, left, left_at, right, right_at, out, out_at):  # type: ignore[no-untyped-def]
    """Add 16 floats to 16 others; ``out`` may be either."""
    args = (left, left_at, right, right_at, out, out_at)

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        places = [
            address(
                builder,
                data_of(context, builder, signature.args[i], values[i]),
                F32,
                values[i + 1],
            )
            for i in (0, 2, 4)
        ]
        first, second = (load(builder, place, vector_of(F32, LANES), 4) for place in places[:2])
        store(builder, builder.fadd(first, second), places[2], 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def add_scaled(
    typingctx, tile, tile_at, base, base_at, factor, scale, channel, total
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add ``scale * (base + factor * tile)`` of 16 channels to ``total`` at ``tile_at``."""
    args = (tile, tile_at, base, base_at, factor, scale, channel, total)

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        def place(array: int, element: ir.Type, index: int) -> ir.Value:
            data = data_of(context, builder, signature.args[array], values[array])
            return address(builder, data, element, values[index])

        sums, bases = (
            load(builder, place(i, I32, i + 1), vector_of(I32, LANES), 4) for i in (0, 2)
        )
        factors = splat(builder, builder.trunc(values[4], I32), LANES)
        dot = builder.add(bases, builder.mul(sums, factors))
        dot = builder.sitofp(dot, vector_of(F32, LANES))
        scales = load(builder, place(5, F32, 6), vector_of(F32, LANES), 4)
        totals = place(7, F32, 1)
        old = load(builder, totals, vector_of(F32, LANES), 4)
        store(builder, builder.fadd(old, builder.fmul(dot, scales)), totals, 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


def _make_correlation(places: int) -> Any:
    """Make the intrinsic that correlates one run of weights with the values at some places."""

    @intrinsic
    def correlate(
        typingctx, weights, weight_at, weight_step, values, value_at, value_step, stride, count,
        sums, sum_at, sum_stride
    ):  # type: ignore[no-untyped-def]  # fmt: skip
        args = (weights, weight_at, weight_step, values, value_at, value_step, stride, count,
                sums, sum_at, sum_stride)  # fmt: skip

        def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
            data = [data_of(context, builder, signature.args[i], given[i]) for i in (0, 3, 8)]
            kind = vector_of(F32, LANES)

            def along(first: ir.Value, step: ir.Value) -> list[ir.Value]:
                return [builder.add(first, builder.mul(step, I64(i))) for i in range(places)]

            partial = [address(builder, data[2], F32, at) for at in along(given[9], given[10])]
            totals = [load(builder, pointer, kind, 4) for pointer in partial]
            starts = along(given[4], given[6])

            def add(turn: ir.Value, carried: Sequence[ir.Value]) -> list[ir.Value]:
                weight_at, moved, *old = carried
                weight = load(builder, address(builder, data[0], F32, weight_at), kind, 4)
                new = []
                for start, total in zip(starts, old, strict=True):
                    pointer = address(builder, data[1], F32, builder.add(start, moved))
                    product = builder.fmul(
                        load(builder, pointer, kind, 4), weight, flags=("contract",)
                    )
                    new.append(builder.fadd(total, product, flags=("contract",)))
                return [builder.add(weight_at, given[2]), builder.add(moved, given[5]), *new]

            carried = [given[1], I64(0), *totals]
            _, _, *new = counted_loop(builder, I64(0), given[7], 1, carried, add)
            for total, pointer in zip(new, partial, strict=True):
                store(builder, total, pointer, 4)
            return context.get_dummy_value()

        return types.void(*args), codegen

    return correlate


# Both add ``count`` products of 16 lanes to the sums of each place: of ``weights`` from
# ``weight_at`` on with ``values`` from ``value_at`` on, a step after each. From one place to the
# next, values lie ``stride`` apart and sums ``sum_stride``. Weights are loaded once for all places.
add_correlation, add_correlations = _make_correlation(1), _make_correlation(CORRELATED)


def _make_pack(count: int) -> Any:
    """Make the intrinsic that takes ``count`` signs."""

    @intrinsic
    def pack(typingctx, values, at, threshold, threshold_at):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            loaded = []
            for array in (0, 2):
                data = data_of(context, builder, signature.args[array], args[array])
                pointer = address(builder, data, F32, args[array + 1])
                loaded.append(load(builder, pointer, vector_of(F32, count), 4))
            signs = builder.bitcast(builder.fcmp_ordered(">=", *loaded), ir.IntType(count))
            return builder.zext(signs, I64) if count < 64 else signs

        return types.uint64(values, at, threshold, threshold_at), codegen

    return pack


# Both return comparisons ``values[at + i] >= threshold[threshold_at + i]`` as one uint64: of a
# word's 64 channels, and of 16.
pack_word, pack_lanes = _make_pack(64), _make_pack(LANES)


@intrinsic
def pack_outside(typingctx, sums, at, low, length, table_at):  # type: ignore[no-untyped-def]
    """Return 64 comparisons ``(sums - low) mod 2^32 < length`` as one uint64."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        def read(array: int, index: int) -> ir.Value:
            data = data_of(context, builder, signature.args[array], args[array])
            pointer = address(builder, data, I32, args[index])
            return load(builder, pointer, vector_of(I32, 64), 4)

        distance = builder.sub(read(0, 1), read(2, 4))
        return builder.bitcast(builder.icmp_unsigned("<", distance, read(3, 4)), I64)

    return types.uint64(sums, at, low, length, table_at), codegen


@intrinsic
def round_to_bytes(
    typingctx, values, at, levels, levels_at, out, out_at
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write 16 integers ``clamp(round(values * levels), -128, 127) + 128``, halves to even."""
    args = (values, at, levels, levels_at, out, out_at)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        data = [data_of(context, builder, signature.args[i], given[i]) for i in (0, 2, 4)]
        kind = vector_of(F32, LANES)
        pointers = [address(builder, data[i], F32, given[2 * i + 1]) for i in (0, 1)]
        level = builder.fmul(*(load(builder, pointer, kind, 4) for pointer in pointers))
        level = call_llvm(builder, f"llvm.rint.v{LANES}f32", [level])
        least, greatest = (ir.Constant(kind, [bound] * LANES) for bound in (-128.0, 127.0))
        # NaN fails the comparison and becomes the least level.
        level = builder.select(builder.fcmp_ordered(">", level, least), level, least)
        level = builder.select(builder.fcmp_ordered("<", level, greatest), level, greatest)
        whole = builder.fptosi(level, vector_of(I32, LANES))
        whole = builder.add(whole, ir.Constant(vector_of(I32, LANES), [128] * LANES))
        pointer = builder.gep(data[2], [given[5]])
        number = pointer.type.pointee
        store(builder, builder.trunc(whole, vector_of(number, LANES)), pointer, number.width // 8)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def popcount(typingctx, word):  # type: ignore[no-untyped-def]
    """Return the number of one bits in a uint64."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(word), codegen
