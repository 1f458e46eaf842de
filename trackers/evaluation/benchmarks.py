"""The benchmarks that an evaluation can run, by the names of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from binvision.errors import UsageError
from binvision.trackers.evaluation.folder_layout import find_folders
from binvision.trackers.evaluation.got10k_layout import find_got10k
from binvision.trackers.evaluation.otb_layout import find_otb
from binvision.trackers.evaluation.sequences import Found
from binvision.trackers.evaluation.uav_layout import find_uav

__all__ = ["BENCHMARKS", "Benchmark"]

# Whatever is there is evaluated: name -> layout that its sequences must have, or None.
_OPEN_LISTS = {"folder": None, "otb": "otb"}


@dataclass(frozen=True)
class Benchmark:
    """A list of sequences and the rules by which they are scored.

    Attributes:
        name: Key in `BENCHMARKS`, and what the command line calls it.
        title: What papers call it.
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``: whose report its figures follow and whose
            layout its result files have.
    """

    name: str
    title: str
    protocol: str

    def find(
        self, roots: Iterable[Path], keep_going: bool = False, split: str | None = None
    ) -> Found:
        """Read the benchmark's sequences from where the user has it.

        Args:
            roots: Its folder; ``folder`` and ``otb`` may have several.
            keep_going: Skip sequences that are missing or cannot be used.
            split: ``"val"`` or ``"test"`` of GOT-10k; None takes what is there, val first.

        Raises:
            UsageError: several roots or a split for a benchmark that has one root or no splits.
            DataError: a root holds something else, or a sequence is missing or cannot be used.
            MissingExtraError: the list is in the got10k toolkit, and that is not installed.
        """
        roots = tuple(roots)
        if split and self.name != "got10k":
            raise UsageError(f"--split {split}: {self.name} has no splits; only got10k has")
        if self.name in _OPEN_LISTS:
            return find_folders(roots, _OPEN_LISTS[self.name], keep_going)
        if len(roots) != 1:
            raise UsageError(f"{self.name} is one folder; --root is given {len(roots)} times")
        if self.name == "got10k":
            return find_got10k(roots[0], keep_going, split)
        read = find_otb if self.protocol == "otb" else find_uav
        return read(roots[0], self.title, keep_going)


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("got10k", "GOT-10k", "got10k"),
        Benchmark("otb2013", "OTB2013", "otb"),
        Benchmark("otb50", "OTB50", "otb"),
        Benchmark("otb100", "OTB100", "otb"),
        Benchmark("uav123", "UAV123", "uav"),
        Benchmark("uav123_10fps", "UAV123_10fps", "uav"),
        Benchmark("uav20l", "UAV20L", "uav"),
        Benchmark("folder", "sequences", "got10k"),
        Benchmark("otb", "sequences in OTB's layout", "otb"),
    )
}
