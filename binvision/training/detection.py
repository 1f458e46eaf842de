"""What a detection configuration takes from its data: classes, and sizes said once."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from binvision.detectors.annotations import DetectionSet, read_detection_set
from binvision.errors import DataError

__all__ = ["settle"]


def settle(config: Config) -> DetectionSet:
    """Put the annotations' classes and the network's sizes where the configuration needs them.

    Raises:
        DataError: There are no annotations, or they are damaged.
    """
    dataset, network = config.train_dataloader.dataset, config.model.network
    if not dataset.data:
        raise DataError("no annotations to train on: pass --data annotations.json --images FOLDER")
    images = Path(dataset.images) if dataset.images else None
    found = read_detection_set(Path(dataset.data), images, list(network.classes) or None)
    network.classes = dataset.classes = list(found.classes)
    dataset.stride, dataset.input_size = network.stride, network.input_size
    return found
