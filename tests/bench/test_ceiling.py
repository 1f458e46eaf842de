"""The ceiling counts what it says, and its rates are those of a computer."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.bench import ceiling
from binvision.kernels.isa import BLOCKING


def counted(way: str, words: np.ndarray, sums: int, steps: int) -> np.ndarray:
    """What a counter leaves in its sums, one lane at a time."""
    lane = {"words": np.uint64, "table": np.uint16}.get(way, np.uint8)
    vector = BLOCKING.vector_bytes
    word, totals = words.view(lane)[: vector // lane().itemsize], words.view(lane)
    totals = totals[len(word) : (sums + 1) * len(word)]
    found = np.empty_like(totals)
    for place, total in enumerate(totals.tolist()):
        for _ in range(steps):
            if way == "table":
                total = looked_up(total)
            else:
                total += (total ^ int(word[place % len(word)])).bit_count()
            total %= 2 ** (8 * lane().itemsize)
        found[place] = total
    return found


def looked_up(total: int) -> int:
    """Two bytes after a step of lookups for two pixels."""
    sums = [0, 0]
    for place, byte in enumerate(divmod(total, 256)):
        for _ in range(3):
            byte = 17 * (byte % 16).bit_count() if byte < 128 else 0
            sums[place] += byte
    upper, lower = sums
    parts = divmod((256 * upper + lower) >> 4, 256)
    upper, lower = (
        (old + sums[place] % 16 + parts[place]) % 256
        for place, old in enumerate(divmod(total, 256))
    )
    return 256 * upper + lower


@pytest.mark.parametrize(("way", "sums"), ceiling._COUNTERS)
def test_counters_count(way: str, sums: int) -> None:
    lanes = BLOCKING.vector_bytes // 8
    words = np.random.default_rng(1).integers(0, 2**63, (sums + 1) * lanes, np.uint64)
    out = np.zeros_like(words)
    ceiling._COUNTERS[way, sums](words, 5, out)
    expected = counted(way, words, sums, 5 * ceiling._UNROLLED)
    np.testing.assert_array_equal(out[: sums * lanes].view(expected.dtype), expected)


def test_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "_ROUND_S", 1e-4)
    assert 1e9 < ceiling.popcount_ceiling() < 1e14
    assert 1e8 < ceiling.memory_bandwidth(2**20) < 1e13
