"""How often a classifier is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.classifiers.network import Network
from binvision.classifiers.pictures import LabelledPictures
from binvision.errors import DataError

__all__ = ["Accuracy", "evaluate"]


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Figures of one classifier on one set of pictures.

    Attributes:
        pictures: How many there were.
        top1: Share whose most probable class is the right one.
        by_class: The same of each class, by its name; NaN of one without pictures.
        predictions: (N,) int64, the most probable classes.
    """

    pictures: int
    top1: float
    by_class: dict[str, float]
    predictions: NDArray[np.int64]


def evaluate(network: Network, pictures: LabelledPictures) -> Accuracy:
    """Classify all pictures.

    Raises:
        DataError: They have other classes or another size than the network's.
    """
    settings = network.settings
    if pictures.classes != settings.classes or pictures.images.shape[1] != settings.input_size:
        raise DataError(
            f"{network.name} tells {', '.join(settings.classes)} at {settings.input_size} pixels; "
            f"the pictures are of {', '.join(pictures.classes)} at {pictures.images.shape[1]}"
        )
    predictions = network.run(pictures.images).argmax(1)
    is_right = predictions == pictures.labels
    by_class = {
        name: float(is_right[pictures.labels == number].mean())
        if (pictures.labels == number).any()
        else float("nan")
        for number, name in enumerate(pictures.classes)
    }
    return Accuracy(len(is_right), float(is_right.mean()), by_class, predictions)
