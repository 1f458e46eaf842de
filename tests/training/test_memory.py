"""Freed memory stays with a training on the CPU: no page of a large block is cleared twice."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from binvision.training.memory import keep_freed_memory

_FAULTS = """
import resource, sys
import numpy as np
from binvision.training.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(16 << 20, np.uint8)  # 4096 pages of 4 kB, freed at once
before = faults()
for _ in range(10):
    np.ones(16 << 20, np.uint8)
    np.ones(40 << 20, np.uint8)
print(faults() - before)
"""


def page_faults(how: str) -> int:
    """Page faults of a process that uses large blocks again and again."""
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS, how],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )
    return int(done.stdout)


def test_who_set_glibc_has_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_large_blocks_are_used_again() -> None:
    assert page_faults("keep") < page_faults("plain") / 4
