"""Faces with landmarks as training pictures of a face detector."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from binvision.errors import DataError

__all__ = ["FaceArchive", "head_box", "read_faces"]

_POINTS = 68


@dataclass
class FaceArchive:
    """Pictures of one face each.

    Attributes:
        codes: Encoded pictures.
        landmarks: (N, 68, 2) float32 x, y in pixels, counted from 0.
    """

    codes: list[NDArray[np.uint8]]
    landmarks: NDArray[np.float32]
    _boxes: NDArray[np.float32] = field(init=False)
    _images: dict[int, NDArray[np.uint8]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._boxes = np.stack([head_box(points) for points in self.landmarks])

    def draw(self, rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return a random picture (H, W, 3) and its box (1, 4); it stays decoded in memory."""
        index = int(rng.integers(len(self.codes)))
        if index not in self._images:
            image = cv2.imdecode(self.codes[index], cv2.IMREAD_COLOR)
            if image is None:
                raise DataError(f"face picture {index} cannot be decoded; the data are damaged")
            self._images[index] = image
        return self._images[index], self._boxes[index : index + 1].copy()


def head_box(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Box x, y, w, h of the head from its 68 landmarks.

    Landmarks end at the brows, marks of whole faces at the hair: from chin to brow is some .73 of
    a face's height. Measured as the median over the frontal faces of FDDB's ellipses.
    """
    low, high = points.min(0), points.max(0)
    width, height = high - low
    top = low[1] - 0.30 * height
    return np.array([low[0] - 0.02 * width, top, 1.04 * width, high[1] - top], np.float32)


def read_faces(path: Path) -> FaceArchive:
    """Read an archive (``.npz`` with ``jpeg``, ``offsets``, ``landmarks``) or a folder of ``.pts``.

    Raises:
        DataError: It is neither, or damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    try:
        with np.load(path) as content:
            code, offsets = content["jpeg"], content["offsets"]
            landmarks = content["landmarks"].astype(np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: not a face archive with arrays 'jpeg', 'offsets', 'landmarks' ({error})"
        ) from error
    codes = [code[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]
    if landmarks.shape != (len(codes), _POINTS, 2):
        raise DataError(f"{path}: {len(codes)} pictures, but landmarks {landmarks.shape}")
    return FaceArchive(codes, landmarks)


def _read_folder(folder: Path) -> FaceArchive:
    """Pictures with ``.pts`` files of the same name (300-W; points counted from 1)."""
    codes, landmarks = [], []
    for pts in sorted(folder.glob("*.pts")):
        pictures = [p for p in pts.parent.glob(f"{pts.stem}.*") if p.suffix != ".pts"]
        text = pts.read_text(encoding="ascii", errors="replace")
        try:
            numbers = text[text.index("{") + 1 : text.index("}")].split()
            points = np.array(numbers, np.float32).reshape(_POINTS, 2) - 1
        except ValueError as error:
            raise DataError(f"{pts}: not {_POINTS} points between braces ({error})") from error
        if not pictures:
            raise DataError(f"{pts}: no picture of the same name beside it")
        codes.append(np.fromfile(pictures[0], np.uint8))
        landmarks.append(points)
    if not codes:
        raise DataError(f"{folder}: no .pts file; pass a folder of pictures with points")
    return FaceArchive(codes, np.stack(landmarks))
