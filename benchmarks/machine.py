"""What a figure needs beside it: CPU, instruction set, threads, versions, commit, date."""

from __future__ import annotations

import subprocess
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from binvision import kernels
from binvision.runtime.host import machine

__all__ = ["describe"]


def describe(threads: int, *packages: str) -> dict[str, str]:
    """Facts in the order in which a reader asks for them.

    Args:
        threads: What the benchmark allows each contestant.
        packages: Distributions to name with their versions, beside NumPy, Numba and OpenCV.
    """
    facts = machine()
    return {
        "date": date.today().isoformat(),
        "commit": _commit(),
        "cpu": facts["cpu"],
        "isa": kernels.isa(),
        "threads": str(threads),
        "python": facts["python"],
        "numpy": facts["numpy"],
        "opencv": facts["opencv"],
        **{name: _version(name) for name in ("numba", *packages)},
    }


def _commit() -> str:
    """Commit of the checkout, with a mark if files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
