"""Pictures with points for training and evaluation, read from the usual formats and checked.

What cannot be used is left out and named in ``PointSet.problems``, a line each; a set of which
nothing is left is an error.
"""

from __future__ import annotations

from pathlib import Path

from binvision.errors import DataError
from binvision.landmarks.formats.archive import read_face_archive
from binvision.landmarks.formats.coco_points import read_coco_points
from binvision.landmarks.formats.points import PointPicture, PointSet
from binvision.landmarks.formats.points_files import read_points_folder

__all__ = ["PointPicture", "PointSet", "read_point_set"]


def read_point_set(path: str | Path, images: str | Path | None = None) -> PointSet:
    """Read a folder of ``.pts``, an archive of faces or a COCO keypoint JSON, whichever it is.

    Args:
        path: Folder of pictures with ``.pts`` files (300-W), below it too; an archive (``.npz``)
            of pictures with 68 points; or a ``.json`` whose annotations have ``keypoints``.
        images: Folder of the pictures of a JSON; None looks where they usually lie.

    Raises:
        DataError: It is none of these, it is damaged, or no picture can be used.
    """
    path = Path(path)
    if images is not None and not Path(images).is_dir():
        raise DataError(f"{images}: no such folder of pictures")
    if path.is_dir():
        return read_points_folder(path)
    if path.suffix.lower() == ".json":
        return read_coco_points(path, Path(images) if images is not None else None)
    return read_face_archive(path)
