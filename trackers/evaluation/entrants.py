"""From what a user names (a shipped model, a file, a checkpoint, a rival) to a tracker."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from binvision import __version__
from binvision.errors import ModelFileError, UsageError
from binvision.trackers.box_settings import TASK, BoxSettings
from binvision.trackers.evaluation.protocols import BoxTracker
from binvision.trackers.evaluation.rivals import RivalTracker
from binvision.trackers.settings import SiamFCSettings

if TYPE_CHECKING:
    from binvision.trackers.networks import TrackingNetwork
    from binvision.trackers.tracker import Tracker

__all__ = ["Entrant", "enter", "parse_settings", "replace_settings"]


@dataclass(frozen=True)
class Entrant:
    """One tracker of a comparison; hashable and picklable, so that any process can build it.

    Attributes:
        name: Unique in the comparison; also the name of its result folder.
        kind: ``"packed"``, ``"checkpoint"`` or ``"rival"``.
        source: A packed file, a checkpoint, or the rival's name.
        settings: Tracker settings that replace the model's own, as (name, value).
    """

    name: str
    kind: str
    source: str
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def file(self) -> Path | None:
        """The model's file; None for a rival."""
        return None if self.kind == "rival" else Path(self.source)

    def build(self) -> BoxTracker:
        """Load the model; one thread.

        Raises:
            ModelError: the file cannot be used for tracking.
            UsageError: unknown rival, or a setting out of its range.
            MissingExtraError: this OpenCV lacks the rival.
        """
        return RivalTracker(self.source) if self.kind == "rival" else _ModelTracker(self.load())

    def load(self) -> Tracker:
        """The model's tracker whole, which tells its score and whether it is lost; one thread.

        Raises:
            ModelError: the file cannot be used for tracking.
            UsageError: a rival, which has no model, or a setting out of its range.
        """
        if self.kind == "rival":
            raise UsageError(f"{self.name}: is OpenCV's, and has no model of ours to load")
        from binvision.trackers.tracker import Tracker

        load = _load_checkpoint if self.kind == "checkpoint" else _load_packed
        return Tracker(load(self.source, dict(self.settings)))

    def identity(self) -> dict[str, object]:
        """What results depend on: the model's bytes, settings and version; a rival's OpenCV."""
        if self.file is None:
            return {"kind": self.kind, "rival": self.source, "opencv": cv2.__version__}
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return {
            "kind": self.kind,
            "sha256": digest,
            "settings": dict(self.settings),
            "binvision": __version__,
        }


def enter(
    models: Iterable[str], rivals: Iterable[str], settings: dict[str, float]
) -> tuple[Entrant, ...]:
    """Name the trackers of a comparison: models first, in the given order.

    A model is called after its file, as shortly as tells the models apart.

    Raises:
        UsageError: nothing to evaluate, the same tracker twice, or an unknown rival.
        ModelFileError: no such model.
        MissingExtraError: this OpenCV lacks a rival.
    """
    paths = [_model_path(model) for model in models]
    replaced = tuple(sorted(settings.items()))
    entrants = [
        Entrant(name, "checkpoint" if path.suffix == ".pth" else "packed", str(path), replaced)
        for name, path in zip(_short_names(paths), paths, strict=True)
    ]
    for rival in rivals:
        RivalTracker(rival)  # complains here, and not in the middle of the work
        entrants.append(Entrant(rival, "rival", rival))
    if not entrants:
        raise UsageError("nothing to evaluate; name a tracker with --model or --rival")
    twice = [name for name, count in Counter(e.name for e in entrants).items() if count > 1]
    if twice:
        raise UsageError(f"two trackers are called {twice[0]}; rename one of the files")
    return tuple(entrants)


def parse_settings(assignments: Iterable[str]) -> dict[str, float]:
    """Read ``KEY=VALUE`` replacements of a model's tracker settings.

    Raises:
        UsageError: not of that form, an unknown key, or a value that is not a number.
    """
    kinds = (SiamFCSettings, BoxSettings)
    known = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    settings: dict[str, float] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or key not in known:
            raise UsageError(
                f"--set {assignment}: expected KEY=VALUE with KEY one of {', '.join(sorted(known))}"
            )
        settings[key] = _number(value, assignment)
    return settings


def replace_settings(settings: SiamFCSettings | BoxSettings, changes: dict[str, float]) -> Any:
    """Settings with some of them replaced.

    Raises:
        UsageError: A key that this kind does not have, or a value out of its range.
    """
    try:
        return type(settings).from_mapping(dataclasses.asdict(settings) | changes, "--set")
    except ModelFileError as error:  # the file is right: the replacement is not
        raise UsageError(str(error)) from error


class _ModelTracker:
    """Our tracker, reduced to its boxes."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        self._tracker.init(frame_bgr, box_xywh)

    def update(self, frame_bgr: np.ndarray) -> tuple[float, ...]:
        return self._tracker.update(frame_bgr).box_xywh


def _model_path(model: str) -> Path:
    from binvision import zoo

    if not model.endswith(".pth"):
        return Path(zoo.find(model))
    if not Path(model).is_file():
        raise ModelFileError(f"{model}: no such checkpoint; expected a file of binvision train")
    return Path(model)


def _short_names(paths: list[Path]) -> list[str]:
    folders = [path.resolve().parent.name for path in paths]
    choices = [
        [path.stem for path in paths],
        [path.name for path in paths],
        [f"{folder}-{path.stem}" for folder, path in zip(folders, paths, strict=True)],
        [f"{folder}-{path.name}" for folder, path in zip(folders, paths, strict=True)],
    ]
    return next((names for names in choices if len(set(names)) == len(names)), choices[-1])


def _load_packed(source: str, changes: dict[str, float]) -> TrackingNetwork:
    from binvision.trackers.networks import open_network

    network = open_network(source)
    network.settings = replace_settings(network.settings, changes)
    network.prepare()  # for the replaced sizes; compiling must not count as tracking
    return network


def _load_checkpoint(source: str, changes: dict[str, float]) -> TrackingNetwork:
    from binvision.trackers.torch_box_network import TorchBoxNetwork
    from binvision.trackers.torch_embedder import TorchEmbedder
    from binvision.training.checkpoint import task_of

    kind = TorchBoxNetwork if task_of(Path(source)) == TASK else TorchEmbedder
    network: TrackingNetwork = kind.from_checkpoint(source)
    network.settings = replace_settings(network.settings, changes)
    return network


def _number(value: str, assignment: str) -> float:
    try:
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    except ValueError:
        raise UsageError(f"--set {assignment}: {value!r} is not a number") from None
