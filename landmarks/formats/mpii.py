"""MPII Human Pose: 16 joints, from its own file or the list that is commonly used for validation.

The labels of MPII's test pictures are not public. Papers validate on 2,958 people that Tompson et
al. held back: ``annot/valid.json``, a list of objects with ``image``, ``joints``, ``joints_vis``,
``center`` and ``scale``, and ``gt_valid.mat`` beside it with the boxes of their heads.

Reference:
    M. Andriluka et al.: 2D Human Pose Estimation: New Benchmark and State of the Art Analysis,
    CVPR 2014.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.formats.written import find_picture, read_text
from binvision.errors import DataError
from binvision.landmarks.formats.mat_files import find_file, read_mat
from binvision.landmarks.formats.points import HEAD_BOX, PointPicture, PointSet, checked_set
from binvision.landmarks.schemes import Scheme, find_scheme
from binvision.media.images import read_image

__all__ = ["read_mpii"]

_LISTS = ("annot/valid.json", "valid.json", "annotations/mpii_val.json", "mpii_val.json")
_HEADS = ("gt_valid.mat", "mpii_gt_val.mat")
_RELEASE = "mpii_human_pose_v1_u12_1.mat"
_RELEASES = (_RELEASE, f"mpii_human_pose_v1_u12_2/{_RELEASE}", f"annot/{_RELEASE}")

_PERSON = 200.0  # pixels of a person of scale 1
_DOWN = 15.0  # pixels of scale 1 by which the box lies below the stated centre, as is usual
_HEAD = 0.6  # of the diagonal of the head's box

_ODD = (AttributeError, ValueError, TypeError, IndexError)  # what a structure without a field gives


def read_mpii(root: Path) -> PointSet:
    """Read the list for validation where there is one, else the labelled people of the release.

    Of the release these are the people of training pictures who stand apart from others
    (``single_person``). Boxes are squares around the stated centre.

    Args:
        root: Folder with the release or the list, and the pictures in ``images``; or a list.

    Raises:
        DataError: There is neither, it is damaged, or no person can be used.
        ImportError: scipy is not installed.
    """
    if root.suffix == ".json":
        return _read_list(root)
    there = [root / name for name in _LISTS if (root / name).is_file()]
    return _read_list(there[0]) if there else _read_release(find_file(root, *_RELEASES, *_LISTS))


def _read_list(path: Path) -> PointSet:
    scheme = find_scheme("pose16")
    try:
        rows = json.loads(read_text(path))
        people = [_listed(row, scheme) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: not a list of people with image, joints, joints_vis, center and scale "
            f"({error!r})"
        ) from error
    problems: list[str] = []
    heads = _heads(path, people, problems)
    folders = [above / "images" for above in path.parents[:2]] + [path.parent]
    pictures = []
    for index, (file, points, flags, box) in enumerate(people):
        picture = find_picture(file, folders)
        if picture is None:
            problems.append(f"{path.name}: no picture {file} in {folders[0]}")
            continue
        pictures.append(
            PointPicture(
                name=f"{file}#{index}",
                points=points,
                visible=flags,
                read=partial(read_image, picture),
                box_xywh=box,
                lengths={} if heads is None else {HEAD_BOX: float(heads[index])},
            )
        )
    return checked_set(path, scheme, pictures, problems)


def _listed(row: dict[str, Any], scheme: Scheme) -> tuple[str, Any, Any, Any]:
    """File, points, flags and box of one person; numbers are counted from 1 in the list."""
    count = len(scheme.points)
    flags = np.array(row["joints_vis"], np.float64).reshape(count) > 0
    points = np.array(row["joints"], np.float64).reshape(count, 2) - 1
    centre = np.array(row["center"], np.float64).reshape(2) - 1
    points = np.where(flags[:, None], points, np.nan).astype(np.float32)
    return str(row["image"]), points, flags, _box(centre, float(row["scale"]))


def _heads(path: Path, people: list[Any], problems: list[str]) -> NDArray[np.float64] | None:
    """Length of each head, or None where the file of heads is absent or of another list."""
    there = [path.parent / name for name in _HEADS if (path.parent / name).is_file()]
    if not there:
        problems.append(
            f"{path.name}: no {' or '.join(_HEADS)} beside it, so errors are divided by the "
            f"distance from neck to top of the head, not by MPII's head box"
        )
        return None
    corners, places = read_mat(there[0], "headboxes_src", "pos_gt_src")
    if np.shape(corners) != (2, 2, len(people)) or np.shape(places)[2:] != (len(people),):
        raise DataError(
            f"{there[0]}: is not of the {len(people)} people of {path.name}; fetch both again"
        )
    for index, (file, points, _, _) in enumerate(people):
        if np.nanmax(np.abs(places[:, :, index] - 1 - points), initial=0) > 1:
            raise DataError(f"{there[0]}: person {index} is not that of {path.name} ({file})")
    heads: NDArray[np.float64] = _HEAD * np.hypot(*(corners[1] - corners[0]).astype(np.float64))
    return heads


def _read_release(path: Path) -> PointSet:
    scheme = find_scheme("pose16")
    (release,) = read_mat(path, "RELEASE", as_objects=True)
    folders = [path.parent / "images", path.parent.parent / "images"]
    try:
        people = list(_single_people(release))
    except _ODD as error:
        raise DataError(f"{path}: not laid out as MPII's release ({error})") from error
    pictures, problems = [], []
    for file, index, person in people:
        picture = find_picture(file, folders)
        if picture is None:
            problems.append(f"{path.name}: no picture {file} in {folders[0]}")
            continue
        try:
            points, flags = _joints(person, scheme)
            corners = np.array([person.x1, person.y1, person.x2, person.y2], np.float64)
            centre = np.array([person.objpos.x, person.objpos.y], np.float64) - 1
            box = _box(centre, float(person.scale))
        except _ODD as error:
            problems.append(f"{path.name}: {file}: person {index} is left out ({error})")
            continue
        pictures.append(
            PointPicture(
                name=f"{file}#{index}",
                points=points,
                visible=flags,
                read=partial(read_image, picture),
                box_xywh=box,
                lengths={HEAD_BOX: _HEAD * float(np.hypot(*(corners[2:] - corners[:2])))},
            )
        )
    return checked_set(path, scheme, pictures, problems, name="labelled people")


def _single_people(release: Any) -> Iterator[tuple[str, int, Any]]:
    """File, number and structure of each labelled person who stands apart."""
    lists = (release.annolist, release.img_train, release.single_person)
    for entry, is_training, alone in zip(*map(np.atleast_1d, lists), strict=True):
        people = np.atleast_1d(entry.annorect)
        for number in np.atleast_1d(alone).ravel() if is_training else ():
            person = people[int(number) - 1]
            if np.size(getattr(getattr(person, "annopoints", None), "point", ())):
                yield str(entry.image.name), int(number), person


def _joints(person: Any, scheme: Scheme) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    points = np.full((len(scheme.points), 2), np.nan, np.float32)
    visible = np.zeros(len(points), bool)
    for point in np.atleast_1d(person.annopoints.point):
        points[int(point.id)] = float(point.x) - 1, float(point.y) - 1
        visible[int(point.id)] = str(getattr(point, "is_visible", 1)) == "1"
    return points, visible


def _box(centre: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Square of a person's size around the stated centre, a little below it."""
    side = _PERSON * scale
    x, y = centre + (0, _DOWN * scale)
    return np.array([x - side / 2, y - side / 2, side, side], np.float32)
