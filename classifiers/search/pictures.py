"""The pictures of a search: some to train on, the others to judge by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from binvision.classifiers.batches import PictureBatches
from binvision.classifiers.pictures import read_pictures
from binvision.errors import ConfigError

__all__ = ["SearchPictures", "divide"]


def divide(count: int, held_out: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the numbers below ``count`` by chance.

    Returns:
        Numbers to train on, and ``held_out`` others to judge by; both ascend.

    Raises:
        ConfigError: None would be left to train on, or to judge by.
    """
    if not 0 < held_out < count:
        raise ConfigError(f"search.held_out={held_out}: expected 1 to {count - 1} of the pictures")
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


class SearchPictures:
    """Batches to train on, and held-out pictures, on the device of the networks.

    The test split plays no part: it stays for the network that is found.

    Args:
        data: Archive; see :func:`binvision.classifiers.pictures.read_pictures`.
        batch: Pictures of a batch.
        held_out: Pictures of the training split to judge by.
        seed: Of the division, of order and changes.
        shift: Greatest shift of the pictures to train on, pixels.
        device: Where the networks are.
    """

    def __init__(
        self, data: Path, *, batch: int, held_out: int, seed: int, shift: int, device: str
    ) -> None:
        found = read_pictures(data, "train")
        kept, others = divide(len(found.labels), held_out, seed)
        self._batch = batch
        self._batches = PictureBatches(str(data), seed, shift).to(device)
        self._batches.keep(torch.from_numpy(kept))
        self.images = torch.from_numpy(found.images[others]).to(device).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(found.labels[others]).to(device)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return ``images`` and ``labels`` of one step; the same of the same step, always."""
        numbers = torch.arange(step * self._batch, (step + 1) * self._batch)
        return dict(self._batches({"numbers": numbers}))
