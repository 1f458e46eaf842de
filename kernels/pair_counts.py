"""Sums of binary products by looking half bytes up for two output pixels at once: AVX2.

As in ``byte_counts.py`` a lane is one byte wide and belongs to one output channel. AVX2 has no
population count, but VPSHUFB looks 32 half bytes up in a table of 16 bytes, and the table need not
be that of popcount(i). Four bits a of one pixel and four bits b of the next one choose, among 256,
the table ``popcount(a XOR i) + 16 * popcount(b XOR i)``, and a VPSHUFB of it by the weights counts
for both pixels, without an XOR.

A count is at most 4, so three lookups can be added before the half bytes of a sum overflow. Then
they are taken apart: with ``s`` such a sum, ``e`` and ``o`` the bytes of a lane of 16 bits (even
and odd channels), and a and b the two pixels, ::

    first  += s & 0x0F0F        (bytes)     e.a | o.a
    second += s >> 4            (16 bits)   e.b + 16 * o.a + 256 * o.b

where o.a is known from ``first``. A word adds at most 64 to a sum in 8 bits, and three words at
most 192, so that all parts of ``second`` stay below 2^16. Such sums go into 16 bits, which takes
340 of them; all else is added in 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from binvision.kernels.byte_counts import plus, row_starts, store_sums
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
    vector_of,
    zeros,
)
from binvision.kernels.isa import Blocking

__all__ = ["emit_pair_sums"]

_LANES = 32
_BYTES, _SHORTS = vector_of(I8, _LANES), vector_of(I16, _LANES // 2)
_HALF_BYTES = range(16)
_TAPS_IN_BYTES = 3
_TAPS_IN_SHORTS = 340 * _TAPS_IN_BYTES
_LOOKUPS = (3, 3, 3, 3, 2, 2)  # that are added before they are taken apart; of a word, 16

Vectors = Sequence[ir.Value]


class _Block(NamedTuple):
    """What the loops read: pointers, and the shape of the block."""

    starts: list[ir.Value]  # a row's first activation
    taps: ir.Value
    weights: ir.Value
    vectors: int
    tables: ir.Value  # for each pair of half bytes one of 16 bytes

    @property
    def pairs(self) -> int:
        """Pairs of rows."""
        return len(self.starts) // 2


def emit_pair_sums(
    builder: ir.IRBuilder, blocking: Blocking, vectors: int, operands: dict[str, Any]
) -> None:
    """Emit the loops over taps and the stores of their sums.

    Args:
        builder: Where to emit; afterwards it stands behind the loops.
        blocking: The register tile, with an even number of rows.
        vectors: Vectors of channels in this block.
        operands: Pointers and integers under the names of ``register_tile.py``.
    """
    starts = row_starts(builder, blocking, operands)
    weights = address(builder, operands["weights"], I64, operands["weight"])
    block = _Block(starts, operands["taps"], weights, vectors, _tables(builder))
    store_sums(builder, _sum_in_words(builder, block, operands["steps"]), vectors, operands)


def _tables(builder: ir.IRBuilder) -> ir.Value:
    """Return a pointer to the 256 tables popcount(a XOR i) + 16 * popcount(b XOR i)."""
    counts = bytes(
        (a ^ i).bit_count() + 16 * (b ^ i).bit_count()
        for a in _HALF_BYTES
        for b in _HALF_BYTES
        for i in _HALF_BYTES
    )
    return constant_bytes(builder, "pair_counts", counts)


# Each of the next three sums some taps: a list of vectors, row by row or pair by pair.


def _sum_in_words(builder: ir.IRBuilder, block: _Block, steps: ir.Value) -> Vectors:
    """Emit the loop over all taps; return 32 sums in 32 bits for each row and vector."""
    half = _LANES // 2
    in_turn = ir.Constant(vector_of(I32, _LANES), [i // 2 + half * (i % 2) for i in range(_LANES)])

    def add_span(t: ir.Value, sums: Vectors) -> Vectors:
        end = smaller(builder, builder.add(t, I64(_TAPS_IN_SHORTS)), steps)
        parts = _sum_in_shorts(builder, block, t, end)
        new = []
        for total, even, odd in zip(sums, parts[::2], parts[1::2], strict=True):
            part = builder.shuffle_vector(even, odd, in_turn)
            new.append(builder.add(total, builder.zext(part, total.type)))
        return new

    empty = [zeros(I32, _LANES)] * (len(block.starts) * block.vectors)
    return counted_loop(builder, I64(0), steps, _TAPS_IN_SHORTS, empty, add_span)


def _sum_in_shorts(
    builder: ir.IRBuilder, block: _Block, first: ir.Value, stop: ir.Value
) -> Vectors:
    """Return 16 sums in 16 bits, of even and of odd channels, for each row and vector."""
    byte, eight, four = (_splat(_SHORTS, n) for n in (255, 8, 4))

    def add_span(t: ir.Value, sums: Vectors) -> Vectors:
        end = smaller(builder, builder.add(t, I64(_TAPS_IN_BYTES)), stop)
        mixed = _sum_in_bytes(builder, block, t, end)
        by_row: list[list[ir.Value]] = [[] for _ in block.starts]
        for cell in range(block.pairs * block.vectors):
            pair = cell // block.vectors
            a = builder.bitcast(mixed[2 * cell], _SHORTS)
            odd = builder.lshr(a, eight)
            b = builder.sub(mixed[2 * cell + 1], builder.shl(odd, four))
            by_row[2 * pair] += [builder.and_(a, byte), odd]
            by_row[2 * pair + 1] += [builder.and_(b, byte), builder.lshr(b, eight)]
        parts = [part for row in by_row for part in row]
        return [builder.add(total, part) for total, part in zip(sums, parts, strict=True)]

    empty = [zeros(I16, _LANES // 2)] * (2 * len(block.starts) * block.vectors)
    return counted_loop(builder, first, stop, _TAPS_IN_BYTES, empty, add_span)


def _sum_in_bytes(builder: ir.IRBuilder, block: _Block, first: ir.Value, stop: ir.Value) -> Vectors:
    """Return ``first`` and ``second`` of the formula for each pair and vector."""

    def add_tap(t: ir.Value, sums: Vectors) -> Vectors:
        return _add_tap(builder, block, t, sums)

    empty = [zeros(I8, _LANES), zeros(I16, _LANES // 2)] * (block.pairs * block.vectors)
    return counted_loop(builder, first, stop, 1, empty, add_tap)


def _add_tap(builder: ir.IRBuilder, block: _Block, t: ir.Value, sums: Vectors) -> Vectors:
    """Emit the 16 half bytes of one tap, some lookups after another."""
    tap = builder.load(builder.gep(block.taps, [t]))
    words = [builder.load(builder.gep(start, [tap])) for start in block.starts]
    pairs = [_join(builder, a, b) for a, b in zip(words[::2], words[1::2], strict=True)]
    channels = block.vectors * _LANES
    weights = builder.gep(block.weights, [builder.mul(t, I64(channels))])
    half_bytes = iter(range(16))
    new = list(sums)
    for count in _LOOKUPS:
        found, *others = [
            _look_up(builder, block, pairs, weights, next(half_bytes)) for _ in range(count)
        ]
        for counts in others:
            found = [plus(builder, *both) for both in zip(found, counts, strict=True)]
        for cell, total in enumerate(found):
            first = builder.and_(total, _splat(_BYTES, 15))
            second = builder.lshr(builder.bitcast(total, _SHORTS), _splat(_SHORTS, 4))
            for place, part in enumerate((first, second), 2 * cell):
                new[place] = plus(builder, new[place], part)
    return new


def _join(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return bytes of which each has half a byte of a and one of b: of the lower, the upper."""
    mask, four = I64(0x0F0F0F0F0F0F0F0F), I64(4)
    lower = builder.or_(builder.shl(builder.and_(a, mask), four), builder.and_(b, mask))
    b_upper = builder.and_(builder.lshr(b, four), mask)
    return lower, builder.or_(builder.and_(a, builder.not_(mask)), b_upper)


