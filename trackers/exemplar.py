"""What the network sees of a target, and how alike what it sees elsewhere is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.trackers.embedder import Embedder, response_side
from binvision.trackers.geometry import Window, context_side, crop_square
from binvision.trackers.results import sigmoid
from binvision.trackers.settings import SiamFCSettings

__all__ = ["Look", "likeness", "look_at"]


@dataclass(frozen=True)
class Look:
    """What the network sees of a box with its margin, all boxes in one size.

    Attributes:
        features: (h, w, C) float32.
        exemplar: (k, k, C) float32, the middle of the features: the box with little margin.
        window: The square of the frame that was cut.
        side: Side of the square that was wanted, frame pixels.
    """

    features: NDArray[np.float32]
    exemplar: NDArray[np.float32]
    window: Window
    side: float


def look_at(
    embedder: Embedder,
    frame: NDArray[np.uint8],
    box_xywh: Sequence[float],
    fill: tuple[float, float, float],
) -> Look:
    """Let the network see a box.

    Args:
        embedder: The network.
        frame: (H, W, 3) uint8, BGR.
        box_xywh: Left, top, width, height in pixels; with an area.
        fill: Colour of what lies outside the frame.

    Raises:
        ModelError: The network's features are smaller than its settings say.
    """
    settings = embedder.settings
    x, y, w, h = box_xywh
    side = context_side((w, h), settings.context)
    size, kept = settings.exemplar_size, settings.exemplar_crop
    crop = np.empty((1, size, size, 3), np.uint8)
    window = crop_square(frame, (x + w / 2, y + h / 2), side, fill, crop[0])
    features = embedder.embed(crop)[0].copy()
    if features.shape[0] < kept:
        raise ModelError(
            f"the network gives {features.shape[0]}x{features.shape[1]} cells for an exemplar "
            f"of {size} pixels, fewer than the {kept} that its settings keep"
        )
    first = (features.shape[0] - kept) // 2
    middle = slice(first, first + kept)
    return Look(features, np.ascontiguousarray(features[middle, middle]), window, side)


def likeness(exemplar: NDArray[np.float32], look: Look, settings: SiamFCSettings) -> float:
    """How sure the network is that ``look`` shows the target of ``exemplar``, 0..1.

    It is the greatest response of the exemplar in the look, so a box that lies a little beside
    the target is no less alike.
    """
    from binvision.kernels import correlate

    side = response_side(exemplar, look.features)
    response = np.empty((1, side, side), np.float32)
    correlate(exemplar, look.features[None], response)
    return sigmoid(float(response.max()) * settings.response_scale + settings.response_bias)
