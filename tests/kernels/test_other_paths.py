"""Kernel paths that this CPU would not choose, in processes of their own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from tests.support.repository import ROOT

# What numba compiles for; see the names in LLVM's lists.
BASE = ("sse2", "cx16")
HASWELL = "sse3 ssse3 sse4.1 sse4.2 popcnt avx avx2 fma f16c bmi bmi2 lzcnt movbe".split()
PATHS = {"avx2": ("haswell", (*BASE, *HASWELL)), "portable": ("x86-64", BASE)}

RUN = """
import sys, pytest
from binvision.kernels import isa
assert isa() == sys.argv[1], isa()
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""
TESTS = [
    "tests/kernels/test_convolution.py::test_bits",
    "tests/kernels/test_convolution.py::test_integers_of_bits",
    "tests/kernels/test_convolution.py::test_pixels",
    "tests/kernels/test_convolution.py::test_extreme_sums",
]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names features of x86")
@pytest.mark.parametrize("isa", PATHS)
def test_kernels_without_wide_vectors(isa: str, tmp_path: Path) -> None:
    cpu, features = PATHS[isa]
    host = llvm.get_host_cpu_features()
    missing = [name for name in features if not host.get(name)]
    if missing:
        pytest.skip(f"this CPU has no {', '.join(missing)}")
    env = {
        **os.environ,
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in features),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-c", RUN, isa, *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
