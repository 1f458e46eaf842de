"""Folders of pictures with ``.pts`` files of the same name beside them, as 300-W has them.

Reference:
    C. Sagonas et al., "300 Faces In-The-Wild Challenge: database and results", Image and Vision
    Computing 47, 2016.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.landmarks.formats.points import PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import find_scheme
from binvision.media.images import list_images, natural_key, read_image

__all__ = ["read_points_file", "read_points_folder"]

_SCHEME = "face68"


def read_points_file(path: Path) -> NDArray[np.float32]:
    """Read a ``.pts`` file: 68 points between braces, counted from 1 there and from 0 here.

    Returns:
        (68, 2) float32, x and y in pixels.

    Raises:
        DataError: It cannot be read or holds something else.
    """
    count = len(find_scheme(_SCHEME).points)
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        numbers = text[text.index("{") + 1 : text.index("}")].split()
        return np.array(numbers, np.float32).reshape(count, 2) - 1
    except OSError as error:
        raise DataError(f"{path}: points cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{path}: not {count} points between braces ({error})") from error


def read_points_folder(folder: Path) -> PointSet:
    """Read all ``.pts`` files in a folder and below it, with their pictures.

    The subset of a picture is the path of its folder below ``folder``.

    Raises:
        DataError: There is no ``.pts`` file, or none that can be used.
    """
    paths = sorted((p for p in folder.rglob("*.pts") if not _is_hidden(p)), key=natural_key)
    if not paths:
        raise DataError(f"{folder}: no .pts file; pass a folder of pictures with points")
    images: dict[Path, dict[str, Path]] = {}
    pictures, problems = [], []
    for path in paths:
        if path.parent not in images:
            listed = sorted(list_images(path.parent), reverse=True)
            images[path.parent] = {image.stem: image for image in listed}
        image = images[path.parent].get(path.stem)
        if image is None:
            problems.append(f"{path}: no picture of the same name beside it")
            continue
        if not image.stat().st_size:
            problems.append(f"{image}: is empty (0 bytes), expected an image")
            continue
        try:
            points = read_points_file(path)
        except DataError as error:
            problems.append(str(error))
            continue
        below = image.relative_to(folder)
        pictures.append(
            PointPicture(
                name=below.as_posix(),
                points=points,
                visible=np.ones(len(points), bool),
                read=partial(read_image, image),
                subset="" if below.parent == Path() else below.parent.as_posix(),
            )
        )
    return checked_set(folder, find_scheme(_SCHEME), pictures, problems, name=folder.name)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
