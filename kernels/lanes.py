"""Vector steps of epilogue, packing and correlation, as intrinsics for numba.

Explicit vectors, because a compiler that must prove its arrays apart, or that may not reorder
float additions, falls back to one element at a time.
"""

from __future__ import annotations

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


@intrinsic
def add_correlations(
    typingctx, weights, weight_at, values, value_at, stride, length, sums
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Add products of one run of weights with the runs at four places that are ``stride`` apart.

    ``sums`` holds 16 partial sums a place; ``length`` is a multiple of 16, at least 16. The
    weights are loaded once for all places.
    """
    args = (weights, weight_at, values, value_at, stride, length, sums)

    def codegen(context, builder, signature, given):  # type: ignore[no-untyped-def]
        data = [data_of(context, builder, signature.args[i], given[i]) for i in (0, 2, 6)]
        kind, places = vector_of(F32, LANES), range(CORRELATED)
        partial = [address(builder, data[2], F32, I64(LANES * place)) for place in places]
        starts = [given[1]]
        starts += [builder.add(given[3], builder.mul(given[4], I64(place))) for place in places]
        totals = [load(builder, pointer, kind, 4) for pointer in partial]
        before = builder.block
        body, after = builder.append_basic_block("run"), builder.append_basic_block("sums")
        builder.branch(body)

        builder.position_at_end(body)
        at = builder.phi(I64)
        at.add_incoming(I64(0), before)
        phis = [builder.phi(kind) for _ in places]
        sources = [data[0], *[data[1]] * CORRELATED]
        weight, *runs = [
            load(builder, address(builder, source, F32, builder.add(start, at)), kind, 4)
            for source, start in zip(sources, starts, strict=True)
        ]
        products = [builder.fmul(run, weight, flags=("contract",)) for run in runs]
        new = [
            builder.fadd(phi, product, flags=("contract",))
            for phi, product in zip(phis, products, strict=True)
        ]
        following = builder.add(at, I64(LANES))
        at.add_incoming(following, body)
        for place in places:
            phis[place].add_incoming(totals[place], before)
            phis[place].add_incoming(new[place], body)
        builder.cbranch(builder.icmp_signed("<", following, given[5]), body, after)

        builder.position_at_end(after)
        for place in places:
            store(builder, new[place], partial[place], 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


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
