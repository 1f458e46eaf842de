"""What turns crops into heat maps: the packed network, or anything of the same shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError, ModelTaskError
from binvision.landmarks.schemes import SCHEMES
from binvision.landmarks.settings import TASK, LandmarkSettings
from binvision.landmarks.shape import ShapeCorrection

if TYPE_CHECKING:
    from binvision.runtime import PackedModel

__all__ = ["Network", "PackedNetwork"]


class Network(Protocol):
    """What finding points needs from a network.

    Where it also has ``shape``, a :class:`~binvision.landmarks.shape.ShapeCorrection`, that moves
    its points.

    Attributes:
        name: What results call it.
        settings: Its points, and the numbers of its use.
    """

    name: str
    settings: LandmarkSettings

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the maps of a crop.

        Args:
            image: (1, S, S, 3) uint8, BGR; S is ``settings.input_size``.

        Returns:
            (S / stride, S / stride, P) float32: for each point the logits of a softmax over all
            cells. It may be overwritten by the next call.
        """
        ...


class PackedNetwork:
    """A packed network, executed on bits.

    Attributes:
        name: Name of the model.
        settings: Its points, and the numbers of its use.
        shape: How its points go together; None leaves them as they are found.
    """

    def __init__(self, model: str | Path | PackedModel, *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file, and plan for its size.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            ModelError: The settings do not fit the network.
        """
        from binvision import runtime, zoo

        loaded = model
        if not isinstance(loaded, runtime.PackedModel):
            loaded = runtime.load(zoo.find(loaded))
        where = loaded.name if loaded is model else str(model)
        if loaded.task != TASK:
            raise ModelTaskError(
                f"model {where} is for {loaded.task}, but finding points needs one for {TASK}; "
                f"'binvision models' lists them"
            )
        self.name = loaded.name
        self.settings = LandmarkSettings.from_mapping(loaded.settings, where)
        _check_output(loaded, self.settings)
        count = len(SCHEMES[self.settings.scheme])
        self.shape = (
            ShapeCorrection.from_tables(loaded.table_tensors(), count, where)
            if loaded.tables
            else None
        )
        side = self.settings.input_size
        self._output = loaded.outputs[0]
        self._runner = runtime.Runner(loaded, batch=1, size_hw=(side, side), threads=threads)

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the maps of (1, S, S, 3) uint8; valid until the next call."""
        maps: NDArray[np.float32] = self._runner(image)[self._output][0]
        return maps


def _check_output(model: PackedModel, settings: LandmarkSettings) -> None:
    """Make sure that the network gives what its settings promise."""
    from binvision.runtime.shapes import infer_shapes

    side, count = settings.input_size, len(SCHEMES[settings.scheme])
    cells = side // settings.stride
    found = infer_shapes(model, (side, side))[model.outputs[0]]
    if found != (cells, cells, count):
        raise ModelError(
            f"model {model.name}: gives {_product(found)} numbers for a crop of {side}x{side} "
            f"pixels, but its settings (stride {settings.stride}, {count} points of "
            f"{settings.scheme}) need {_product((cells, cells, count))}; export it again"
        )


def _product(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
