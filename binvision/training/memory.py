"""The process's memory in a training on the CPU."""

from __future__ import annotations

import ctypes
import os
import platform

__all__ = ["keep_freed_memory"]

# Parameters of glibc's mallopt(3), from malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Let what is freed stay with the process, where the C library is glibc.

    By itself glibc asks the system for each large tensor anew and gives it back at once, and the
    system clears every page of it each time. That was a third of a training step: 512 pictures of
    the CIFAR-10 configuration took 12.4 s in place of 19.9 on one core with AVX2, for 4.8 GB at the
    peak in place of 2.5 (``python -m benchmarks.freed_memory``). Where glibc's own variables are
    set (``MALLOC_TRIM_THRESHOLD_`` and its like, ``GLIBC_TUNABLES``), they decide, and all stays.

    Returns:
        Whether it does.
    """
    decided = [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]
    if decided or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
