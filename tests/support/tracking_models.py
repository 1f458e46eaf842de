"""Packed trackers with random weights: they run like trained ones, and find nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from binvision import runtime
from tests.support.networks import residual_network

__all__ = ["write_tracker"]


def write_tracker(path: Path, **changes: Any) -> Path:
    """Write the shipped architecture with random weights; ``changes`` replace its fields."""
    settings = {"response_scale": 1e-4, "response_bias": 0.0}
    runtime.save(path, replace(residual_network(), **{"settings": settings, **changes}))
    return path
