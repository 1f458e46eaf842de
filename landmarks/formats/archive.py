"""Archives (``.npz``) of face pictures with 68 points each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.formats.points import PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme
from binvision.media.archives import read_archive

__all__ = ["read_face_archive"]

_SCHEME = "face68"


def read_face_archive(path: Path) -> PointSet:
    """Read an archive whose ``landmarks`` are (N, 68, 2), counted from 0; ``names`` are optional.

    Raises:
        DataError: It is missing or damaged.
    """
    scheme = find_scheme(_SCHEME)
    codes, further = read_archive(path, "face archive", ("landmarks",), ("names",))
    landmarks = further["landmarks"]
    expected = (len(codes), len(scheme.points), 2)
    if landmarks.shape != expected or landmarks.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: {len(codes)} pictures, but landmarks {landmarks.shape} of "
            f"{landmarks.dtype}; expected {expected} numbers"
        )
    names = [str(name) for name in further.get("names", range(len(codes)))]
    if len(set(names)) != len(codes):
        names = [str(index) for index in range(len(codes))]
    pictures = [
        PointPicture(
            name=name,
            points=points,
            visible=np.ones(len(points), bool),
            read=partial(_decode, code, f"{path}: face picture {name}"),
        )
        for name, points, code in zip(names, landmarks.astype(np.float32), codes, strict=True)
    ]
    return checked_set(path, scheme, pictures)


def _decode(code: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    # Points are counted in pixels as they are stored.
    image = cv2.imdecode(code, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise DataError(f"{where} cannot be decoded; the data are damaged")
    return image
