"""The points of one subject whose box is known: crop, network, decoding.

estimator = PointEstimator("hpm-face68")
found = estimator(picture, box_xywh)  # found.points, found.confidences, found.score

All subjects of a picture may be asked for in turn; memory is used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from binvision.errors import BoxError, UsageError
from binvision.landmarks.crop import (
    Matrix,
    crop_matrix,
    crop_of_box,
    points_box,
    take_crop,
    to_picture,
    whole_square,
)
from binvision.landmarks.decoding import Decoder
from binvision.landmarks.network import Network, PackedNetwork
from binvision.landmarks.schemes import SCHEMES
from binvision.landmarks.shape import ShapeCorrection
from binvision.landmarks.timings import StageTimings
from binvision.media.boxes import BoxXYWH
from binvision.media.images import check_frame

__all__ = ["PointEstimator", "Points"]

_LEAST_SIDE = 1.0  # of a box, pixels
_FARTHEST = 1e6  # of a box's edges from the picture's origin, pixels


@dataclass(frozen=True, eq=False)
class Points:
    """Points of one subject.

    Attributes:
        points: (P, 2) float32, x, y in pixels of the picture, counted from 0; they may lie
            outside it.
        confidences: (P,) float32, 0..1.
    """

    points: NDArray[np.float32]
    confidences: NDArray[np.float32]

    @property
    def score(self) -> float:
        """Mean confidence of the points."""
        return float(self.confidences.mean())


class PointEstimator:
    """Finds the points of subjects whose boxes are known.

    Attributes:
        name: Name of the model.
        settings: The network's.
        scheme: The convention of its points.
        timings: Time spent, by stage.
    """

    def __init__(
        self, model: str | Path | Network, *, threads: int = 1, mirror: bool = False
    ) -> None:
        """Load a model, or take a network that several estimators share.

        Args:
            model: Name of a model of the zoo, path of a packed model, or a Network.
            threads: Threads that the network may use; a Network has its own.
            mirror: Average with the points of the mirrored crop: steadier, at twice the time.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
            UsageError: Its points have no mirror images.
        """
        if isinstance(model, (str, Path)):
            model = PackedNetwork(model, threads=threads)
        self.name, self.settings = model.name, model.settings
        self.scheme = SCHEMES[model.settings.scheme]
        if mirror and not self.scheme.mirror:
            raise UsageError(
                f"model {model.name}: the mirror images of its points ({self.scheme.name}) are "
                f"not known; leave mirroring out"
            )
        self._network, self._mirror = model, mirror
        self._shape: ShapeCorrection | None = getattr(model, "shape", None)
        self._image = np.empty((1, *[self.settings.input_size] * 2, 3), np.uint8)
        self._decode = Decoder(self.settings.stride)
        # Compiles or loads the kernel now, so that no picture waits for it.
        cells = self.settings.input_size // self.settings.stride
        self._decode(np.zeros((cells, cells, len(self.scheme.points)), np.float32))
        self.timings = StageTimings()

    def __call__(self, picture: NDArray[np.uint8], box_xywh: Sequence[float]) -> Points:
        """Find the points of one subject.

        Args:
            picture: (H, W, 3) uint8, BGR.
            box_xywh: Tight box of its points, as well as it is known.

        Raises:
            FrameError: The picture has another type or number of channels.
            BoxError: The box is not finite, has no area, or is far outside the picture.
            ModelError: The network's output is not finite.
        """
        check_frame(picture, "picture")
        _check_box(box_xywh)
        size = self.settings.input_size
        centre, side = whole_square(*crop_of_box(box_xywh, self.settings.crop), size)
        found = self.points_of_crop(picture, crop_matrix(centre, side, size))
        if not self._mirror:
            return found
        mirrored = self.points_of_crop(picture, crop_matrix(centre, side, size, mirror=True))
        images = list(self.scheme.mirror)
        return Points(
            (found.points + mirrored.points[images]) * np.float32(0.5),
            (found.confidences + mirrored.confidences[images]) * np.float32(0.5),
        )

    def box_in(self, detected_xywh: Sequence[float]) -> BoxXYWH:
        """Where the points' box should be in a box of the detector that the model names."""
        return points_box(detected_xywh, self.settings.detector_box)

    def points_of_crop(self, picture: NDArray[np.uint8], matrix: Matrix) -> Points:
        """Find the points in a crop whose place is known.

        Args:
            picture: (H, W, 3) uint8, BGR.
            matrix: (2, 3) from picture to crop; where it mirrors, the points are those of the
                mirrored subject, at their places in the picture.

        Raises:
            ModelError: The network's output is not finite, or its points are corrected beyond all
                bounds.
        """
        started = perf_counter()
        take_crop(picture, matrix, self.settings.input_size, out=self._image[0])
        cut = perf_counter()
        maps = self._network.run(self._image)
        computed = perf_counter()
        points, confidences = self._decode(maps)
        if self._shape is not None:
            points = self._shape(points)
        found = Points(to_picture(points, matrix), confidences)
        self.timings.crop += cut - started
        self.timings.network += computed - cut
        self.timings.post += perf_counter() - computed
        self.timings.crops += 1
        return found


def _check_box(box_xywh: Sequence[float]) -> None:
    values = np.asarray(box_xywh, np.float64)
    if values.shape != (4,) or not (np.abs(values) <= _FARTHEST).all():
        raise BoxError(
            f"box {box_xywh}: expected four finite numbers x, y, width, height in pixels, "
            f"at most {_FARTHEST:.0e}"
        )
    if values[2:].min() < 0 or values[2:].max() < _LEAST_SIDE:
        raise BoxError(
            f"box {box_xywh}: has no area; expected a longer side of {_LEAST_SIDE:g} pixel or more"
        )
