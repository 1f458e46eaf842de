"""Sums of binary products where the CPU counts bits byte by byte: AVX2 and NEON.

Neither has a population count of 64-bit lanes, and what LLVM makes of one from their byte
instructions spends half of its time adding up the eight bytes of each word. Here a lane is one
byte wide and belongs to one output channel, so that bytes are added where they were counted::

    sum[r, o] = sum over taps t, bytes b of popcount(a[r, t].byte[b] XOR w[t, o].byte[b])

``layout.py`` therefore puts byte b of a tap's weights together for all channels of a block.

NEON counts the bits of bytes in one instruction, CNT. AVX2 looks half bytes up, and its tables
need not be those of popcount(i): of the 16 tables popcount(a XOR i), half a byte of the activation
chooses one, and a VPSHUFB of it by the weights gives the counts of 32 channels, without an XOR.

A word adds at most 64 to a sum in 8 bits, which so takes 3 of them; such a sum adds at most 192
to one in 16 bits, which takes 340 of them; all else is added in 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from binvision.kernels.emit import (
    I8,
    I16,
    I32,
    I64,
    address,
    call_llvm,
    constant_bytes,
    counted_loop,
    load,
    smaller,
    splat,
    store,
    vector_of,
    zeros,
)
from binvision.kernels.isa import Blocking

__all__ = ["emit_byte_sums"]

# Type of the sums, and taps that are added at once, from the inner loop outwards.
_LEVELS = ((I8, 1), (I16, 3), (I32, 3 * 340))
_WORD_BYTES = 8
_HALF_BYTES = 16

Vectors = Sequence[ir.Value]


class _Block(NamedTuple):
    """What the loops read: pointers, and the shape of the block."""

    starts: list[ir.Value]  # a row's first activation
    taps: ir.Value
    weights: ir.Value
    vectors: int
    lanes: int
    table: ir.Value | None  # 16 bytes for each half byte of an activation; None: count bits


def emit_byte_sums(
    builder: ir.IRBuilder, blocking: Blocking, vectors: int, operands: dict[str, Any]
) -> None:
    """Emit the loops over taps and the stores of their sums.

    Args:
        builder: Where to emit; afterwards it stands behind the loops.
        blocking: The register tile.
        vectors: Vectors of channels in this block.
        operands: Pointers and integers under the names of ``register_tile.py``.
    """
    starts = []
    for row in range(blocking.rows):
        pixel = builder.add(operands["pixel"], I64(row))
        position = builder.load(builder.gep(operands["positions"], [pixel]))
        starts.append(address(builder, operands["acts"], I64, position))
    weights = address(builder, operands["weights"], I64, operands["weight"])
    table = _xor_counts(builder) if blocking.counts_bits_by == "table" else None
    block = _Block(starts, operands["taps"], weights, vectors, blocking.vector_bytes, table)
    sums = _sum_taps(builder, block, len(_LEVELS) - 1, I64(0), operands["steps"])
    for cell, total in enumerate(sums):
        row, vector = divmod(cell, vectors)
        column = builder.mul(operands["tile_stride"], I64(row))
        column = builder.add(column, I64(vector * block.lanes))
        place = builder.add(operands["tile_start"], column)
        store(builder, total, address(builder, operands["tile"], I32, place), align=4)


def _xor_counts(builder: ir.IRBuilder) -> ir.Value:
    """Return a pointer to the 16 tables popcount(a XOR i)."""
    halves = range(_HALF_BYTES)
    counts = bytes((a ^ i).bit_count() for a in halves for i in halves)
    return constant_bytes(builder, "xor_counts", counts)


def _sum_taps(
    builder: ir.IRBuilder, block: _Block, level: int, first: ir.Value, stop: ir.Value
) -> Vectors:
    """Emit one level of loops over taps ``first .. stop``; return the sums, row by row."""
    element, span = _LEVELS[level]

    def add_span(t: ir.Value, sums: Vectors) -> Vectors:
        if level == 0:
            return _add_tap(builder, block, t, sums)
        end = smaller(builder, builder.add(t, I64(span)), stop)
        parts = _sum_taps(builder, block, level - 1, t, end)
        return [
            builder.add(total, builder.zext(part, total.type))
            for total, part in zip(sums, parts, strict=True)
        ]

    empty = [zeros(element, block.lanes)] * (len(block.starts) * block.vectors)
    return counted_loop(builder, first, stop, span, empty, add_span)


def _add_tap(builder: ir.IRBuilder, block: _Block, t: ir.Value, sums: Vectors) -> Vectors:
    """Emit the eight bytes of one tap: each loads its weights once for all rows."""
    tap = builder.load(builder.gep(block.taps, [t]))
    words = [builder.gep(start, [tap]) for start in block.starts]
    channels = block.vectors * block.lanes
    weights = builder.gep(block.weights, [builder.mul(t, I64(channels))])
    new, kind = list(sums), vector_of(I8, block.lanes)
    for byte in range(_WORD_BYTES):
        loaded = []
        for vector in range(block.vectors):
            place = I64(byte * channels + vector * block.lanes)
            loaded.append(load(builder, address(builder, weights, I8, place), kind, 1))
        acts = [builder.load(address(builder, word, I8, I64(byte))) for word in words]
        count = _count_bits if block.table is None else _look_up
        new = count(builder, block, acts, loaded, new)
    return new


def _count_bits(
    builder: ir.IRBuilder, block: _Block, acts: Vectors, weights: Vectors, sums: Vectors
) -> list[ir.Value]:
    new = []
    for row, act in enumerate(acts):
        spread = splat(builder, act, block.lanes)
        for vector, weight in enumerate(weights):
            different = builder.xor(spread, weight)
            ones = call_llvm(builder, f"llvm.ctpop.v{block.lanes}i8", [different])
            new.append(_plus(builder, sums[row * block.vectors + vector], ones))
    return new


def _look_up(
    builder: ir.IRBuilder, block: _Block, acts: Vectors, weights: Vectors, sums: Vectors
) -> list[ir.Value]:
    new = list(sums)
    mask, four = (ir.Constant(weights[0].type, [n] * block.lanes) for n in (15, 4))
    halves = [
        ([builder.and_(weight, mask) for weight in weights], lambda a: builder.shl(a, I8(4))),
        ([builder.lshr(weight, four) for weight in weights], lambda a: builder.and_(a, I8(0xF0))),
    ]
    for indices, table_at in halves:
        for row, act in enumerate(acts):
            place = builder.zext(table_at(act), I64)
            counts = load(builder, builder.gep(block.table, [place]), vector_of(I8, 16), 16)
            both = ir.Constant(vector_of(I32, 32), list(range(16)) * 2)
            counts = builder.shuffle_vector(counts, counts, both)
            for vector, index in enumerate(indices):
                found = call_llvm(builder, "llvm.x86.avx2.pshuf.b", [counts, index])
                cell = row * block.vectors + vector
                new[cell] = _plus(builder, new[cell], found)
    return new


def _plus(builder: ir.IRBuilder, total: ir.Value, part: ir.Value) -> ir.Value:
    """Add bytes whose sum fits.

    LLVM may not reorder saturating additions. It would turn a chain of plain ones into a tree,
    which takes more registers than there are.
    """
    return call_llvm(builder, f"llvm.uadd.sat.v{total.type.count}i8", [total, part])
