"""A PyTorch network behind the tracking loop: float twins, and checkpoints before their export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from binvision.trackers.box_model import BoxTracker, load_checkpoint
from binvision.trackers.box_network import Exemplar, middle_of
from binvision.trackers.box_settings import BoxSettings
from binvision.training.nhwc import for_inference

__all__ = ["TorchBoxNetwork"]


class TorchBoxNetwork:
    """A :class:`BoxTracker` in float32 and channels_last; a `BoxNetwork`.

    Attributes:
        settings: The network's own; may be replaced before a `Tracker` is made.
    """

    def __init__(self, network: BoxTracker, *, threads: int = 1) -> None:
        """Take over a network; it is put into evaluation mode and channels_last.

        Args:
            network: On the CPU.
            threads: Threads of PyTorch, for the whole process: it knows no narrower scope.

        Raises:
            ModelFileError: The network's settings are not those of a tracker.
        """
        self._network = for_inference(network, threads)
        self.settings = BoxSettings.from_mapping(network.settings(), "network")

    @classmethod
    def from_checkpoint(cls, path: str | Path, *, threads: int = 1) -> TorchBoxNetwork:
        """Load what ``binvision train`` wrote.

        Raises:
            ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        """
        network, _ = load_checkpoint(path)
        return cls(network, threads=threads)

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        """Take in an exemplar."""
        with torch.inference_mode():
            fine, coarse = (_to_maps(each) for each in self._network.features(_to_pixels(crop)))
        return Exemplar(
            middle_of(fine, self.settings.fine_crop), middle_of(coarse, self.settings.coarse_crop)
        )

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for an exemplar."""
        fine, coarse = (
            torch.from_numpy(each).permute(2, 0, 1)[None]
            for each in (exemplar.fine, exemplar.coarse)
        )
        with torch.inference_mode():
            score, box, _, _ = self._network(_to_pixels(crop), fine, coarse)
        return _to_maps(score)[:, :, 0], _to_maps(box)


def _to_pixels(crop: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(crop[None]).permute(0, 3, 1, 2).float()


def _to_maps(values: torch.Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values[0].permute(1, 2, 0).numpy())
