"""What turns crops into features: the packed network, or anything of the same shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError, ModelTaskError
from binvision.trackers.settings import SiamFCSettings

if TYPE_CHECKING:
    from binvision.runtime import Runner

__all__ = ["TASK", "Embedder", "PackedEmbedder", "response_side"]

TASK = "tracking/siamfc"


@runtime_checkable
class Embedder(Protocol):
    """What the tracker needs from a network.

    Attributes:
        settings: Sizes of the crops and the numbers of the tracking loop.
    """

    settings: SiamFCSettings

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features.

        Args:
            images: (N, S, S, 3) uint8, BGR.

        Returns:
            (N, h, w, C) float32; may be overwritten by the next call.
        """
        ...


def response_side(exemplar: NDArray[np.float32], features: NDArray[np.float32]) -> int:
    """Side in cells of the response of an exemplar (k, k, C) in features (N, h, h, C).

    Raises:
        ModelError: The features are smaller than the exemplar.
    """
    side = features.shape[1] - exemplar.shape[0] + 1
    if side < 1:
        raise ModelError(
            f"the network gives {features.shape[1]} cells for a search crop, fewer than the "
            f"{exemplar.shape[0]} of an exemplar; the model's settings do not fit its network"
        )
    return side


class PackedEmbedder:
    """A packed network, executed on bits.

    A plan is made for each shape of the input when it first comes, which takes a moment;
    ``prepare`` does it beforehand for the shapes that tracking uses.
    """

    def __init__(self, model: str | Path = "rb-siamfc", *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        from binvision import runtime, zoo

        self._model = runtime.load(zoo.find(model))
        if self._model.task != TASK:
            raise ModelTaskError(
                f"model {model} is for {self._model.task}, but tracking needs one for {TASK}; "
                f"'binvision models' lists them"
            )
        self.name = self._model.name
        self.settings = SiamFCSettings.from_mapping(self._model.settings, str(model))
        self._threads = threads
        self._runners: dict[tuple[int, ...], Runner] = {}

    def prepare(self) -> None:
        """Plan and warm both branches and their correlation, so that no frame waits for it.

        Raises:
            ModelError: The sizes in the settings do not fit the network.
        """
        from binvision.kernels import correlate
        from binvision.runtime.warming import announced_compilation

        settings = self.settings
        size = settings.exemplar_size
        exemplar = self.embed(np.zeros((1, size, size, 3), np.uint8))[0]
        kept = np.ascontiguousarray(exemplar[: settings.exemplar_crop, : settings.exemplar_crop])
        size = settings.search_size
        search = self.embed(np.zeros((settings.scale_count, size, size, 3), np.uint8))
        side = response_side(kept, search)
        with announced_compilation():
            correlate(kept, search, np.empty((len(search), side, side), np.float32))

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features (N, h, w, C) of (N, S, S, 3) uint8 images; valid until the next call."""
        features = self._runner(*images.shape[:3])(images)
        return features[self._model.outputs[0]]

    def _runner(self, batch: int, height: int, width: int) -> Runner:
        from binvision.runtime import Runner

        shape = (batch, height, width)
        if shape not in self._runners:
            self._runners[shape] = Runner(
                self._model, batch=batch, size_hw=(height, width), threads=self._threads
            )
        return self._runners[shape]
