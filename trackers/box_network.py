"""What finds an exemplar in a search region: the packed network, or anything of the same shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError, ModelTaskError
from binvision.trackers.box_settings import TASK, BoxSettings

if TYPE_CHECKING:
    from binvision.runtime import PackedModel, Runner

__all__ = ["EXEMPLARS", "OUTPUTS", "BoxNetwork", "Exemplar", "PackedBoxNetwork", "middle_of"]

OUTPUTS = ("score", "box", "fine", "coarse")
"""Results of a packed network, in order; the last two make an exemplar."""

EXEMPLARS = {"fine": "exemplar_fine", "coarse": "exemplar_coarse"}
"""A part of an exemplar to the packed network's input that takes it."""


@dataclass(frozen=True, eq=False)
class Exemplar:
    """What the network keeps of the target.

    Attributes:
        fine: (k, k, C) float32, the middle of the map at stride 8.
        coarse: (k', k', C) float32, the middle of the map at stride 16.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]


class BoxNetwork(Protocol):
    """What the tracker needs from a network.

    Attributes:
        settings: Sizes of the crops and the numbers of the tracking loop.
    """

    settings: BoxSettings

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        """Take in an exemplar.

        Args:
            crop: (E, E, 3) uint8, BGR, E the settings' ``exemplar_size``.
        """
        ...

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for an exemplar.

        Args:
            crop: (S, S, 3) uint8, BGR.
            exemplar: What :meth:`look` returned.

        Returns:
            Logits (h, w) float32, and (h, w, 4) float32, the logarithms of the distances from a
            cell's centre to the left, top, right and bottom of the box, in strides. Both may be
            overwritten by the next call.
        """
        ...


class PackedBoxNetwork:
    """A packed network, executed on bits."""

    def __init__(self, model: str | Path = "bin-track", *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        from binvision import runtime, zoo

        self._model = runtime.load(zoo.find(model))
        if self._model.task != TASK:
            raise ModelTaskError(
                f"model {model} is for {self._model.task}, but tracking with boxes needs one for "
                f"{TASK}; 'binvision models' lists them"
            )
        self.name = self._model.name
        self.settings = BoxSettings.from_mapping(self._model.settings, str(model))
        self._threads = threads
        self._whole: Runner | None = None
        self._part: Runner | None = None
        self._searched: Exemplar | None = None

    def prepare(self) -> None:
        """Plan and warm both branches, so that no frame waits for it.

        Raises:
            ModelError: The sizes in the settings do not fit the network.
        """
        settings = self.settings
        exemplar = self.look(np.zeros((settings.exemplar_size,) * 2 + (3,), np.uint8))
        self.search(np.zeros((settings.search_size,) * 2 + (3,), np.uint8), exemplar)

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        """Take in an exemplar; its maps are copies."""
        if self._part is None:
            self._part = self._plan(self._model.part(OUTPUTS[2:]), self.settings.exemplar_size)
        maps = self._part(crop[None])
        return Exemplar(
            middle_of(maps["fine"][0], self.settings.fine_crop),
            middle_of(maps["coarse"][0], self.settings.coarse_crop),
        )

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for an exemplar; giving the same one again costs nothing."""
        if self._whole is None:
            self._whole = self._plan(self._model, self.settings.search_size)
        if exemplar is not self._searched:
            for part, name in EXEMPLARS.items():
                self._whole.set_exemplar(name, getattr(exemplar, part))
            self._searched = exemplar
        found = self._whole(crop[None])
        return found["score"][0, :, :, 0], found["box"][0]

    def _plan(self, model: PackedModel, side: int) -> Runner:
        from binvision.runtime import Runner

        return Runner(model, batch=1, size_hw=(side, side), threads=self._threads)


def middle_of(features: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Copy the middle (side, side, C) of features (h, h, C); the spare row is the last one.

    Raises:
        ModelError: The features are smaller.
    """
    first = (features.shape[0] - side) // 2
    if first < 0:
        raise ModelError(
            f"the network gives {features.shape[0]} cells for an exemplar, fewer than the {side} "
            f"that its settings keep; they do not fit its network"
        )
    return np.ascontiguousarray(features[first : first + side, first : first + side])
