"""What turns pictures into a map of cells: the packed network, or anything of the same shape."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.settings import TASK, DetectorSettings
from binvision.errors import ModelError, ModelTaskError

if TYPE_CHECKING:
    from binvision.runtime import Runner

__all__ = ["Network", "PackedNetwork"]

# Memory of the plans that are kept, each for a size of the input. A plan costs as much time as
# some ten pictures, and a folder of pictures may need one for each shape.
_MOST_BYTES = 256 << 20


class Network(Protocol):
    """What a detector needs from a network.

    Attributes:
        settings: Its classes, and the numbers of its use.
    """

    settings: DetectorSettings

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the map of an image.

        Args:
            image: (1, H, W, 3) uint8, BGR; H and W are multiples of ``settings.multiple``.

        Returns:
            (H / stride, W / stride, K + 5) float32: K class logits, a quality logit, and the
            logarithms of the distances in cells from a cell's centre to the left, top, right and
            bottom of its object. It may be overwritten by the next call.
        """
        ...


class PackedNetwork:
    """A packed network, executed on bits.

    A plan is made for each size of the input when it first comes, which takes a moment.

    Attributes:
        name: Name of the model.
        settings: Its classes, and the numbers of its use.
        planning_s: Time that the plans took until now.
    """

    def __init__(self, model: str | Path = "bin-face", *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        from binvision import runtime, zoo

        self._model = runtime.load(zoo.find(model))
        if self._model.task != TASK:
            raise ModelTaskError(
                f"model {model} is for {self._model.task}, but detection needs one for {TASK}; "
                f"'binvision models' lists them"
            )
        self.name = self._model.name
        self.settings = DetectorSettings.from_mapping(self._model.settings, str(model))
        self.planning_s = 0.0
        self._threads = threads
        self._runners: OrderedDict[tuple[int, int], Runner] = OrderedDict()

    def prepare(self) -> None:
        """Compile and load the kernels, so that no picture waits for it.

        Raises:
            ModelError: The settings do not fit the network.
        """
        side = self.settings.multiple
        self.run(np.zeros((1, side, side, 3), np.uint8))

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the map of (1, H, W, 3) uint8; valid until the next call.

        Raises:
            ModelError: The settings do not fit the network, or it needs too much memory.
        """
        return self._runner(image.shape[1:3])(image)[self._model.outputs[0]][0]

    def _runner(self, size_hw: tuple[int, int]) -> Runner:
        from binvision.runtime import Runner

        if size_hw in self._runners:
            self._runners.move_to_end(size_hw)
            return self._runners[size_hw]
        started = perf_counter()
        self._check_output(size_hw)
        runner = Runner(self._model, batch=1, size_hw=size_hw, threads=self._threads)
        self._runners[size_hw] = runner
        while len(self._runners) > 1 and self._bytes > _MOST_BYTES:
            self._runners.popitem(last=False)
        self.planning_s += perf_counter() - started
        return runner

    @property
    def _bytes(self) -> int:
        return sum(runner.bytes for runner in self._runners.values())

    def _check_output(self, size_hw: tuple[int, int]) -> None:
        """Make sure that the network gives what its settings promise."""
        from binvision.runtime.shapes import infer_shapes

        stride, count = self.settings.stride, len(self.settings.classes)
        expected = (size_hw[0] // stride, size_hw[1] // stride, count + 5)
        found = infer_shapes(self._model, size_hw)[self._model.outputs[0]]
        if found != expected:
            raise ModelError(
                f"model {self.name}: gives {_product(found)} numbers for an image of "
                f"{_product(size_hw)} pixels, but its settings (stride {stride}, {count} classes) "
                f"need {_product(expected)}; export it again"
            )


def _product(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
