"""A packed detector whose answers can be told by hand, and what it should find.

It looks at squares of 8x8 pixels. The mean of blue says whether a square is of class ``car``, that
of green whether it is of class ``bus``: full colour has the logit 5, grey -5, none -15. Every box
is 24x24 pixels of the network's input, its centre that of the square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision import runtime
from binvision.detectors.settings import TASK
from binvision.runtime import PackedModel
from tests.support.networks import NetworkBuilder

__all__ = ["CLASSES", "SCORE", "SETTINGS", "colour_detector", "street", "write_detector"]

CLASSES = ("car", "bus")
SETTINGS: dict[str, Any] = {
    "classes": list(CLASSES),
    "stride": 8,
    "multiple": 32,
    "input_size": 64,
}
_QUALITY = 4.0
SCORE = float((1 / (1 + np.exp(-5.0)) / (1 + np.exp(-_QUALITY))) ** 0.5)  # of full colour
_REACH = 1.5  # from a centre to each side of its box, in cells


def colour_detector(**changes: Any) -> PackedModel:
    """The model; ``changes`` replace its fields."""
    net = NetworkBuilder()
    means = net.conv("image", 3, 8, stride=8)
    net.conv(means, len(CLASSES) + 5, 1, dtype="float32")
    stem, head = net.steps
    weight = np.zeros((1, 1, 3, len(CLASSES) + 5), np.float32)
    weight[0, 0, [0, 1], [0, 1]] = 20.0  # blue to car, green to bus
    own = {
        "weight": np.broadcast_to(np.eye(3, dtype=np.int8), (8, 8, 3, 3)).copy(),
        "scale": np.full(3, 1 / (64 * 255), np.float32),
        "bias": np.zeros(3, np.float32),
    }
    net.tensors = {stem.tensors[role]: array for role, array in own.items()} | {
        head.tensors["weight"]: weight,
        head.tensors["scale"]: np.ones(7, np.float32),
        head.tensors["bias"]: np.array([-15, -15, _QUALITY, *[np.log(_REACH)] * 4], np.float32),
    }
    model = net.model(head.output)
    return replace(
        model, **{"name": "colours", "task": TASK, "settings": SETTINGS, **changes}
    )  # fmt: skip


def write_detector(path: Path, **changes: Any) -> Path:
    """Write the model to a file; ``changes`` replace its fields."""
    runtime.save(path, colour_detector(**changes))
    return path


def street(
    size_hw: tuple[int, int] = (64, 64),
    cars: Iterable[tuple[int, int]] = (),
    buses: Iterable[tuple[int, int]] = (),
) -> NDArray[np.uint8]:
    """Black picture with a full square of colour in each named cell (row, column) of 8 pixels."""
    picture = np.zeros((*size_hw, 3), np.uint8)
    for channel, cells in ((0, cars), (1, buses)):
        for row, column in cells:
            picture[8 * row : 8 * row + 8, 8 * column : 8 * column + 8, channel] = 255
    return picture
