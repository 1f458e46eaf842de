"""What the inner loop becomes on each kind of CPU, compiled for it on this one."""

from __future__ import annotations

import re

import pytest
from numba import types

from tests.support.listings import inner_loop

POPCOUNTS = {
    "avx512": r"vpopcntq\s+%zmm",
    "avx2": r"vpshufb\s+%ymm",
    "neon": r"cnt\s+v\d+\.16b",
}


@pytest.mark.parametrize("isa", POPCOUNTS)
def test_bits_are_counted_by_the_widest_instruction(isa: str) -> None:
    loop = inner_loop(isa, types.uint64, POPCOUNTS[isa])
    # AVX2: a lookup for each half byte of two rows; NEON: one count for each byte; AVX-512: for
    # each word.
    per_tap = {"avx512": 4 * 4, "avx2": 2 * 2 * 8 * 2, "neon": 4 * 4 * 8}[isa]
    assert len(re.findall(POPCOUNTS[isa], loop)) == per_tap
    # What LLVM makes of a population count of words where the CPU has none.
    assert not re.search(r"psadbw|uaddlp", loop)


def test_sums_stay_in_registers() -> None:
    """With 32 registers the widest block needs no memory but what it reads."""
    loop = inner_loop("avx512", types.uint64, POPCOUNTS["avx512"])
    assert not re.search(r"rsp|rbp\)?,? *-|mov\w*\s+%[xyz]mm\d+, \S*\(", loop)


def test_multiplication_of_floats_is_fused() -> None:
    for isa, instruction in (("avx512", r"vfmadd\w+ps\s.*%zmm"), ("avx2", r"vfmadd\w+ps\s.*%ymm")):
        assert re.search(instruction, inner_loop(isa, types.float32, instruction))
    assert re.search(r"fmla\s+v\d+\.4s", inner_loop("neon", types.float32, r"fmla"))


@pytest.mark.parametrize(("isa", "per_tap"), [("avx2", 4 * 2), ("portable", 4)])
def test_pairs_are_one_instruction(isa: str, per_tap: int) -> None:
    """And nothing sorts products, which LLVM does where it does not know the form."""
    loop = inner_loop(isa, types.int16, "pmaddwd")
    assert len(re.findall("pmaddwd", loop)) == per_tap
    assert not re.search("perm|unpck|shufps|blend|mov.*rsp", loop)


def test_plain_path_needs_no_extension_of_the_cpu() -> None:
    loop = inner_loop("portable", types.uint64, r"pxor|xorps")
    assert not re.search(r"%ymm|%zmm|pshufb|popcnt", loop)
