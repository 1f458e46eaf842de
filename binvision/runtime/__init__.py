"""Packed models on the edge: the file format, the plan and the executor. No torch in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from binvision.runtime.format import PackedModel, Step, load, save

if TYPE_CHECKING:
    from binvision.runtime.runner import Runner

__all__ = ["PackedModel", "Runner", "Step", "load", "save"]


def __getattr__(name: str) -> Any:
    # Running needs the compiled kernels; reading a file does not, so that `info` starts at once.
    if name == "Runner":
        from binvision.runtime.runner import Runner

        return Runner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
