"""Inner loops written as vector IR, with every running sum kept in a register.

One loop serves three element types. It sums, for ``rows`` output pixels and ``vectors`` vectors
of output channels at once,

    sum[r, o] = sum over t of   product(activation[position[r] + tap[t]], weight[t, o])

    uint64 activations   popcount(a XOR w)         64 binary channels a step   -> int32
    uint8 activations    a0*w0 + a1*w1 + a2*w2 + a3*w3   four bytes a step     -> int32
    float32 activations  a * w                     one element a step          -> float32

A step loads ``vectors`` weights once for all rows, and broadcasts one activation a row. What a
compiler makes of the same loop written in Python keeps the sums in memory and reaches two thirds
of this. LLVM lowers the IR for any CPU; only the dot product of bytes has an instruction that it
cannot find by itself (VNNI), which is named where the CPU has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from binvision.kernels.isa import BLOCKING, has_dot4

__all__ = [
    "CORRELATED",
    "LANES",
    "add_correlations",
    "finish_channels",
    "pack_word",
    "popcount",
    "sum_narrow",
    "sum_wide",
]

_I1, _I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
_F32 = ir.FloatType()

# Channels that epilogue and correlation treat at once, and places that are correlated together;
# LLVM splits a vector where registers are shorter.
LANES = 16
CORRELATED = 4


def _vector(element: ir.Type, lanes: int) -> ir.VectorType:
    return ir.VectorType(element, lanes)


def _splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    undefined = ir.Constant(_vector(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, _I32(0))
    mask = ir.Constant(_vector(_I32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, undefined, mask)


def _zeros(element: ir.Type, lanes: int) -> ir.Constant:
    zero = 0.0 if element is _F32 else 0
    return ir.Constant(_vector(element, lanes), [zero] * lanes)


def _intrinsic_call(builder: ir.IRBuilder, name: str, args: Sequence[ir.Value]) -> ir.Value:
    """Call an LLVM intrinsic whose result has the type of its first argument."""
    signature = ir.FunctionType(args[0].type, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)


def _address(builder: ir.IRBuilder, data: ir.Value, element: ir.Type, index: ir.Value) -> ir.Value:
    """Return a pointer to ``element`` number ``index`` of the buffer ``data``."""
    return builder.gep(builder.bitcast(data, element.as_pointer()), [index])


def _load(builder: ir.IRBuilder, pointer: ir.Value, kind: ir.Type, align: int) -> ir.Value:
    return builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)


def _store(builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, align: int) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


# --- the three products -----------------------------------------------------------------------


class _Product:
    """How one element type multiplies: LLVM types, and the IR that adds a product to a sum."""

    def __init__(self, unit: ir.Type, element: ir.Type, element_bytes: int, add: Any) -> None:
        self.unit = unit  # what positions and taps count
        self.element = element  # what one step loads, and what sums are made of
        self.bytes = element_bytes
        self.lanes = BLOCKING.vector_bytes // element_bytes
        self.add = add  # (builder, sum, activation, weight) -> new sum


def _add_bits(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    different = builder.xor(a, w)
    name = f"llvm.ctpop.v{a.type.count}i64"
    return builder.add(total, _intrinsic_call(builder, name, [different]))


def _add_real(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    product = builder.fmul(a, w, flags=("contract",))
    return builder.fadd(total, product, flags=("contract",))


def _add_dot4(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    if has_dot4():
        name = f"llvm.x86.avx512.vpdpbusd.{32 * total.type.count}"
        return _intrinsic_call(builder, name, [total, a, w])
    lanes = 4 * total.type.count
    wide = _vector(_I32, lanes)
    pixels = builder.zext(builder.bitcast(a, _vector(_I8, lanes)), wide)
    weights = builder.sext(builder.bitcast(w, _vector(_I8, lanes)), wide)
    products = builder.mul(pixels, weights)
    for place in range(4):
        picks = ir.Constant(_vector(_I32, lanes // 4), list(range(place, lanes, 4)))
        total = builder.add(total, builder.shuffle_vector(products, products, picks))
    return total


_PRODUCTS = {
    types.uint64: _Product(_I64, _I64, 8, _add_bits),
    types.uint8: _Product(_I8, _I32, 4, _add_dot4),
    types.float32: _Product(_F32, _F32, 4, _add_real),
}


# --- the loop ---------------------------------------------------------------------------------


def _emit_sum(
    builder: ir.IRBuilder, product: _Product, vectors: int, operands: dict[str, Any]
) -> None:
    """Emit the loop over taps and the stores of its sums."""
    lanes, rows = product.lanes, BLOCKING.rows
    starts = _row_starts(builder, product, operands)
    weights = _address(builder, operands["weights"], product.element, operands["weight"])
    before, body = builder.block, builder.append_basic_block("taps")
    after = builder.append_basic_block("sums")
    builder.branch(body)

    builder.position_at_end(body)
    t = builder.phi(_I64, "t")
    t.add_incoming(_I64(0), before)
    grid = [(row, vector) for row in range(rows) for vector in range(vectors)]
    sums = {cell: builder.phi(_vector(product.element, lanes)) for cell in grid}
    for phi in sums.values():
        phi.add_incoming(_zeros(product.element, lanes), before)
    new = _emit_step(builder, product, vectors, operands["taps"], t, starts, weights, sums)
    following = builder.add(t, _I64(1))
    t.add_incoming(following, body)
    for cell in grid:
        sums[cell].add_incoming(new[cell], body)
    more = builder.icmp_signed("<", following, operands["steps"])
    builder.cbranch(more, body, after)

    builder.position_at_end(after)
    for (row, vector), total in new.items():
        column = builder.add(builder.mul(operands["tile_stride"], _I64(row)), _I64(vector * lanes))
        place = builder.add(operands["tile_start"], column)
        value = builder.trunc(total, _vector(_I32, lanes)) if product.bytes == 8 else total
        pointer = _address(builder, operands["tile"], value.type.element, place)
        _store(builder, value, pointer, align=4)


def _row_starts(
    builder: ir.IRBuilder, product: _Product, operands: dict[str, Any]
) -> list[ir.Value]:
    """Return, for each row of the block, a pointer to its first activation."""
    starts = []
    for row in range(BLOCKING.rows):
        index = builder.add(operands["pixel"], _I64(row))
        position = builder.load(builder.gep(operands["positions"], [index]))
        starts.append(_address(builder, operands["acts"], product.unit, position))
    return starts


def _emit_step(
    builder: ir.IRBuilder,
    product: _Product,
    vectors: int,
    taps: ir.Value,
    t: ir.Value,
    starts: list[ir.Value],
    weights: ir.Value,
    sums: dict[tuple[int, int], ir.Value],
) -> dict[tuple[int, int], ir.Value]:
    """Emit one tap: load the weights once, broadcast one activation a row, add the products."""
    lanes = product.lanes
    tap = builder.load(builder.gep(taps, [t]))
    column = builder.mul(t, _I64(vectors * lanes))
    loaded = [
        _load(
            builder,
            builder.gep(weights, [builder.add(column, _I64(vector * lanes))]),
            _vector(product.element, lanes),
            product.bytes,
        )
        for vector in range(vectors)
    ]
    new = {}
    unit_bytes = 1 if product.unit is _I8 else product.bytes
    for row, start in enumerate(starts):
        scalar = _load(builder, builder.gep(start, [tap]), product.element, unit_bytes)
        activation = _splat(builder, scalar, lanes)
        for vector in range(vectors):
            total = sums[row, vector]
            new[row, vector] = product.add(builder, total, activation, loaded[vector])
    return new


def _data(context: Any, builder: ir.IRBuilder, array_type: Any, value: ir.Value) -> ir.Value:
    return context.make_array(array_type)(context, builder, value).data


def _make_sum(vectors: int) -> Any:
    """Make the numba function that sums a block of ``vectors`` vectors of channels."""
    names = "acts positions pixel taps steps weights weight tile tile_start tile_stride".split()

    @intrinsic
    def sum_block(
        typingctx,
        acts,
        positions,
        pixel,
        taps,
        steps,
        weights,
        weight,
        tile,
        tile_start,
        tile_stride,
    ):  # type: ignore[no-untyped-def]
        args = (acts, positions, pixel, taps, steps, weights, weight, tile, tile_start, tile_stride)

        def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
            operands = {
                name: _data(context, builder, kind, value)
                if isinstance(kind, types.Array)
                else value
                for name, kind, value in zip(names, signature.args, values, strict=True)
            }
            _emit_sum(builder, _PRODUCTS[signature.args[0].dtype], vectors, operands)
            return context.get_dummy_value()

        return types.void(*args), codegen

    return sum_block


# Both take (acts, positions, pixel, taps, steps, weights, weight, tile, tile_start, tile_stride):
# sum ``steps`` taps for the pixels ``pixel .. pixel + rows`` of ``positions``, with the block of
# weights that starts at element ``weight``, into ``tile`` from element ``tile_start`` on. All
# integers are int64; ``taps`` is already cut to its group.
sum_wide = _make_sum(BLOCKING.vectors)
sum_narrow = _make_sum(1)


# --- epilogue ---------------------------------------------------------------------------------


@intrinsic
def finish_channels(
    typingctx, tile, tile_at, base, base_at, factor, scale, bias, slope, channel,
    residual, residual_at, out, out_at
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Finish 16 channels of one pixel: scale, bias, residual, PReLU, in this order.

    Explicit vectors, so that ``out`` may be the very buffer of ``residual``: a compiler that has
    to prove the two apart falls back to one channel at a time.
    """
    args = (tile, tile_at, base, base_at, factor, scale, bias, slope, channel,
            residual, residual_at, out, out_at)  # fmt: skip

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        def read(array: int, index: int) -> ir.Value:
            kind = signature.args[array]
            element = _F32 if kind.dtype == types.float32 else _I32
            data = _data(context, builder, kind, values[array])
            pointer = _address(builder, data, element, values[index])
            return _load(builder, pointer, _vector(element, LANES), 4)

        total = read(0, 1)
        if signature.args[0].dtype == types.int32:
            factors = _splat(builder, builder.trunc(values[4], _I32), LANES)
            total = builder.add(read(2, 3), builder.mul(total, factors))
            total = builder.sitofp(total, _vector(_F32, LANES))
        y = builder.fadd(builder.fmul(total, read(5, 8)), read(6, 8))
        y = builder.fadd(y, read(9, 10))
        positive = builder.fcmp_ordered(">=", y, _zeros(_F32, LANES))
        y = builder.select(positive, y, builder.fmul(y, read(7, 8)))
        data = _data(context, builder, signature.args[11], values[11])
        _store(builder, y, _address(builder, data, _F32, values[12]), 4)
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
        data = [_data(context, builder, signature.args[i], given[i]) for i in (0, 2, 6)]
        kind, places = _vector(_F32, LANES), range(CORRELATED)
        partial = [_address(builder, data[2], _F32, _I64(LANES * place)) for place in places]
        starts = [given[1]]
        starts += [builder.add(given[3], builder.mul(given[4], _I64(place))) for place in places]
        totals = [_load(builder, pointer, kind, 4) for pointer in partial]
        before = builder.block
        body, after = builder.append_basic_block("run"), builder.append_basic_block("sums")
        builder.branch(body)

        builder.position_at_end(body)
        at = builder.phi(_I64)
        at.add_incoming(_I64(0), before)
        phis = [builder.phi(kind) for _ in places]
        sources = [data[0], *[data[1]] * CORRELATED]
        weight, *runs = [
            _load(builder, _address(builder, source, _F32, builder.add(start, at)), kind, 4)
            for source, start in zip(sources, starts, strict=True)
        ]
        new = [_add_real(builder, phis[place], runs[place], weight) for place in places]
        following = builder.add(at, _I64(LANES))
        at.add_incoming(following, body)
        for place in places:
            phis[place].add_incoming(totals[place], before)
            phis[place].add_incoming(new[place], body)
        builder.cbranch(builder.icmp_signed("<", following, given[5]), body, after)

        builder.position_at_end(after)
        for place in places:
            _store(builder, new[place], partial[place], 4)
        return context.get_dummy_value()

    return types.void(*args), codegen


@intrinsic
def pack_word(typingctx, values, at, threshold, threshold_at):  # type: ignore[no-untyped-def]
    """Return 64 comparisons ``values[at + i] >= threshold[threshold_at + i]`` as one uint64."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        loaded = []
        for array in (0, 2):
            data = _data(context, builder, signature.args[array], args[array])
            pointer = _address(builder, data, _F32, args[array + 1])
            loaded.append(_load(builder, pointer, _vector(_F32, 64), 4))
        return builder.bitcast(builder.fcmp_ordered(">=", *loaded), _I64)

    return types.uint64(values, at, threshold, threshold_at), codegen


@intrinsic
def popcount(typingctx, word):  # type: ignore[no-untyped-def]
    """Return the number of one bits in a uint64."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(word), codegen
