"""Sums of binary products where the CPU counts bits byte by byte: NEON.

NEON has no population count of 64-bit lanes, and what LLVM makes of one from its byte instruction,
CNT, spends half of its time adding up the eight bytes of each word. Here a lane is one byte wide
and belongs to one output channel, so that bytes are added where they were counted::

    sum[r, o] = sum over taps t, bytes b of popcount(a[r, t].byte[b] XOR w[t, o].byte[b])

``layout.py`` therefore puts byte b of a tap's weights together for all channels of a block.

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
    counted_loop,
    load,
    smaller,
    splat,
    store,
    vector_of,
    zeros,
)
from binvision.kernels.isa import Blocking

__all__ = ["emit_byte_sums", "plus", "row_starts", "store_sums"]

# Type of the sums, and taps that are added at once, from the inner loop outwards.
_LEVELS = ((I8, 1), (I16, 3), (I32, 3 * 340))
_WORD_BYTES = 8

Vectors = Sequence[ir.Value]


class _Block(NamedTuple):
    """What the loops read: pointers, and the shape of the block."""

    starts: list[ir.Value]  # a row's first activation
    taps: ir.Value
    weights: ir.Value
    vectors: int
    lanes: int


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
    starts = row_starts(builder, blocking, operands)
    weights = address(builder, operands["weights"], I64, operands["weight"])
    block = _Block(starts, operands["taps"], weights, vectors, blocking.vector_bytes)
    sums = _sum_taps(builder, block, len(_LEVELS) - 1, I64(0), operands["steps"])
    store_sums(builder, sums, vectors, operands)


def row_starts(
    builder: ir.IRBuilder, blocking: Blocking, operands: dict[str, Any]
) -> list[ir.Value]:
    """Return, for each row of the block, a pointer to its first activation."""
    starts = []
    for row in range(blocking.rows):
        pixel = builder.add(operands["pixel"], I64(row))
        position = builder.load(builder.gep(operands["positions"], [pixel]))
        starts.append(address(builder, operands["acts"], I64, position))
    return starts


def store_sums(
    builder: ir.IRBuilder, sums: Vectors, vectors: int, operands: dict[str, Any]
) -> None:
    """Store the sums of a block, vectors of int32, row by row."""
    for cell, total in enumerate(sums):
        row, vector = divmod(cell, vectors)
        column = builder.mul(operands["tile_stride"], I64(row))
        column = builder.add(column, I64(vector * total.type.count))
        place = builder.add(operands["tile_start"], column)
        store(builder, total, address(builder, operands["tile"], I32, place), align=4)


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
        new = _count_bits(builder, block, acts, loaded, new)
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
            new.append(plus(builder, sums[row * block.vectors + vector], ones))
    return new


def plus(builder: ir.IRBuilder, total: ir.Value, part: ir.Value) -> ir.Value:
    """Add numbers whose sum fits.

    LLVM may not reorder saturating additions. It would turn a chain of plain ones into a tree,
    which takes more registers than there are.
    """
    kind = total.type
    return call_llvm(builder, f"llvm.uadd.sat.v{kind.count}{kind.element}", [total, part])
