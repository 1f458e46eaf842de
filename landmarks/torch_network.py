"""A PyTorch network behind the estimator: float twins, and checkpoints before their export.

Crop and decoding are the very same as those of packed models, so a comparison of the two compares
networks and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.model import LandmarkNetwork, load_checkpoint
from binvision.landmarks.settings import LandmarkSettings
from binvision.training.nhwc import for_inference, maps_of

__all__ = ["TorchNetwork"]


class TorchNetwork:
    """A landmark network in float32 and channels_last; a `Network`.

    Attributes:
        settings: The network's own.
        name: What summaries call it.
    """

    def __init__(
        self, network: LandmarkNetwork, *, threads: int = 1, name: str = "network"
    ) -> None:
        """Wrap a network, which is put into evaluation mode and channels_last.

        Args:
            network: On any device; pictures go there.
            threads: Threads of PyTorch, for the whole process: it knows no narrower scope.
            name: What summaries call it.

        Raises:
            ModelFileError: The network's settings are not those of a landmark network.
        """
        self._network = for_inference(network, threads)
        self.settings = LandmarkSettings.from_mapping(network.settings(), name)
        self.name = name

    @classmethod
    def from_checkpoint(cls, path: str | Path, *, threads: int = 1) -> TorchNetwork:
        """Load what ``binvision train`` wrote.

        Raises:
            ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        """
        network, _ = load_checkpoint(path)
        return cls(network, threads=threads, name=Path(path).name)

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the maps (h, w, P) of one (1, S, S, 3) uint8 BGR crop."""
        return maps_of(self._network, image)[0]
