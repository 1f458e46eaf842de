"""Time limits of tests, which an emulated CPU must be given many times over."""

from __future__ import annotations

import os

__all__ = ["patience"]

_FACTOR = float(os.environ.get("BINVISION_TEST_PATIENCE", "1"))


def patience(seconds: float) -> float:
    """Seconds to wait on this machine for what takes ``seconds`` at the most on a real one."""
    return seconds * _FACTOR
