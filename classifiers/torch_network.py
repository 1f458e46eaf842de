"""A PyTorch network behind the classifier: float twins, and checkpoints before their export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from binvision.classifiers.model import ClassifierNetwork, load_checkpoint
from binvision.classifiers.settings import ClassifierSettings

__all__ = ["TorchNetwork"]

_BATCH = 250


class TorchNetwork:
    """A classifier in float32 and channels_last; a `Network`.

    Attributes:
        settings: The network's own.
        name: What summaries call it.
    """

    def __init__(
        self, network: ClassifierNetwork, *, threads: int = 1, name: str = "network"
    ) -> None:
        """Wrap a network, which is put into evaluation mode and channels_last.

        Args:
            network: On any device; pictures go there.
            threads: Threads of PyTorch, for the whole process: it knows no narrower scope.
            name: What summaries call it.
        """
        torch.set_num_threads(threads)
        self._network = network.eval().to(memory_format=torch.channels_last)
        self.settings = ClassifierSettings.from_mapping(network.settings(), name)
        self.name = name

    @classmethod
    def from_checkpoint(cls, path: str | Path, *, threads: int = 1) -> TorchNetwork:
        """Load what ``binvision train`` wrote.

        Raises:
            ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        """
        network, _ = load_checkpoint(path)
        return cls(network, threads=threads, name=Path(path).name)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits (N, C) of (N, S, S, 3) uint8 BGR, in batches."""
        device = self._network.head.weight.device
        logits = []
        with torch.inference_mode():
            for first in range(0, len(images), _BATCH):
                batch = torch.from_numpy(images[first : first + _BATCH]).to(device)
                logits.append(self._network(batch.permute(0, 3, 1, 2).float()).cpu())
        return torch.cat(logits).numpy()
