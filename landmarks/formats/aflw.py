"""AFLW: 19 points with the split of Zhu et al., and the 34 points of Jourabloo & Liu (PIFA).

References:
    M. Koestinger et al.: Annotated Facial Landmarks in the Wild, ICCV Workshops 2011.
    S. Zhu et al.: Unconstrained Face Alignment via Cascaded Compositional Learning, CVPR 2016.
    A. Jourabloo, X. Liu: Pose-Invariant 3D Face Alignment, ICCV 2015.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.formats.written import find_picture
from binvision.errors import DataError
from binvision.landmarks.formats.mat_files import find_file, read_mat, rows_of
from binvision.landmarks.formats.points import SET_BOX, PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme
from binvision.media.images import read_image

__all__ = ["FRONTAL", "read_aflw_pifa_test", "read_aflw_test"]

FRONTAL = "frontal"

_INFO = "AFLWinfo_release.mat"
_TRAINING = 20_000  # subjects at the front of the list ``ra``; the other 4,386 are for testing


def read_aflw_test(root: Path) -> PointSet:
    """Read the 4,386 test faces of AFLW with 19 points; those with all of them visible are frontal.

    All 19 points have places, hidden ones too, and count. The length is the square root of the
    area of the set's box.

    Args:
        root: Folder with ``AFLWinfo_release.mat`` and the pictures below ``data/flickr``.

    Raises:
        DataError: The file is missing or damaged, or no face can be used.
        ImportError: scipy is not installed.
    """
    scheme = find_scheme("face19")
    count = len(scheme.points)
    path = find_file(root, _INFO, f"data/{_INFO}", f"aflw/{_INFO}")
    names, data, masks, boxes, order = read_mat(path, "nameList", "data", "mask_new", "bbox", "ra")
    places = rows_of(data, 2 * count, f"{path}: data").reshape(-1, 2, count).transpose(0, 2, 1)
    visible = rows_of(masks, count, f"{path}: mask_new") > 0
    sides = rows_of(boxes, 4, f"{path}: bbox")  # left, right, top, bottom
    test = np.ravel(order).astype(np.int64)[_TRAINING:] - 1
    if not len(places) == len(visible) == len(sides) == np.size(names):
        raise DataError(f"{path}: its lists differ in length; fetch it again")
    if not len(test) or test.min() < 0 or test.max() >= len(places):
        raise DataError(f"{path}: ra does not name the faces for testing; fetch it again")
    below = ("data/flickr", "flickr", "images", ".")
    folders = [folder / name for name in below for folder in (path.parent, root)]
    pictures, problems = [], []
    for index in test.tolist():
        name = str(np.ravel(np.ravel(names)[index])[0])
        file = find_picture(name, folders, stem=name.rpartition(".")[0])
        if file is None:
            problems.append(f"{path.name}: no picture {name} below {path.parent}")
            continue
        left, right, top, bottom = sides[index].tolist()
        pictures.append(
            PointPicture(
                name=f"{name}#{index + 1}",
                points=places[index].astype(np.float32),
                visible=visible[index],
                read=partial(read_image, file),
                box_xywh=np.array([left, top, right - left, bottom - top], np.float32),
                lengths=_length_of_box(right - left, bottom - top),
                subset=FRONTAL if visible[index].all() else "",
            )
        )
    return checked_set(path, scheme, pictures, problems, name="full")


def read_aflw_pifa_test(root: Path) -> PointSet:
    """Read the 1,299 test faces of AFLW-PIFA with 34 points, counted from 1 there.

    Args:
        root: Folder with ``Landmark.mat``, ``BoundingBox.mat`` and ``TestImages/1.jpg`` and on.

    Raises:
        DataError: A file is missing or damaged, or no face can be used.
        ImportError: scipy is not installed.
    """
    scheme = find_scheme("face34")
    count = len(scheme.points)
    path = find_file(root, "Landmark.mat")
    (shapes,) = read_mat(path, "phisT")
    (boxes,) = read_mat(find_file(path.parent, "BoundingBox.mat"), "bboxesT")
    rows = rows_of(shapes, 3 * count, f"{path}: phisT")
    sides = rows_of(boxes, 4, f"{path.parent / 'BoundingBox.mat'}: bboxesT")
    if len(sides) != len(rows):
        raise DataError(f"{path}: {len(rows)} faces, but {len(sides)} boxes; fetch both again")
    flags = rows[:, 2 * count :] > 0
    # Whatever the pose, more points of a face are seen than hidden: this tells what 1 stands for.
    visible = flags if flags.mean() >= 0.5 else ~flags
    pictures, problems = [], []
    for index, row in enumerate(rows):
        file = path.parent / "TestImages" / f"{index + 1}.jpg"
        if not file.is_file():
            problems.append(f"{path.name}: no picture {file}")
            continue
        x, y, w, h = sides[index].tolist()
        pictures.append(
            PointPicture(
                name=file.name,
                points=(_places(row, count) - 1).astype(np.float32),
                visible=visible[index],
                read=partial(read_image, file),
                box_xywh=np.array([x - 1, y - 1, w, h], np.float32),
                lengths=_length_of_box(w, h),
            )
        )
    return checked_set(path, scheme, pictures, problems, name="all points")


def _places(row: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Points (count, 2) from all x, then all y."""
    return row[: 2 * count].reshape(2, count).T


def _length_of_box(width: float, height: float) -> dict[str, float]:
    return {SET_BOX: float(np.sqrt(max(width, 0) * max(height, 0)))}
