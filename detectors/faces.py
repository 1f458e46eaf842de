"""Faces with landmarks as training pictures of a face detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.media.archives import DecodedPictures, read_archive
from binvision.media.images import list_images

__all__ = ["FaceArchive", "head_box", "read_faces"]

_POINTS = 68
_MEMORY = 1024**3  # bytes of decoded pictures that are kept


class FaceArchive:
    """Pictures of one face each.

    Args:
        codes: Encoded pictures.
        landmarks: (N, 68, 2) float32 x, y in pixels, counted from 0.
    """

    def __init__(self, codes: list[NDArray[np.uint8]], landmarks: NDArray[np.float32]) -> None:
        self._codes = codes
        self._boxes = np.stack([head_box(points) for points in landmarks])
        self._decoded = DecodedPictures(_MEMORY)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._codes)

    def draw(self, rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return a random picture (H, W, 3), not to be written to, and its box (1, 4)."""
        index = int(rng.integers(len(self)))
        image = self._decoded.get(index, lambda: self._decode(index))
        return image, self._boxes[index : index + 1].copy()

    def _decode(self, index: int) -> NDArray[np.uint8]:
        # Points are counted in pixels as they are stored.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(self._codes[index], flags)
        if image is None:
            raise DataError(f"face picture {index} cannot be decoded; the data are damaged")
        return image


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
        DataError: It is neither, or damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    codes, further = read_archive(path, "face archive", required=("landmarks",))
    landmarks = further["landmarks"]
    if landmarks.shape != (len(codes), _POINTS, 2) or landmarks.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: {len(codes)} pictures, but landmarks {landmarks.shape} of "
            f"{landmarks.dtype}; expected ({len(codes)}, {_POINTS}, 2) numbers"
        )
    landmarks = landmarks.astype(np.float32)
    _check_points(landmarks, [f"{path}: face {index}" for index in range(len(codes))])
    return FaceArchive(codes, landmarks)


def _read_folder(folder: Path) -> FaceArchive:
    """Pictures with ``.pts`` files of the same name (300-W; points counted from 1)."""
    pictures = {path.stem: path for path in sorted(list_images(folder), reverse=True)}
    paths = sorted(folder.glob("*.pts"))
    if not paths:
        raise DataError(f"{folder}: no .pts file; pass a folder of pictures with points")
    codes, landmarks = [], []
    for path in paths:
        text = path.read_text(encoding="ascii", errors="replace")
        try:
            numbers = text[text.index("{") + 1 : text.index("}")].split()
            points = np.array(numbers, np.float32).reshape(_POINTS, 2) - 1
        except ValueError as error:
            raise DataError(f"{path}: not {_POINTS} points between braces ({error})") from error
        if path.stem not in pictures:
            raise DataError(f"{path}: no picture of the same name beside it")
        code = np.fromfile(pictures[path.stem], np.uint8)
        if not code.size:
            raise DataError(f"{pictures[path.stem]}: is empty (0 bytes), expected an image")
        codes.append(code)
        landmarks.append(points)
    stacked = np.stack(landmarks)
    _check_points(stacked, list(map(str, paths)))
    return FaceArchive(codes, stacked)


def _check_points(landmarks: NDArray[np.float32], names: list[str]) -> None:
    """Make sure that the points of every face span a box."""
    extent = landmarks.max(1) - landmarks.min(1)
    flawed = ~(np.isfinite(landmarks).all((1, 2)) & (extent > 0).all(1))
    if flawed.any():
        raise DataError(f"{names[int(flawed.argmax())]}: its points are no finite area; remove it")
