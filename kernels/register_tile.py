"""Inner loops written as vector IR, with every running sum kept in a register.

One loop serves four element types. It sums, for ``rows`` output pixels and ``vectors`` vectors
of output channels at once,

    sum[r, o] = sum over t of   product(activation[position[r] + tap[t]], weight[t, o])

    uint64 activations   popcount(a XOR w)         64 binary channels a step   -> int32 (*)
    uint8 activations    a0*w0 + a1*w1 + a2*w2 + a3*w3   four bytes a step     -> int32
    int16 activations    a0*w0 + a1*w1                   two numbers a step    -> int32
    float32 activations  a * w                     one element a step          -> float32

A step loads ``vectors`` weights once for all rows, and broadcasts one activation a row. What a
compiler makes of the same loop written in Python keeps the sums in memory and reaches two thirds
of this. LLVM lowers the IR for any CPU, but for the dot product of bytes: without the instruction
of VNNI for it, 8-bit pixels are summed as numbers of 16 bits.

(*) Where a CPU counts the ones of bytes and not of words, ``byte_counts.py`` emits this product;
where it looks them up, ``pair_counts.py``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from binvision.kernels.byte_counts import emit_byte_sums
from binvision.kernels.emit import (
    F32,
    I8,
    I16,
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
from binvision.kernels.isa import BLOCKING, Blocking
from binvision.kernels.pair_counts import emit_pair_sums

__all__ = ["OPERANDS", "emit_sum", "sum_narrow", "sum_wide"]

OPERANDS = "acts positions pixel taps steps weights weight tile tile_start tile_stride".split()
_Operands = dict[str, Any]

# --- the four products ------------------------------------------------------------------------


class _Product:
    """How one element type multiplies: LLVM types, and the IR that adds a product to a sum."""

    def __init__(self, unit: ir.Type, element: ir.Type, element_bytes: int, add: Any) -> None:
        self.unit = unit  # what positions and taps count
        self.element = element  # what one step loads, and what sums are made of
        self.bytes = element_bytes
        self.add = add  # (builder, sum, activation, weight) -> new sum


def _add_bits(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    different = builder.xor(a, w)
    name = f"llvm.ctpop.v{a.type.count}i64"
    return builder.add(total, call_llvm(builder, name, [different]))


def _add_real(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    product = builder.fmul(a, w, flags=("contract",))
    return builder.fadd(total, product, flags=("contract",))


def _add_dot4(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    name = f"llvm.x86.avx512.vpdpbusd.{32 * total.type.count}"
    return call_llvm(builder, name, [total, a, w])


def _add_dot2(builder: ir.IRBuilder, total: ir.Value, a: ir.Value, w: ir.Value) -> ir.Value:
    """Add products of pairs, in the form for which LLVM knows one instruction of x86 (PMADDWD)."""
    lanes = 2 * total.type.count
    narrow, wide = vector_of(I16, lanes), vector_of(I32, lanes)
    factors = (builder.sext(builder.bitcast(pairs, narrow), wide) for pairs in (a, w))
    products = builder.mul(*factors)
    even, odd = (
        ir.Constant(vector_of(I32, lanes // 2), list(range(place, lanes, 2))) for place in (0, 1)
    )
    pairs = (builder.shuffle_vector(products, products, picks) for picks in (even, odd))
    return builder.add(total, builder.add(*pairs))


_PRODUCTS = {
    types.uint64: _Product(I64, I64, 8, _add_bits),
    types.uint8: _Product(I8, I32, 4, _add_dot4),
    types.int16: _Product(I16, I32, 4, _add_dot2),
    types.float32: _Product(F32, F32, 4, _add_real),
}


# --- the loop ---------------------------------------------------------------------------------


def emit_sum(
    builder: ir.IRBuilder, blocking: Blocking, dtype: types.Type, vectors: int, operands: _Operands
) -> None:
    """Emit the loop over taps and the stores of its sums.

    Args:
        builder: Where to emit; afterwards it stands behind the loop.
        blocking: The register tile.
        dtype: Element type of the activations.
        vectors: Vectors of channels in this block.
        operands: Pointers to arrays, and integers, under the names of ``OPERANDS``.
    """
    if dtype == types.uint64 and blocking.counts_bits_by == "table":
        emit_pair_sums(builder, blocking, vectors, operands)
    elif dtype == types.uint64 and blocking.counts_bits_by == "bytes":
        emit_byte_sums(builder, blocking, vectors, operands)
    else:
        _emit_sum(builder, blocking, _PRODUCTS[dtype], vectors, operands)


def _emit_sum(
    builder: ir.IRBuilder,
    blocking: Blocking,
    product: _Product,
    vectors: int,
    operands: _Operands,
) -> None:
    lanes, rows = blocking.vector_bytes // product.bytes, blocking.rows
    starts = _row_starts(builder, rows, product, operands)
    weights = address(builder, operands["weights"], product.element, operands["weight"])
    before, body = builder.block, builder.append_basic_block("taps")
    after = builder.append_basic_block("sums")
    builder.branch(body)

    builder.position_at_end(body)
    t = builder.phi(I64, "t")
    t.add_incoming(I64(0), before)
    grid = [(row, vector) for row in range(rows) for vector in range(vectors)]
    sums = {cell: builder.phi(vector_of(product.element, lanes)) for cell in grid}
    for phi in sums.values():
        phi.add_incoming(zeros(product.element, lanes), before)
    new = _emit_step(builder, product, lanes, vectors, operands["taps"], t, starts, weights, sums)
    following = builder.add(t, I64(1))
    t.add_incoming(following, body)
    for cell in grid:
        sums[cell].add_incoming(new[cell], body)
    more = builder.icmp_signed("<", following, operands["steps"])
    builder.cbranch(more, body, after)

    builder.position_at_end(after)
    for (row, vector), total in new.items():
        column = builder.add(builder.mul(operands["tile_stride"], I64(row)), I64(vector * lanes))
        place = builder.add(operands["tile_start"], column)
        value = builder.trunc(total, vector_of(I32, lanes)) if product.bytes == 8 else total
        pointer = address(builder, operands["tile"], value.type.element, place)
        store(builder, value, pointer, align=4)


def _row_starts(
    builder: ir.IRBuilder, rows: int, product: _Product, operands: _Operands
) -> list[ir.Value]:
    """Return, for each row of the block, a pointer to its first activation."""
    starts = []
    for row in range(rows):
        index = builder.add(operands["pixel"], I64(row))
        position = builder.load(builder.gep(operands["positions"], [index]))
        starts.append(address(builder, operands["acts"], product.unit, position))
    return starts


def _emit_step(
    builder: ir.IRBuilder,
    product: _Product,
    lanes: int,
    vectors: int,
    taps: ir.Value,
    t: ir.Value,
    starts: list[ir.Value],
    weights: ir.Value,
    sums: dict[tuple[int, int], ir.Value],
) -> dict[tuple[int, int], ir.Value]:
    """Emit one tap: load the weights once, broadcast one activation a row, add the products."""
    tap = builder.load(builder.gep(taps, [t]))
    column = builder.mul(t, I64(vectors * lanes))
    loaded = [
        load(
            builder,
            builder.gep(weights, [builder.add(column, I64(vector * lanes))]),
            vector_of(product.element, lanes),
            product.bytes,
        )
        for vector in range(vectors)
    ]
    new = {}
    unit_bytes = product.unit.width // 8 if product.unit in (I8, I16) else product.bytes
    for row, start in enumerate(starts):
        scalar = load(builder, builder.gep(start, [tap]), product.element, unit_bytes)
        activation = splat(builder, scalar, lanes)
        for vector in range(vectors):
            total = sums[row, vector]
            new[row, vector] = product.add(builder, total, activation, loaded[vector])
    return new


def _make_sum(vectors: int) -> Any:
    """Make the numba function that sums a block of ``vectors`` vectors of channels."""

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
                name: data_of(context, builder, kind, value)
                if isinstance(kind, types.Array)
                else value
                for name, kind, value in zip(OPERANDS, signature.args, values, strict=True)
            }
            emit_sum(builder, BLOCKING, signature.args[0].dtype, vectors, operands)
            return context.get_dummy_value()

        return types.void(*args), codegen

    return sum_block


# Both take (acts, positions, pixel, taps, steps, weights, weight, tile, tile_start, tile_stride):
# sum ``steps`` taps for the pixels ``pixel .. pixel + rows`` of ``positions``, with the block of
# weights that starts at element ``weight``, into ``tile`` from element ``tile_start`` on. All
# integers are int64; ``taps`` is already cut to its group.
sum_wide = _make_sum(BLOCKING.vectors)
sum_narrow = _make_sum(1)
