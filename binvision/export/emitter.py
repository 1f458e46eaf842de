"""What every lowering uses: where it writes to, and PyTorch's arguments as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from binvision.export.graph import Value

__all__ = ["Emitter", "array", "float64", "pair"]


class Emitter(Protocol):
    """What a lowering writes to."""

    def emit(
        self,
        op: str,
        inputs: Sequence[Value],
        channels: int,
        attrs: dict[str, Any] | None = None,
        constants: dict[str, np.ndarray] | None = None,
        part: str = "",
    ) -> Value:
        """Add a node that gives ``channels`` channels; returns the value it defines.

        A layer that becomes several nodes names those before its last with ``part``.
        """


def array(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor in their own dtype."""
    return tensor.detach().cpu().numpy()


def float64(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor in float64, in which constants are folded."""
    return array(tensor.detach().double())


def pair(value: Any) -> tuple[int, int]:
    """Return (vertical, horizontal) of a number or a pair as PyTorch takes it."""
    if isinstance(value, int):
        return value, value
    first, second = value if len(value) == 2 else (value[0], value[0])
    return int(first), int(second)
