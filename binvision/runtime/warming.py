"""Compilation made visible: it happens once on a machine, and takes long enough to explain."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from binvision import kernels

__all__ = ["announced_compilation"]


@contextmanager
def announced_compilation() -> Iterator[None]:
    """Say on stderr when kernels are compiled inside the block: a dot each, then the seconds.

    Nothing is printed where they come from the cache on disk. Where there can be none, it is said
    what to do, as every start waits for the compiler then.
    """
    compiled: list[str] = []
    start = perf_counter()

    def report(name: str) -> None:
        if not compiled:
            when = ", first run only" if kernels.code_is_kept() else ""
            sys.stderr.write(f"binvision: compiling kernels for this CPU{when}: ")
        compiled.append(name)
        sys.stderr.write(".")
        sys.stderr.flush()

    with kernels.announce_compilation(report):
        yield
    if compiled:
        sys.stderr.write(f" {perf_counter() - start:.1f} s\n")
        if not kernels.code_is_kept():
            _advise()


@functools.cache  # once in a process
def _advise() -> None:
    sys.stderr.write(
        "binvision: compiled kernels cannot be kept, so every start compiles them: set "
        "NUMBA_CACHE_DIR to a folder that is writable and has space\n"
    )