def _look_up(
    builder: ir.IRBuilder,
    block: _Block,
    pairs: Sequence[tuple[ir.Value, ir.Value]],
    weights: ir.Value,
    number: int,
) -> list[ir.Value]:
    """Count one half byte of a word: a vector for each pair and vector of channels."""
    byte, is_upper = divmod(number, 2)
    indices = []
    for vector in range(block.vectors):
        place = I64((byte * block.vectors + vector) * _LANES)
        both = load(builder, address(builder, weights, I8, place), _BYTES, 1)
        upper = builder.lshr(both, _splat(_BYTES, 4))
        indices.append(upper if is_upper else builder.and_(both, _splat(_BYTES, 15)))
    found = []
    for pair in pairs:
        # 16 times the number of the table.
        shift, mask = 8 * byte - 4, I64(0xFF0)
        word = pair[is_upper]
        word = builder.lshr(word, I64(shift)) if shift > 0 else builder.shl(word, I64(-shift))
        place = builder.and_(word, mask)
        table = load(builder, builder.gep(block.tables, [place]), vector_of(I8, 16), 16)
        twice = ir.Constant(vector_of(I32, _LANES), 2 * list(range(16)))
        table = builder.shuffle_vector(table, table, twice)
        found += [call_llvm(builder, "llvm.x86.avx2.pshuf.b", [table, i]) for i in indices]
    return found


def _splat(kind: ir.VectorType, number: int) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)
