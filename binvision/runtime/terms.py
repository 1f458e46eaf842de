"""Binary convolutions that are a sum: how many kernels, planes of signs and scaled parts."""

from __future__ import annotations

import numpy as np

from binvision.runtime.model import PackedModel, Step

__all__ = ["is_sum", "planes_of", "window_of"]


def window_of(step: Step, kernel: np.ndarray) -> tuple[int, int]:
    """Return rows and columns of a convolution's window; the bases of ``bits`` are stacked."""
    return kernel.shape[0] // step.attrs.get("bases", 1), kernel.shape[1]


def planes_of(threshold: np.ndarray) -> int:
    """Return how many planes of signs a threshold, (C,) or (planes, C), takes of its input."""
    return threshold.shape[0] if threshold.ndim == 2 else 1


def is_sum(model: PackedModel, step: Step) -> bool:
    """Tell whether a binary convolution adds several scaled parts."""
    return model.tensor(step, "scale").ndim > 1
