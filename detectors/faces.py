"""Faces with landmarks as training pictures of a face detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.annotations import PointPicture, read_point_set
from binvision.media.archives import DecodedPictures

__all__ = ["FaceArchive", "head_box", "read_faces"]

_POINTS = 68
_MEMORY = 1024**3  # bytes of decoded pictures that are kept


class FaceArchive:
    """Pictures of one face each.

    Args:
        pictures: With 68 points.
    """

    def __init__(self, pictures: Sequence[PointPicture]) -> None:
        self._pictures = pictures
        self._boxes = np.stack([head_box(picture.points) for picture in pictures])
        self._decoded = DecodedPictures(_MEMORY)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._pictures)

    def draw(self, rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return a random picture (H, W, 3), not to be written to, and its box (1, 4)."""
        index = int(rng.integers(len(self)))
        image = self._decoded.get(index, self._pictures[index].read)
        return image, self._boxes[index : index + 1].copy()


def head_box(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Box x, y, w, h of the head from its 68 landmarks.

    Landmarks end at the brows, boxes of faces near the hair: .3 of the height from chin to brow is
    added above, for a forehead, and .02 of the width at each side. It is a choice, made without
    pictures that have both landmarks and boxes.
    """
    low, high = points.min(0), points.max(0)
    width, height = high - low
    top = low[1] - 0.30 * height
    return np.array([low[0] - 0.02 * width, top, 1.04 * width, high[1] - top], np.float32)


def read_faces(path: Path) -> FaceArchive:
    """Read an archive (``.npz`` with ``jpeg``, ``offsets``, ``landmarks``) or a folder of ``.pts``.

    Raises:
        DataError: It is neither, or damaged, or a picture of it cannot be used.
    """
    data = read_point_set(path)
    if len(data.scheme.points) != _POINTS:
        raise DataError(f"{path}: {len(data.scheme.points)} points a face; expected {_POINTS}")
    if data.problems:
        raise DataError(data.problems[0])
    return FaceArchive(data.pictures)
