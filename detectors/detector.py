"""A detector picture by picture: what a user calls.

    detector = Detector("bin-face")
    found = detector(picture)
    for (x, y, w, h), score, name in zip(found.boxes, found.scores, found.names): ...

Pictures may differ in size; those of one size after another are the fastest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.decoding import Decoder
from binvision.detectors.detections import Detections
from binvision.detectors.letterbox import Letterbox
from binvision.detectors.network import Network, PackedNetwork
from binvision.detectors.settings import MAX_SIDE
from binvision.detectors.tiles import join_tiles, tile_places
from binvision.errors import UsageError
from binvision.media.images import check_frame

__all__ = ["Detector", "Timings"]


@dataclass
class Timings:
    """Seconds spent since the detector was made, by stage.

    Attributes:
        letterbox: Scaling and padding.
        network: The map of cells.
        post: Boxes from the map, suppression of doubles.
        pictures: Number of pictures.
    """

    letterbox: float = 0.0
    network: float = 0.0
    post: float = 0.0
    pictures: int = 0

    @property
    def total(self) -> float:
        """Seconds spent in all stages."""
        return self.letterbox + self.network + self.post


class Detector:
    """Finds objects in pictures of any size.

    Attributes:
        classes: Names of the classes that it knows.
        timings: Time spent, by stage.
    """

    def __init__(
        self,
        model: str | Path | Network = "bin-face",
        *,
        threads: int = 1,
        score_threshold: float | None = None,
        input_size: int | None = None,
    ) -> None:
        """Load a model, or take a network that several detectors share.

        Args:
            model: Name of a model of the zoo, path of a packed model, or a Network.
            threads: Threads that the network may use; a Network has its own.
            score_threshold: Least score of a detection, in 0..1 [default: the model's].
            input_size: Longest side that pictures are scaled to, pixels [default: the model's].
                Smaller is faster, larger finds smaller objects.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            UsageError: The threshold or the size is out of range.
        """
        _check_options(score_threshold, input_size)
        if isinstance(model, (str, Path)):
            model = PackedNetwork(model, threads=threads)
            model.prepare()
        settings = model.settings
        if score_threshold is not None:
            settings = replace(settings, score_threshold=score_threshold)
        if input_size is not None:
            settings = replace(settings, input_size=input_size)
        self.classes = settings.classes
        self._network = model
        self._settings = settings
        self._letterbox = Letterbox(settings.multiple)
        self._decode = Decoder(settings)
        self.timings = Timings()

    def __call__(self, picture: NDArray[np.uint8]) -> Detections:
        """Find objects in a picture, scaled so that its longest side is the input size.

        Args:
            picture: (H, W, 3) uint8, BGR.

        Raises:
            FrameError: The picture has another type or number of channels.
            ModelError: The network's output is not finite, or does not fit its settings.
        """
        check_frame(picture, "picture")
        self.timings.pictures += 1
        return self._detect(picture, self._settings.input_size)

    def detect_tiles(self, picture: NDArray[np.uint8], tile: int, overlap: float) -> Detections:
        """Find small objects in a large picture, which is cut into tiles and not scaled.

        Objects larger than the overlap of two tiles may be found in parts.

        Args:
            picture: (H, W, 3) uint8, BGR.
            tile: Side of a tile, pixels; each is one input of the network.
            overlap: Least part that neighbouring tiles share, in 0..0.9.

        Raises:
            FrameError: The picture has another type or number of channels.
            UsageError: The tile's side or the overlap is out of range.
            ModelError: The network's output is not finite, or does not fit its settings.
        """
        check_frame(picture, "picture")
        places = tile_places(picture.shape[:2], tile, overlap)
        found = [
            self._detect(picture[top : top + tile, left : left + tile], None)
            for left, top in places
        ]
        self.timings.pictures += 1
        started = perf_counter()
        joined = join_tiles(found, places, tile, picture.shape[:2], self._settings)
        self.timings.post += perf_counter() - started
        return joined

    def _detect(self, picture: NDArray[np.uint8], longest: int | None) -> Detections:
        started = perf_counter()
        image, placement = self._letterbox(picture, longest)
        boxed = perf_counter()
        head = self._network.run(image)
        computed = perf_counter()
        found = self._decode(head, placement)
        self.timings.letterbox += boxed - started
        self.timings.network += computed - boxed
        self.timings.post += perf_counter() - computed
        return found


def _check_options(score_threshold: float | None, input_size: int | None) -> None:
    if score_threshold is not None and not 0 <= score_threshold <= 1:
        raise UsageError(f"score threshold {score_threshold:g}: expected 0 to 1")
    if input_size is not None and not 1 <= input_size <= MAX_SIDE:
        raise UsageError(f"input size {input_size}: expected 1 to {MAX_SIDE} pixels")
