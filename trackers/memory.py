"""What a tracker with a box head keeps of its target's looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.trackers.box_network import BoxNetwork, Exemplar
from binvision.trackers.geometry import context_side, crop_square

__all__ = ["Memory"]

Frame = NDArray[np.uint8]


class Memory:
    """The first exemplar, and a running mean of later ones with a weight of its own.

    Correlation is linear: with their weighted sum as the exemplar, the network sees the weighted
    sum of the correlations with both, for the time of one.

    Attributes:
        exemplar: What the network is to look for.
    """

    def __init__(
        self,
        network: BoxNetwork,
        frame: Frame,
        box_xywh: Sequence[float],
        fill: tuple[float, float, float],
    ) -> None:
        """Take in a target.

        Args:
            network: What sees it.
            frame: (H, W, 3) uint8, BGR.
            box_xywh: Left, top, width, height in pixels.
            fill: Colour of what lies outside of frames.

        Raises:
            ModelError: The network's features are smaller than its settings say.
        """
        self._network, self._settings, self._fill = network, network.settings, fill
        size = self._settings.exemplar_size
        self._crop = np.empty((size, size, 3), np.uint8)
        x, y, w, h = box_xywh
        self._first = self._recent = self.exemplar = self._see(
            frame, (x + w / 2, y + h / 2), (w, h)
        )
        self._age = 0

    def watch(
        self, frame: Frame, centre_xy: Sequence[float], size_wh: Sequence[float], score: float
    ) -> None:
        """Take note of a frame with the target, and look at it when that is due and it is sure."""
        settings = self._settings
        self._age += 1
        if (
            not settings.memory_weight
            or self._age < settings.memory_every
            or score < settings.memory_threshold
        ):
            return
        self._age = 0
        seen = self._see(frame, centre_xy, size_wh)
        self._recent = _mix(self._recent, seen, settings.memory_rate)
        self.exemplar = _mix(self._first, self._recent, settings.memory_weight)

    def crop(
        self, frame: Frame, centre_xy: Sequence[float], size_wh: Sequence[float]
    ) -> NDArray[np.uint8]:
        """Cut a box with the margin of an exemplar; valid until the next call."""
        side = context_side(size_wh, self._settings.context)
        crop_square(frame, centre_xy, side, self._fill, self._crop)
        return self._crop

    def _see(self, frame: Frame, centre_xy: Sequence[float], size_wh: Sequence[float]) -> Exemplar:
        return self._network.look(self.crop(frame, centre_xy, size_wh))


def _mix(old: Exemplar, new: Exemplar, part: float) -> Exemplar:
    """Weighted mean; ``part`` is the new one's weight."""
    keep, take = np.float32(1 - part), np.float32(part)
    return Exemplar(keep * old.fine + take * new.fine, keep * old.coarse + take * new.coarse)
