"""What a classification configuration takes from its data."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from binvision.classifiers.pictures import read_classes
from binvision.errors import DataError

__all__ = ["settle"]


def settle(config: Config) -> None:
    """Put the archive's classes, its path and the seed where the configuration needs them.

    Raises:
        DataError: There is no archive, or it is damaged.
    """
    dataset = config.train_dataloader.dataset
    if not dataset.data:
        raise DataError("no pictures to train on: pass --data cifar10_jpeg.npz")
    config.model.network.classes = list(read_classes(Path(dataset.data)))
    config.model.data_preprocessor.update(data=dataset.data, seed=dataset.seed)
