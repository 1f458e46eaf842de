"""WFLW: 98 points, and what makes each face hard, in a list with a line a face.

Reference:
    W. Wu et al.: Look at Boundary: A Boundary-Aware Face Alignment Algorithm, CVPR 2018.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from binvision.detectors.formats.written import find_picture, read_text
from binvision.landmarks.formats.mat_files import find_file
from binvision.landmarks.formats.points import PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme
from binvision.media.images import read_image

__all__ = ["ATTRIBUTES", "read_wflw_test"]

# Subsets, in the order of the list's columns.
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")

_LIST = "list_98pt_rect_attr_test.txt"
_FOLDER = "list_98pt_rect_attr_train_test"


def read_wflw_test(root: Path) -> PointSet:
    """Read the 2,500 test faces.

    Each line has x and y of 98 points, left, top, right and bottom of a box, a 0 or 1 for each of
    `ATTRIBUTES`, and the picture's file.

    Args:
        root: Folder with ``WFLW_annotations`` and ``WFLW_images``, or the list for testing itself.

    Raises:
        DataError: The list is missing, or no face can be used.
    """
    scheme = find_scheme("face98")
    count = len(scheme.points)
    path = find_file(root, f"WFLW_annotations/{_FOLDER}/{_LIST}", f"{_FOLDER}/{_LIST}", _LIST)
    above = [path.parent, *path.parents[1:3], root]
    folders = [folder / "WFLW_images" for folder in above] + above
    pictures, problems = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            numbers = np.array(words[: 2 * count + 4 + len(ATTRIBUTES)], np.float64)
            points = numbers[: 2 * count].reshape(count, 2)
            left, top, right, bottom = numbers[2 * count : 2 * count + 4]
            (file,) = words[len(numbers) :]
        except ValueError:
            problems.append(
                f"{path.name}, line {number}: expected {2 * count + 4 + len(ATTRIBUTES)} numbers "
                f"and a file, found {len(words)} words"
            )
            continue
        picture = find_picture(file, folders)
        if picture is None:
            problems.append(f"{path.name}, line {number}: no picture {file} in WFLW_images")
            continue
        flags = numbers[2 * count + 4 :] > 0
        pictures.append(
            PointPicture(
                name=f"{file}#{number}",
                points=points.astype(np.float32),
                visible=np.ones(count, bool),
                read=partial(read_image, picture),
                box_xywh=np.array([left, top, right - left, bottom - top], np.float32),
                subset=",".join(n for n, flag in zip(ATTRIBUTES, flags, strict=True) if flag),
            )
        )
    return checked_set(path, scheme, pictures, problems, name="all")
