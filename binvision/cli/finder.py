"""A detector as the options of a command want it: tiles or scaling, all classes or some."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.detectors.classes import class_indices
from binvision.detectors.detections import Detections
from binvision.detectors.detector import Detector, Timings
from binvision.detectors.network import PackedNetwork

__all__ = ["Finder"]


class Finder:
    """Finds objects of some classes in pictures.

    Attributes:
        model: Name of the model.
    """

    def __init__(
        self,
        model: str,
        *,
        score: float | None,
        classes: Sequence[str],
        size: int | None,
        tiles: tuple[int, float] | None,
        threads: int,
    ) -> None:
        """Load the model.

        Args:
            model: Shipped model or packed file.
            score: Least score of an object, 0..1; None for the model's own.
            classes: Names of the classes that are wanted; none for all.
            size: Longest side to which pictures are scaled; None for the model's own.
            tiles: Side of tiles in pixels, and the part that they share; None for whole pictures.
            threads: Threads of the network and of OpenCV, for the whole process.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            UsageError: A class is unknown, or a number out of range.
        """
        cv2.setNumThreads(threads)
        network = PackedNetwork(model, threads=threads)
        self.model = network.name
        self._wanted = class_indices(classes, network.settings.classes)
        self._tiles = tiles
        self._detector = Detector(network, score_threshold=score, input_size=size)
        self._network = network
        network.prepare()
        self._prepared_s = network.planning_s

    def prepare(self, picture: NDArray[np.uint8]) -> None:
        """Plan for pictures of this size, without counting the time."""
        self(picture)
        self._detector.timings = Timings()
        self._prepared_s = self._network.planning_s

    @property
    def seconds(self) -> dict[str, float]:
        """Time of the pictures until now, by stage: plan, letterbox, network, post.

        A plan is made once for each size of the network's input.
        """
        timings = self._detector.timings
        plan = self._network.planning_s - self._prepared_s
        return {
            "plan": plan,
            "letterbox": timings.letterbox,
            "network": timings.network - plan,
            "post": timings.post,
        }

    def __call__(self, picture: NDArray[np.uint8]) -> Detections:
        """Find objects in (H, W, 3) uint8 BGR."""
        if self._tiles:
            found = self._detector.detect_tiles(picture, *self._tiles)
        else:
            found = self._detector(picture)
        return found.take(np.isin(found.labels, self._wanted)) if self._wanted else found
