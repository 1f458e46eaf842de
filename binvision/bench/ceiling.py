"""What this CPU can do at best: XOR, count and add without memory, and move memory without work.

A 1-bit convolution does three things to each 64 channels of a weight: XOR with the activation,
population count, addition to a sum. Here they are done on registers alone, in vectors of the
kernels' own length, on as many independent sums as keep the CPU busy. No arrangement of a
convolution that does these three can be faster, so its share of this rate says what is left.

Where the CPU has no population count of 64-bit lanes, the kernels count bytes (NEON), or look
half bytes up in a table that does the XOR too, for two pixels at once, and take the two counts
apart (AVX2); then the fastest of these ways is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from binvision.kernels.emit import (
    I8,
    I16,
    I64,
    address,
    call_llvm,
    counted_loop,
    data_of,
    load,
    store,
    vector_of,
)
from binvision.kernels.isa import BLOCKING
from binvision.kernels.jit import kernel

__all__ = ["memory_bandwidth", "popcount_ceiling"]

_LANES = BLOCKING.vector_bytes // 8
_ROUNDS = 15
_ROUND_S = 2e-3
_STREAM_BYTES = 256 * 2**20  # beyond the last cache of one core


def popcount_ceiling() -> float:
    """Return 1-bit multiply-accumulates a second of one thread, at best.

    The best of several numbers of running sums: too few wait for one another, too many do not
    fit the registers.
    """
    return max(_rate(count, *key) for key, count in _COUNTERS.items())


def memory_bandwidth(stream_bytes: int = _STREAM_BYTES) -> float:
    """Return bytes a second that one thread reads from main memory.

    Args:
        stream_bytes: Size of the array that is read; well beyond the caches.
    """
    words = np.ones(stream_bytes // 8, np.uint64)
    _sum_words(words[:64])
    seconds = [_timed(_sum_words, words) for _ in range(5)]
    return words.nbytes / median(seconds)


def _rate(count: Any, way: str, sums: int) -> float:
    """Multiply-accumulates a second of one counter."""
    words = np.random.default_rng(0).integers(0, 2**63, (sums + 1) * _LANES, np.uint64)
    out = np.zeros_like(words)
    count(words, 2, out)
    steps = 1000
    steps = max(steps, int(steps * _ROUND_S / _timed(count, words, steps, out)))
    seconds = min(_timed(count, words, steps, out) for _ in range(_ROUNDS))  # disturbed least
    products = _PRODUCTS[way] * BLOCKING.vector_bytes
    return steps * _UNROLLED * sums * products / seconds


def _timed(function: Any, *arguments: object) -> float:
    start = perf_counter()
    function(*arguments)
    return perf_counter() - start


_UNROLLED = 2  # rounds of all sums between two branches
_PRODUCTS = {"words": 8, "bytes": 8, "table": 24}  # that one step takes of each byte of a vector
_LOOKUPS = 3  # of half bytes for two pixels, which are added before they are taken apart
_COUNTS_OF_TWO = [17 * i.bit_count() for i in range(16)]


def _count_words(builder: ir.IRBuilder, total: ir.Value, word: ir.Value) -> ir.Value:
    """Emit ``total + popcount(total XOR word)`` for lanes of 64 bits."""
    name = f"llvm.ctpop.v{_LANES}i64"
    return builder.add(total, call_llvm(builder, name, [builder.xor(total, word)]))


def _count_bytes(builder: ir.IRBuilder, total: ir.Value, word: ir.Value) -> ir.Value:
    """Emit the same for lanes of 8 bits."""
    kind = vector_of(I8, BLOCKING.vector_bytes)
    total, word = builder.bitcast(total, kind), builder.bitcast(word, kind)
    name = f"llvm.ctpop.v{kind.count}i8"
    counted = builder.add(total, call_llvm(builder, name, [builder.xor(total, word)]))
    return builder.bitcast(counted, vector_of(I64, _LANES))


def _look_up(builder: ir.IRBuilder, total: ir.Value, word: ir.Value) -> ir.Value:
    """Emit lookups one after the other, each by what the last found, and add both their counts.

    A byte from 128 on finds 0. The lower counts are taken out of bytes, the upper ones out of
    numbers of 16 bits, as the kernel does.
    """
    kind, wide = vector_of(I8, BLOCKING.vector_bytes), vector_of(I16, BLOCKING.vector_bytes // 2)
    table = ir.Constant(kind, 2 * _COUNTS_OF_TWO)
    found = total = builder.bitcast(total, kind)
    counts = []
    for _ in range(_LOOKUPS):
        found = call_llvm(builder, "llvm.x86.avx2.pshuf.b", [table, found])
        counts.append(found)
    both = functools.reduce(builder.add, counts)
    lower = builder.and_(both, ir.Constant(kind, [15] * kind.count))
    upper = builder.lshr(builder.bitcast(both, wide), ir.Constant(wide, [4] * wide.count))
    counted = builder.add(builder.add(total, lower), builder.bitcast(upper, kind))
    return builder.bitcast(counted, vector_of(I64, _LANES))


_WAYS = {"words": _count_words, "bytes": _count_bytes, "table": _look_up}


def _emit_counts(
    builder: ir.IRBuilder,
    way: str,
    sums: int,
    words: ir.Value,
    steps: ir.Value,
    out: ir.Value,
) -> None:
    """Emit a step of every sum, ``steps`` times ``_UNROLLED`` times.

    A sum is its own activation: it changes in every step, so that nothing can be taken out of
    the loop, and costs no instruction.
    """
    kind = vector_of(I64, _LANES)
    word, *first = (
        load(builder, address(builder, words, I64, I64(_LANES * i)), kind, 8)
        for i in range(sums + 1)
    )

    def count(step: ir.Value, totals: Sequence[ir.Value]) -> Sequence[ir.Value]:
        for _ in range(_UNROLLED):
            totals = [_WAYS[way](builder, total, word) for total in totals]
        return totals

    for i, total in enumerate(counted_loop(builder, I64(0), steps, 1, first, count)):
        store(builder, total, address(builder, out, I64, I64(_LANES * i)), 8)


def _make_counter(way: str, sums: int) -> Any:
    """Make the kernel ``count(words, steps, out)`` with ``sums`` running sums."""

    @intrinsic
    def count_words(typingctx, words, steps, out):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
            source, target = (
                data_of(context, builder, signature.args[i], values[i]) for i in (0, 2)
            )
            _emit_counts(builder, way, sums, source, values[1], target)
            return context.get_dummy_value()

        return types.void(words, steps, out), codegen

    @kernel
    def count(words, steps, out):  # type: ignore[no-untyped-def]
        count_words(words, steps, out)

    return count


_COUNTERS = {
    (way, sums): _make_counter(way, sums)
    for way in dict.fromkeys(["words", BLOCKING.counts_bits_by])
    for sums in (10, 24)
}


@kernel
def _sum_words(words: np.ndarray) -> np.uint64:
    total = np.uint64(0)
    for i in range(len(words)):
        total += words[i]
    return total
