"""Points in COCO's JSON: ``keypoints`` x, y, v of each annotation; v is 0 for a missing point.

Reference:
    https://cocodataset.org/#format-data, keypoint detection.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.formats.coco import read_coco_document, usual_folders
from binvision.detectors.formats.written import find_picture
from binvision.errors import DataError
from binvision.landmarks.formats.points import (
    SET_BOX,
    PointPicture,
    PointSet,
    checked_set,
    scheme_of_size,
)
from binvision.landmarks.schemes import Scheme
from binvision.media.images import read_image

__all__ = ["read_coco_points"]

_HIDDEN, _VISIBLE = 1, 2  # values of v


def read_coco_points(
    path: Path, images: Path | None = None, *, lone_points: bool = False
) -> PointSet:
    """Read a COCO keypoint JSON.

    Subjects without a labelled point and crowds are not asked for. Where no point of the file has
    the flag 2, those with 1 count as visible: such files tell labelled points from missing ones.

    Args:
        path: The file.
        images: Folder of the pictures; None looks where they usually lie: in a folder of the
            file's name, in ``images``, or beside the file.
        lone_points: Keep subjects whose labelled points span no area, down to a single point.

    Raises:
        DataError: The file is damaged, its points are of no known kind, or none can be used.
    """
    document = read_coco_document(path)
    rows = [
        row
        for row in document["annotations"]
        if not row.get("iscrowd") and any(row.get("keypoints") or ())
    ]
    scheme, order = _scheme(rows, document["categories"], path)
    folders = [images] if images else usual_folders(path)
    files = {row.get("id"): str(row.get("file_name", "")) for row in document["images"]}
    on_picture = Counter(row.get("image_id") for row in rows)
    found: dict[str, Path | None] = {}
    arrays = [_array(row.get("keypoints"), len(scheme.points)) for row in rows]
    has_visible = any((array[:, 2] == _VISIBLE).any() for array in arrays if array is not None)
    pictures, problems = [], []
    for index, (row, array) in enumerate(zip(rows, arrays, strict=True)):
        number, identifier = row.get("image_id"), row.get("id", index)
        file = files.get(number, "")
        if file not in found:
            found[file] = find_picture(file, folders) if file else None
        picture = found[file]
        if picture is None:
            problems.append(f"{path.name}: no picture {file or number}; --images names its folder")
            continue
        if array is None:
            problems.append(
                f"{path.name}: {file}: keypoints of annotation {identifier} are not "
                f"{len(scheme.points)} times x, y, v; it is left out"
            )
            continue
        flags = array[order, 2]
        points = np.where(flags[:, None] > 0, array[order, :2], np.nan).astype(np.float32)
        pictures.append(
            PointPicture(
                name=file if on_picture[number] == 1 else f"{file}#{identifier}",
                points=points,
                visible=flags >= (_VISIBLE if has_visible else _HIDDEN),
                read=partial(read_image, picture),
                box_xywh=_box(row.get("bbox")),
                lengths=_lengths(row),
                picture_id=number,
            )
        )
    return checked_set(path, scheme, pictures, problems, lone_points=lone_points)


def _scheme(
    rows: list[dict[str, Any]], categories: list[dict[str, Any]], path: Path
) -> tuple[Scheme, list[int]]:
    """Scheme by the number of points; where the file names them, also their order."""
    if not rows:
        raise DataError(f"{path}: no annotation has keypoints; expected COCO's keypoint JSON")
    lengths = Counter(len(row["keypoints"]) for row in rows if isinstance(row["keypoints"], list))
    (most, _), *_ = lengths.most_common(1) or [(0, 0)]
    scheme = scheme_of_size(most // 3, str(path))
    names = [str(name) for name in (categories[0].get("keypoints") or ())] if categories else []
    if not names or names == list(scheme.points):
        return scheme, list(range(len(scheme.points)))
    if sorted(names) != sorted(scheme.points):
        odd = ", ".join(sorted(set(names) ^ set(scheme.points))[:4])
        raise DataError(
            f"{path}: its {len(names)} keypoints are not those of {scheme.name}: {odd}; name "
            f"them as that scheme does: {', '.join(scheme.points)}"
        )
    return scheme, [names.index(name) for name in scheme.points]


def _array(value: object, count: int) -> NDArray[np.float64] | None:
    """Keypoints as (count, 3), or None."""
    try:
        array = np.array(value, np.float64).reshape(count, 3)
    except (ValueError, TypeError):
        return None
    return array if np.isfinite(array).all() else None


def _lengths(row: dict[str, Any]) -> dict[str, float]:
    """What copies of AFLW in this format give to divide errors by."""
    size = row.get("box_size")
    return {SET_BOX: float(size)} if isinstance(size, int | float) else {}


def _box(value: object) -> NDArray[np.float32] | None:
    try:
        box = np.array(value, np.float32).reshape(4)
    except (ValueError, TypeError):
        return None
    return box if np.isfinite(box).all() and (box[2:] > 0).all() else None
