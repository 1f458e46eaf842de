"""From what a user names (a shipped model, a file, a checkpoint) to a detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision import zoo
from binvision.detectors.detections import Detections
from binvision.detectors.detector import Detector
from binvision.detectors.network import Network, PackedNetwork
from binvision.media.kept_rows import identity

__all__ = ["Entrant", "enter"]


@dataclass(frozen=True)
class Entrant:
    """A detector, ready to run.

    Attributes:
        name: The model's, or the checkpoint's file.
        classes: Names of what it detects.
        identity: What its detections depend on: the model's bytes, the options, the version.
        detect: Picture (H, W, 3) uint8 BGR to detections.
    """

    name: str
    classes: tuple[str, ...]
    identity: dict[str, object]
    detect: Callable[[NDArray[np.uint8]], Detections]


def enter(model: str, *, score: float, threads: int) -> Entrant:
    """Load a detector and compile what it needs.

    Args:
        model: Name in the zoo, packed file, or .pth checkpoint.
        score: Least score of a detection, in 0..1.
        threads: Threads of the network.

    Raises:
        ModelError: There is no such model, it is damaged or of another task.
        UsageError: The score is out of range.
        ImportError: A checkpoint needs PyTorch, which is not installed.
    """
    network: Network
    if model.endswith(".pth"):
        from binvision.detectors.torch_network import TorchNetwork

        path = Path(model)
        loaded = TorchNetwork.from_checkpoint(path, threads=threads)
        network, name = loaded, loaded.name
    else:
        path = zoo.find(model)
        packed = PackedNetwork(path, threads=threads)
        packed.prepare()
        network, name = packed, packed.name
    detector = Detector(network, score_threshold=score)
    return Entrant(name, detector.classes, identity(name, path, score=score), detector)
