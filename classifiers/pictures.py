"""Labelled pictures of one size, as an archive keeps them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.media.archives import read_archive

__all__ = ["LabelledPictures", "Split", "read_classes", "read_pictures"]

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures and what they show.

    Attributes:
        images: (N, S, S, 3) uint8, BGR.
        labels: (N,) int64, numbers of classes.
        classes: Names of the classes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the names of an archive's classes; nothing is decoded.

    Raises:
        DataError: The file is missing or damaged.
    """
    _, arrays = read_archive(path, "labelled picture archive", ["classes"], prefix="train_")
    return tuple(str(name) for name in arrays["classes"])


@functools.lru_cache(maxsize=2)
def read_pictures(path: Path, split: Split) -> LabelledPictures:
    """Read and decode an archive once in a process.

    Args:
        path: An ``.npz`` with ``SPLIT_jpeg`` (bytes of all pictures), ``SPLIT_offsets`` (N + 1),
            ``SPLIT_labels`` (N) and ``classes`` (names).
        split: Which part.

    Raises:
        DataError: The file is missing or damaged, or its pictures differ in size.
    """
    codes, arrays = read_archive(
        path, "labelled picture archive", [f"{split}_labels", "classes"], prefix=f"{split}_"
    )
    labels = arrays[f"{split}_labels"].astype(np.int64)
    classes = tuple(str(name) for name in arrays["classes"])
    if labels.shape != (len(codes),) or labels.min() < 0 or labels.max() >= len(classes):
        raise DataError(
            f"{path}: '{split}_labels' must hold a number below {len(classes)} for each of "
            f"{len(codes)} pictures"
        )
    decoded = [cv2.imdecode(code, cv2.IMREAD_COLOR) for code in codes]
    sizes = {None if image is None else image.shape for image in decoded}
    if len(sizes) > 1 or None in sizes or len({*decoded[0].shape[:2]}) > 1:
        raise DataError(f"{path}: its pictures must be squares of one size, and undamaged")
    return LabelledPictures(np.stack(decoded), labels, classes)
