"""A PyTorch network behind the tracking loop: float twins, and checkpoints before their export.

The loop is the very same `Tracker` that runs packed models, so a comparison of the two compares
networks and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.trackers.model import SiamFC, load_checkpoint
from binvision.trackers.settings import SiamFCSettings
from binvision.training.nhwc import for_inference, maps_of

__all__ = ["TorchEmbedder"]


class TorchEmbedder:
    """A SiamFC network in float32 and channels_last; an `Embedder`.

    Attributes:
        settings: The network's own; may be replaced before a `Tracker` is made.
    """

    def __init__(self, network: SiamFC, *, threads: int = 1) -> None:
        """Take over a network; it is put into evaluation mode and channels_last.

        Args:
            network: On the CPU.
            threads: Threads of PyTorch, for the whole process: it knows no narrower scope.

        Raises:
            ModelFileError: the network's settings are not those of a tracker.
        """
        self._network = for_inference(network, threads)
        self.settings = SiamFCSettings.from_mapping(network.settings(), "network")

    @classmethod
    def from_checkpoint(cls, path: str | Path, *, threads: int = 1) -> TorchEmbedder:
        """Load what ``binvision train`` wrote.

        Raises:
            ModelFileError: the file is missing, unreadable, or not such a checkpoint.
        """
        network, _ = load_checkpoint(path)
        return cls(network, threads=threads)

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features (N, h, w, C) of (N, S, S, 3) uint8 BGR images."""
        return maps_of(self._network, images, "embed")
