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

FOUND = ("score", "box")
"""What a packed network finds in a search crop."""

OUTPUTS = (*FOUND, "fine", "coarse")
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


class PackedBoxNetwork:
    """A packed network, executed on bits; a `BoxNetwork`.

    Exemplar and search crop run through their own parts of it, so that neither computes what only
    the other needs. A part is planned for each size of the crop when it first comes, which takes a
    moment; ``prepare`` does it beforehand.

    Attributes:
        name: Name of the model.
        settings: The model's own; may be replaced before a `Tracker` is made.
    """

    def __init__(self, model: str | Path = "bin-track", *, threads: int = 1) -> None:
        """Load a model by its name in the zoo or by the path of its file.

        Raises:
            ModelFileError: There is no such model, its file is damaged, or its values are not
                those of such a network.
            ModelTaskError: It is a model of another task.
            ModelError: The sizes in its settings do not fit the network.
        """
        from binvision import runtime, zoo

        packed = runtime.load(zoo.find(model))
        if packed.task != TASK:
            raise ModelTaskError(
                f"model {model} is for {packed.task}, but tracking with boxes needs one for "
                f"{TASK}; 'binvision models' lists them"
            )
        self.name = packed.name
        self.settings = BoxSettings.from_mapping(packed.settings, str(model))
        _check_values(packed, self.settings, str(model))
        self._threads = threads
        self._looking, self._searching = packed.part(tuple(EXEMPLARS)), packed.part(FOUND)
        self._runners: dict[tuple[bool, tuple[int, int]], Runner] = {}
        self._given: dict[tuple[int, int], Exemplar] = {}

    def prepare(self) -> None:
        """Plan and warm both parts, so that no frame waits for it.

        Raises:
            ModelError: The sizes in the settings do not fit the network.
        """
        sides = (self.settings.exemplar_size, self.settings.search_size)
        exemplar, search = (np.zeros((side, side, 3), np.uint8) for side in sides)
        self.search(search, self.look(exemplar))

    def look(self, crop: NDArray[np.uint8]) -> Exemplar:
        """Take in an exemplar."""
        maps = self._runner(False, crop)(crop[None])
        return Exemplar(
            middle_of(maps["fine"][0], self.settings.fine_crop),
            middle_of(maps["coarse"][0], self.settings.coarse_crop),
        )

    def search(
        self, crop: NDArray[np.uint8], exemplar: Exemplar
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look for an exemplar; what it returns is valid until the next call."""
        runner, size_hw = self._runner(True, crop), crop.shape[:2]
        if self._given.get(size_hw) is not exemplar:
            for part, name in EXEMPLARS.items():
                runner.set_exemplar(name, getattr(exemplar, part))
            self._given[size_hw] = exemplar
        found = runner(crop[None])
        scores, boxes = (found[name][0] for name in FOUND)
        return scores[:, :, 0], boxes

    def _runner(self, is_search: bool, crop: NDArray[np.uint8]) -> Runner:
        from binvision.runtime import Runner

        key = (is_search, crop.shape[:2])
        if key not in self._runners:
            model = self._searching if is_search else self._looking
            self._runners[key] = Runner(model, batch=1, size_hw=key[1], threads=self._threads)
        return self._runners[key]


def _check_values(model: PackedModel, settings: BoxSettings, where: str) -> None:
    """Prove that a model's inputs and results are those of a tracker with these settings.

    Raises:
        ModelFileError: They are not.
        ModelError: A crop is too small for the network.
    """
    from binvision.runtime.faults import fault, show
    from binvision.runtime.shapes import infer_shapes

    for what, names, found in (
        ("results", OUTPUTS, model.outputs),
        ("exemplars", tuple(EXEMPLARS.values()), tuple(model.exemplars)),
    ):
        if set(found) != set(names):
            raise fault(f"model {where}", what, ", ".join(names), show(found))
    made = infer_shapes(model.part(tuple(EXEMPLARS)), (settings.exemplar_size,) * 2)
    sides = {"fine": settings.fine_crop, "coarse": settings.coarse_crop}
    for part, side in sides.items():
        expected, got = (side, side, made[part][2]), model.exemplars[EXEMPLARS[part]]
        if got != expected:
            raise fault(f"model {where}", f"size of {EXEMPLARS[part]}", str(expected), str(got))
        if made[part][0] < side:
            cells = f"at least {side} cells"
            raise fault(f"model {where}", f"side of {part}", cells, str(made[part][0]))
    results = infer_shapes(model.part(FOUND), (settings.search_size,) * 2)
    scores, boxes = (results[name] for name in FOUND)
    if scores[2] != 1 or boxes != (*scores[:2], 4):
        what = "shapes of score and box"
        raise fault(f"model {where}", what, "(h, w, 1) and (h, w, 4)", f"{scores} and {boxes}")
