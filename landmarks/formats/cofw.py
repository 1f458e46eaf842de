"""COFW: 29 points of faces of which much is hidden, in a MATLAB 7.3 (HDF5) file.

Reference:
    X. P. Burgos-Artizzu et al.: Robust face landmark estimation under occlusion, ICCV 2013.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.formats.mat_files import find_file
from binvision.landmarks.formats.points import PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme

__all__ = ["read_cofw_test"]


def read_cofw_test(root: Path) -> PointSet:
    """Read the 507 test faces, counted from 1 there; hidden points are not visible.

    Args:
        root: Folder with ``COFW_test_color.mat``, or that file.

    Raises:
        DataError: The file is missing or damaged, or no face can be used.
        ImportError: h5py is not installed.
    """
    import h5py

    scheme = find_scheme("face29")
    count = len(scheme.points)
    path = find_file(root, "COFW_test_color.mat", "COFW_color/COFW_test_color.mat")
    try:
        with h5py.File(path, "r") as content:
            # HDF5 has MATLAB's axes in reverse: a column here is a face.
            shapes = np.array(content["phisT"], np.float64).T
            boxes = np.array(content["bboxesT"], np.float64).T
            total = content["IsT"].size
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path}: not COFW's file with IsT, phisT and bboxesT ({error}); fetch it again"
        ) from error
    if shapes.shape != (total, 3 * count) or boxes.shape != (total, 4):
        raise DataError(
            f"{path}: {total} pictures, but phisT {shapes.shape} and bboxesT {boxes.shape}; "
            f"expected {3 * count} and 4 numbers of each"
        )
    pictures = [
        PointPicture(
            name=f"{index + 1:06d}",
            points=(shape[: 2 * count].reshape(2, count).T - 1).astype(np.float32),
            visible=shape[2 * count :] == 0,
            read=partial(_read_picture, path, index),
            box_xywh=(box - (1, 1, 0, 0)).astype(np.float32),
        )
        for index, (shape, box) in enumerate(zip(shapes, boxes, strict=True))
    ]
    return checked_set(path, scheme, pictures, name="all points")


def _read_picture(path: Path, index: int) -> NDArray[np.uint8]:
    """Picture of a face, (H, W, 3) BGR; some are grey in the file."""
    import h5py

    try:
        with h5py.File(path, "r") as content:
            reference = np.ravel(content["IsT"])[index]
            pixels = np.array(content[reference], np.uint8).T
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: picture {index + 1} cannot be read ({error})") from error
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, 2)
    return np.ascontiguousarray(pixels[..., ::-1])
