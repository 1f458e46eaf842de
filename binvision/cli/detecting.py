"""What ``detect`` does with each shot: objects found by a detector, counted, drawn and worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.cli.finder import Finder
from binvision.cli.shots import Shot
from binvision.media.detection_results import FoundObject
from binvision.media.drawing import Mark, annotate, has_room

__all__ = ["DetectorLooker"]


class DetectorLooker:
    """Looks for objects; see Looker for the attributes."""

    worker = "detector"
    stages: tuple[str, ...] = ("letterbox", "network", "post")

    def __init__(self, finder: Finder) -> None:
        self.model = finder.model
        self._finder = finder
        self._objects: Counter[str] = Counter()  # by class

    def __call__(self, shot: Shot) -> list[FoundObject]:
        """Find the objects, the most certain first."""
        found = self._finder(shot.image)
        objects = [
            FoundObject((x, y, w, h), score, label, found.classes[label])
            for (x, y, w, h), score, label in zip(
                found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
            )
        ]
        self._objects.update(each.name for each in objects)
        return objects

    def annotate(self, image: NDArray[np.uint8], found: Sequence[FoundObject]) -> NDArray[np.uint8]:
        """Draw boxes with names and scores; among many, the small ones have the box alone.

        The least certain come first, so that the others are drawn on top.
        """
        marks = [
            Mark(each.box_xywh, each.name, each.score, colour=each.label)
            if has_room(each.box_xywh, len(found), image.shape[:2])
            else Mark(each.box_xywh, colour=each.label)
            for each in reversed(found)
        ]
        return annotate(image, marks)

    def line_of(self, found: FoundObject) -> str:
        """Name, score and box."""
        box = ",".join(f"{value:.1f}" for value in found.box_xywh)
        return f"{found.name} {found.score:.2f} {box}"

    def counts(self) -> dict[str, Any]:
        """Objects by class."""
        return {"objects": dict(self._objects.most_common())}

    def counts_in_words(self) -> str:
        """Objects, and of which classes."""
        total = self._objects.total()
        counts = ", ".join(f"{name} {count}" for name, count in self._objects.most_common())
        return f"{total} object{'' if total == 1 else 's'}{f' ({counts})' if counts else ''}"

    @property
    def seconds(self) -> dict[str, float]:
        """Time by stage: plan, letterbox, network, post."""
        return self._finder.seconds
