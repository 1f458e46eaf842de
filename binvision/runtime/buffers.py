"""Memory of a plan: float values share it as soon as nobody reads the earlier one any more."""

from __future__ import annotations

import os

import numpy as np

from binvision.kernels.layout import aligned_zeros

__all__ = ["BufferPool", "memory_bytes"]

_UNKNOWN = 2**40  # where the system does not tell


def memory_bytes() -> int:
    """Return how much memory this machine has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not POSIX
        return _UNKNOWN


class BufferPool:
    """Flat float32 buffers, handed out by value name and taken back when the value is dead."""

    def __init__(self) -> None:
        self._free: list[np.ndarray] = []
        self._used: dict[str, np.ndarray] = {}
        self.bytes = 0

    def take(self, value: str, elements: int) -> np.ndarray:
        """Return memory for ``value``: the smallest free buffer that is large enough, or new."""
        fitting = [buffer for buffer in self._free if buffer.size >= elements]
        if fitting:
            buffer = min(fitting, key=lambda b: b.size)
            self._free = [b for b in self._free if b is not buffer]
        else:
            buffer = aligned_zeros(elements, "float32")
            self.bytes += buffer.nbytes
        self._used[value] = buffer
        return buffer[:elements]

    def give_back(self, value: str) -> None:
        """Free the memory of ``value``, if it has any of its own."""
        if value in self._used:
            self._free.append(self._used.pop(value))
