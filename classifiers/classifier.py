"""The class of a picture.

classifier = Classifier("cifar10.safetensors")
found = classifier(picture)  # found.name, found.label, found.probabilities
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.classifiers.network import Network, PackedNetwork
from binvision.media.images import check_frame

__all__ = ["Classification", "Classifier"]


@dataclass(frozen=True, eq=False)
class Classification:
    """What a picture shows.

    Attributes:
        label: Number of the most probable class.
        name: Its name.
        probabilities: (C,) float32 of all classes; their sum is 1.
    """

    label: int
    name: str
    probabilities: NDArray[np.float32]


class Classifier:
    """Classifies pictures of any size, scaled to the network's.

    Args:
        model: Path of a packed file, or a network.
        threads: Threads of a packed network.

    Raises:
        ModelError: The model cannot be read, or is for another task.
    """

    def __init__(self, model: str | Path | Network, *, threads: int = 1) -> None:
        self._network: Network = (
            PackedNetwork(model, threads=threads) if isinstance(model, (str, Path)) else model
        )
        self.classes = self._network.settings.classes

    def __call__(self, picture: NDArray[np.uint8]) -> Classification:
        """Classify a picture (H, W, 3), uint8, BGR.

        Raises:
            FrameError: It is no such picture.
        """
        check_frame(picture, "picture")
        side = self._network.settings.input_size
        if picture.shape[:2] != (side, side):
            shrinks = min(picture.shape[:2]) > side
            way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            picture = cv2.resize(picture, (side, side), interpolation=way).astype(np.uint8)
        (logits,) = self._network.run(np.ascontiguousarray(picture[np.newaxis]))
        powers = np.exp(logits - logits.max())
        label = int(logits.argmax())
        return Classification(label, self.classes[label], powers / powers.sum())
