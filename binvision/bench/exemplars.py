"""Correlations with given exemplars as what they are: convolutions whose weights are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from binvision.runtime.model import PackedModel, Step

__all__ = ["random_exemplars", "with_exemplars"]


def random_exemplars(model: PackedModel) -> dict[str, np.ndarray]:
    """Return noise, float32 (h, w, C), for each of a model's exemplars."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(size, np.float32) for name, size in model.exemplars.items()}


def with_exemplars(model: PackedModel, exemplars: Mapping[str, np.ndarray]) -> PackedModel:
    """Return the model with its exemplars among its weights.

    Args:
        model: A checked model.
        exemplars: Each of its exemplars, float32 (h, w, C).
    """
    steps: list[Step] = []
    tensors = dict(model.tensors)
    for step in model.steps:
        if len(step.inputs) == 2 and step.inputs[1] in exemplars:
            step, arrays = _convolution(step, exemplars[step.inputs[1]])
            tensors |= {step.tensors[role]: array for role, array in arrays.items()}
        steps.append(step)
    return replace(model, steps=tuple(steps), tensors=tensors, exemplars={})


def _convolution(step: Step, exemplar: np.ndarray) -> tuple[Step, dict[str, np.ndarray]]:
    rows, columns, channels = exemplar.shape
    attrs: dict[str, Any] = {
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
        "offset": 0.0,
    }
    if step.op == "correlate_channels":
        attrs |= {"padding": (rows // 2, columns // 2), "groups": channels, **step.attrs}
        weight = exemplar[:, :, None] / np.float32(rows * columns)
    else:
        weight = exemplar.reshape(1, 1, -1, channels).swapaxes(2, 3) / np.float32(channels)
    outputs = weight.shape[3]
    arrays: dict[str, np.ndarray] = {
        "weight": np.ascontiguousarray(weight),
        "scale": np.ones(outputs, np.float32),
        "bias": np.zeros(outputs, np.float32),
    }
    roles = {role: f"{step.name}.{role}" for role in arrays}
    return replace(step, op="conv", inputs=step.inputs[:1], attrs=attrs, tensors=roles), arrays
