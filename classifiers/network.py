"""What turns pictures into a number for each class: the packed network, or anything like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.classifiers.settings import TASK, ClassifierSettings
from binvision.errors import ModelError, ModelTaskError

if TYPE_CHECKING:
    from binvision.runtime import PackedModel

__all__ = ["Network", "PackedNetwork"]


class Network(Protocol):
    """What classification needs from a network.

    Attributes:
        name: What results call it.
        settings: Its classes and the size of its pictures.
    """

    name: str
    settings: ClassifierSettings

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits of pictures.

        Args:
            images: (N, S, S, 3) uint8, BGR; S is ``settings.input_size``.

        Returns:
            (N, C) float32, of a softmax over the classes.
        """
        ...


class PackedNetwork:
    """A packed network, executed on bits, one picture after another.

    Attributes:
        name: Name of the model.
        settings: Its classes and the size of its pictures.
    """

    def __init__(self, model: str | Path, *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file, and plan for its size.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            ModelError: The settings do not fit the network.
        """
        from binvision import runtime, zoo

        loaded = runtime.load(zoo.find(model))
        if loaded.task != TASK:
            raise ModelTaskError(
                f"model {model} is for {loaded.task}, but classification needs one for {TASK}; "
                f"'binvision train classification/cifar10' trains one"
            )
        self.name = loaded.name
        self.settings = ClassifierSettings.from_mapping(loaded.settings, str(model))
        _check_output(loaded, self.settings)
        side = self.settings.input_size
        self._output = loaded.outputs[0]
        self._runner = runtime.Runner(loaded, batch=1, size_hw=(side, side), threads=threads)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits (N, C) of (N, S, S, 3) uint8."""
        logits = np.empty((len(images), len(self.settings.classes)), np.float32)
        for row, image in zip(logits, images, strict=True):
            row[:] = self._runner(image[np.newaxis])[self._output].reshape(-1)
        return logits


def _check_output(model: PackedModel, settings: ClassifierSettings) -> None:
    """Make sure that the network gives what its settings promise."""
    from binvision.runtime.shapes import infer_shapes

    side, count = settings.input_size, len(settings.classes)
    found = infer_shapes(model, (side, side))[model.outputs[0]]
    if found != (1, 1, count):
        raise ModelError(
            f"model {model.name}: gives {'x'.join(map(str, found))} numbers for a picture of "
            f"{side}x{side} pixels, but its settings name {count} classes; export it again"
        )
