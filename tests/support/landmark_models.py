"""A packed network of points whose answers can be told by hand, and pictures for it.

It takes the mean colour of squares of 4x4 pixels. Each point has a colour of its own, one of many
that lie evenly on a sphere around grey, and its map is greatest where the colour is most like it.
A chart is a subject: a field of that colour for each point, side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision import runtime
from binvision.landmarks.schemes import SCHEMES
from binvision.landmarks.settings import TASK
from binvision.runtime import PackedModel
from tests.support.networks import NetworkBuilder

__all__ = ["SETTINGS", "chart_model", "chart_points", "colours", "draw_chart", "write_chart_model"]

SETTINGS: dict[str, Any] = {"scheme": "face68", "input_size": 128, "stride": 4, "crop": 1.5}
_GREY = 128
_RADIUS = 110.0  # of the sphere of colours
_GAIN = 1.5  # logits for a step of colour towards a point's own
_COLUMNS = 9  # of a chart


def colours(count: int) -> NDArray[np.float64]:
    """Directions (count, 3) on the unit sphere, evenly spread (a spiral of golden angles)."""
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack((radius * np.cos(turn), radius * np.sin(turn), height), 1)


def chart_model(**changes: Any) -> PackedModel:
    """The model; ``changes`` replace its fields."""
    settings = {**SETTINGS, **changes.pop("settings", {})}
    count = len(SCHEMES[settings["scheme"]])
    net = NetworkBuilder()
    means = net.conv("image", 3, 4, stride=4)
    net.conv(means, count, 1, dtype="float32")
    stem, head = net.steps
    own = {
        "weight": np.broadcast_to(np.eye(3, dtype=np.int8), (4, 4, 3, 3)).copy(),
        "scale": np.full(3, 1 / 16, np.float32),
        "bias": np.full(3, -_GREY, np.float32),
    }
    weight = _GAIN * colours(count).T.reshape(1, 1, 3, count)
    net.tensors = {stem.tensors[role]: array for role, array in own.items()} | {
        head.tensors["weight"]: weight.astype(np.float32),
        head.tensors["scale"]: np.ones(count, np.float32),
        head.tensors["bias"]: np.zeros(count, np.float32),
    }
    model = net.model(head.output)
    fields = {"name": "chart", "task": TASK, "settings": settings}
    return replace(model, **{**fields, **changes})


def write_chart_model(path: Path, **changes: Any) -> Path:
    """Write the model to a file; ``changes`` replace its fields."""
    runtime.save(path, chart_model(**changes))
    return path


def chart_points(box_xywh: Sequence[float], count: int = 68) -> NDArray[np.float64]:
    """Where the points (count, 2) of a chart are whose points have this tight box."""
    x, y, w, h = box_xywh
    row, column = np.divmod(np.arange(count), _COLUMNS)
    return np.stack((x + w * column / (_COLUMNS - 1), y + h * row / row.max()), 1)


def draw_chart(
    picture: NDArray[np.uint8], box_xywh: Sequence[float], count: int = 68
) -> NDArray[np.uint8]:
    """Draw a chart into a picture, in place, as far as it is inside.

    Args:
        picture: (H, W, 3) uint8; grey (128) all around is no point's colour.
        box_xywh: Tight box of the chart's points.
        count: Number of points.
    """
    _, _, w, h = box_xywh
    half = np.array([w / (_COLUMNS - 1), h / ((count - 1) // _COLUMNS)]) / 2
    shades = np.rint(_GREY + _RADIUS * colours(count)).astype(np.uint8)
    for point, shade in zip(chart_points(box_xywh, count), shades, strict=True):
        left, top = np.maximum(np.ceil(point - half), 0).astype(int)
        right, bottom = np.maximum(np.ceil(point + half), 0).astype(int)
        picture[top:bottom, left:right] = shade
    return picture
