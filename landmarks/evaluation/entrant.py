"""From what a user names (a shipped model, a file, a checkpoint) to what finds points and boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision import zoo
from binvision.errors import ModelTaskError, UsageError
from binvision.landmarks.estimator import PointEstimator
from binvision.landmarks.evaluation.boxes import (
    FindBox,
    box_in_file,
    detected_box,
    points_box,
    set_box,
    shaken,
)
from binvision.landmarks.formats.points import PointSet
from binvision.landmarks.network import Network, PackedNetwork
from binvision.media.kept_rows import identity

__all__ = ["DETECTOR", "POINTS", "SET", "Entrant", "check_scheme", "enter"]

POINTS, SET, DETECTOR = "points", "set", "detector"  # where boxes come from; else a file


@dataclass(frozen=True)
class Entrant:
    """A model, ready to run.

    Attributes:
        name: The model's, or the checkpoint's file.
        identity: What its points depend on: the model's bytes, the boxes, the options, the version.
        estimate: From picture and box to points.
        find_box: From a subject to its box.
    """

    name: str
    identity: dict[str, object]
    estimate: PointEstimator
    find_box: FindBox


def enter(
    model: str,
    *,
    boxes: str = POINTS,
    noise: float = 0.0,
    seed: int = 0,
    mirror: bool = False,
    threads: int = 1,
) -> Entrant:
    """Load a model, and a detector where that gives the boxes.

    Args:
        model: Name in the zoo, packed file, or .pth checkpoint.
        boxes: ``"points"``, ``"set"``, ``"detector"`` (that which the model names), or a file.
        noise: Part of its size by which each box is moved and scaled at most.
        seed: Of the noise.
        mirror: Average with the points of the mirrored crop.
        threads: Threads of the network.

    Raises:
        ModelError: There is no such model, it is damaged or of another task.
        DataError: A file of boxes cannot be read.
        UsageError: The noise is out of range, the model names no detector, or its points have no
            mirror images.
        ImportError: A checkpoint needs PyTorch, which is not installed.
    """
    network: Network
    if model.endswith(".pth"):
        from binvision.landmarks.torch_network import TorchNetwork

        path = Path(model)
        network = TorchNetwork.from_checkpoint(path, threads=threads)
    else:
        path = zoo.find(model)
        network = PackedNetwork(path, threads=threads)
    estimator = PointEstimator(network, mirror=mirror)
    find_box = shaken(_box_finder(boxes, estimator, threads), noise, seed)
    options: dict[str, object] = {"boxes": boxes, "box_noise": noise, "mirror": mirror}
    if noise:
        options["seed"] = seed
    return Entrant(network.name, identity(network.name, path, **options), estimator, find_box)


def check_scheme(entrant: Entrant, data: PointSet) -> None:
    """Make sure that the model's points are those of the set.

    Raises:
        ModelTaskError: They are not.
    """
    found, wanted = entrant.estimate.scheme, data.scheme
    if found is not wanted:
        raise ModelTaskError(
            f"model {entrant.name} finds the {len(found)} points of {found.name}, but "
            f"{data.name} has the {len(wanted)} of {wanted.name}; choose a model of that scheme"
        )


def _box_finder(boxes: str, estimator: PointEstimator, threads: int) -> FindBox:
    if boxes == POINTS:
        return points_box
    if boxes == SET:
        return set_box
    if boxes != DETECTOR:
        return box_in_file(Path(boxes), estimator.box_in)
    if not estimator.settings.detector:
        raise UsageError(
            f"model {estimator.name} names no detector; --boxes points, set or a file of boxes"
        )
    from binvision.detectors import Detector

    detector = Detector(estimator.settings.detector, threads=threads)

    def detect(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return detector(image).boxes

    return detected_box(detect, estimator.box_in)
