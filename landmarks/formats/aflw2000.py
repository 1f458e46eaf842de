"""AFLW2000-3D: 68 points, the hidden ones too, with a ``.mat`` for each picture.

Reference:
    X. Zhu et al.: Face Alignment Across Large Poses: A 3D Solution, CVPR 2016.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from binvision.errors import DataError
from binvision.landmarks.formats.mat_files import read_mat
from binvision.landmarks.formats.points import PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme
from binvision.media.images import list_images, natural_key, read_image

__all__ = ["YAWS", "read_aflw2000"]

YAWS = ("yaw 0-30", "yaw 30-60", "yaw 60-90")  # subsets
_STEP_DEGREES = 30
_YAW = 1  # place in Pose_Para: pitch, yaw, roll in radians, then shift and scale


def read_aflw2000(root: Path) -> PointSet:
    """Read all faces; their subsets are those of `YAWS`, by the absolute yaw.

    ``pt3d_68`` is counted from 1, as MATLAB does; depth is left out.

    Args:
        root: Folder of ``image00002.jpg``, ``image00002.mat`` and on.

    Raises:
        DataError: There are no such files, or none that can be used.
        ImportError: scipy is not installed.
    """
    scheme = find_scheme("face68")
    files = sorted(list_images(root), key=natural_key) if root.is_dir() else []
    files = [file for file in files if file.with_suffix(".mat").is_file()]
    if not files:
        raise DataError(f"{root}: no picture with a .mat of the same name; ROOT is AFLW2000's")
    pictures, problems = [], []
    for file in files:
        path = file.with_suffix(".mat")
        try:
            places, pose = read_mat(path, "pt3d_68", "Pose_Para")
            points = np.asarray(places, np.float64)[:2].T - 1
            yaw = abs(float(np.degrees(np.ravel(pose)[_YAW])))
            if points.shape != (len(scheme.points), 2):
                raise DataError(f"{path}: pt3d_68 has the shape {np.shape(places)}")
        except (ValueError, TypeError, IndexError, DataError) as error:
            problems.append(str(error) if isinstance(error, DataError) else f"{path}: {error}")
            continue
        pictures.append(
            PointPicture(
                name=file.name,
                points=points.astype(np.float32),
                visible=np.ones(len(points), bool),
                read=partial(read_image, file),
                subset=YAWS[min(int(np.ceil(yaw / _STEP_DEGREES)) - 1, 2) if yaw else 0],
            )
        )
    return checked_set(root, scheme, pictures, problems, name="all")
