"""The benchmarks that an evaluation can run, by the names of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from binvision.trackers.evaluation.sequences import Found, find_sequences

__all__ = ["BENCHMARKS", "Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """A list of sequences and the rules by which they are scored.

    Attributes:
        name: Key in `BENCHMARKS`, and what the command line calls it.
        title: What papers call it.
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``: whose report its figures follow and whose
            layout its result files have.
        find: Reads the roots: ``find(roots, keep_going)``. With `keep_going` a sequence that
            cannot be evaluated is skipped; otherwise it is a `DataError`.
    """

    name: str
    title: str
    protocol: str
    find: Callable[[Iterable[Path], bool], Found]


def _find_pooled(layout: str | None, roots: Iterable[Path], keep_going: bool) -> Found:
    return Found(find_sequences(roots, layout))


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("folder", "sequences", "got10k", partial(_find_pooled, None)),
        Benchmark("otb", "sequences in OTB's layout", "otb", partial(_find_pooled, "otb")),
    )
}
