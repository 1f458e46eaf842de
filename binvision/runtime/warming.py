"""Compilation made visible: it happens once on a machine, and takes long enough to explain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from binvision import kernels

__all__ = ["announced_compilation"]


@contextmanager
def announced_compilation() -> Iterator[None]:
    """Say on stderr when kernels are compiled inside the block: a dot each, then the seconds.

    Nothing is printed where they come from the cache on disk.
    """
    compiled: list[str] = []
    start = perf_counter()

    def report(name: str) -> None:
        if not compiled:
            sys.stderr.write("binvision: compiling kernels for this CPU, first run only: ")
        compiled.append(name)
        sys.stderr.write(".")
        sys.stderr.flush()

    with kernels.announce_compilation(report):
        yield
    if compiled:
        sys.stderr.write(f" {perf_counter() - start:.1f} s\n")
