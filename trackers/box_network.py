"""What finds an exemplar in a search region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.trackers.box_settings import BoxSettings

__all__ = ["BoxNetwork", "Exemplar", "middle_of"]


@dataclass(frozen=True, eq=False)
class Exemplar:
    """What the network keeps of the target.

    Attributes:
        fine: (k, k, C) float32, the middle of the map at stride 8.
        coarse: (k', k', C) float32, the middle of the map at stride 16.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]


class BoxNetwork(Protocol):
    """What the tracker needs from a network.

    Attributes:
        settings: Sizes of the crops and the numbers of the tracking loop.
    """

    settings: BoxSettings

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        """Take in an exemplar.

        Args:
            crop: (E, E, 3) uint8, BGR, E the settings' ``exemplar_size``.
        """
        ...

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for an exemplar.

        Args:
            crop: (S, S, 3) uint8, BGR.
            exemplar: What :meth:`look` returned.

        Returns:
            Logits (h, w) float32, and (h, w, 4) float32, the logarithms of the distances from a
            cell's centre to the left, top, right and bottom of the box, in strides. Both may be
            overwritten by the next call.
        """
        ...


def middle_of(features: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Copy the middle (side, side, C) of features (h, h, C); the spare row is the last one.

    Raises:
        ModelError: The features are smaller.
    """
    first = (features.shape[0] - side) // 2
    if first < 0:
        raise ModelError(
            f"the network gives {features.shape[0]} cells for an exemplar, fewer than the {side} "
            f"that its settings keep; they do not fit its network"
        )
    return np.ascontiguousarray(features[first : first + side, first : first + side])
