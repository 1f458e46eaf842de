"""Boxes in COCO's JSON: ``images``, ``annotations`` with ``bbox`` x, y, w, h, ``categories``.

Reference:
    https://cocodataset.org/#format-data, object detection.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeGuard

from binvision.detectors.formats.written import (
    WrittenBox,
    WrittenPicture,
    WrittenSet,
    find_picture,
    read_text,
)
from binvision.errors import DataError

__all__ = ["read_coco", "read_coco_document", "usual_folders"]

_LISTS = ("images", "annotations", "categories")


def read_coco(path: Path, images: Path | None) -> WrittenSet:
    """Read a COCO JSON.

    Args:
        path: The file.
        images: Folder of the pictures; None looks where they usually lie: in a folder of the
            file's name, in ``images``, or beside the file.

    Raises:
        DataError: The file is damaged, or lacks a list.
    """
    document = read_coco_document(path)
    problems: list[str] = []
    names = _class_names(document["categories"], path)
    folders = [images] if images else usual_folders(path)
    pictures, left_out = _pictures(document["images"], folders, path.name, problems)
    _add_boxes(document["annotations"], names, pictures, left_out, path.name, problems)
    return WrittenSet(
        path.name, tuple(names.values()), tuple(names), list(pictures.values()), problems
    )


def read_coco_document(path: Path) -> dict[str, Any]:
    """Read the file and make sure that it holds COCO's three lists of objects.

    Raises:
        DataError: It does not.
    """
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is damaged, or no JSON: {error}") from error
    for name in _LISTS:
        rows = document.get(name) if isinstance(document, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(
                f"{path}: has no list {name!r} of objects; COCO's JSON is an object with "
                f"{', '.join(_LISTS)}"
            )
    return document


def usual_folders(path: Path) -> list[Path]:
    """Folders that usually hold the pictures of a COCO JSON, the likeliest first."""
    here = path.parent
    folders = [here / path.stem, here / "images" / path.stem, here / "images", here]
    # annotations/NAME.json beside the folders of pictures, as COCO itself has it:
    name = path.stem.removeprefix("instances_").removeprefix("person_keypoints_")
    folders += [here.parent / name, here.parent / "images" / name, here.parent / "images"]
    return [folder for folder in folders if folder.is_dir()]


def _class_names(categories: list[dict[str, Any]], path: Path) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for category in categories:
        number, name = category.get("id"), category.get("name")
        if not _is_identifier(number) or not isinstance(name, str) or not name.strip():
            raise DataError(
                f"{path}: category {json.dumps(category):.80} lacks an id or a name; give it both"
            )
        if number in names:
            raise DataError(
                f"{path}: categories {names[number]!r} and {name!r} have the same id {number}; "
                f"give each its own"
            )
        names[number] = name.strip()
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise DataError(f"{path}: two categories are called {twice[0]!r}; give each its own name")
    return dict(sorted(names.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _pictures(
    rows: list[dict[str, Any]], folders: list[Path], where: str, problems: list[str]
) -> tuple[dict[Any, WrittenPicture], set[Any]]:
    """Pictures by id, and the ids of those that are left out."""
    found: dict[Any, WrittenPicture] = {}
    left_out: set[Any] = set()
    names: dict[Any, str] = {}
    for index, row in enumerate(rows):
        number, name = row.get("id"), row.get("file_name")
        if not _is_identifier(number) or not isinstance(name, str) or not name:
            problems.append(f"{where}: image {index} of the list has no id or no file_name")
            continue
        if number in names:
            if names[number] != name:  # whose are the boxes?
                found.pop(number, None)
                left_out.add(number)
            problems.append(
                f"{where}: {name}: has the id {number} of {names[number]}; "
                + ("both are left out" if number in left_out else "it counts once")
            )
            continue
        names[number] = name
        picture = find_picture(name, folders)
        if picture is None:
            left_out.add(number)
            problems.append(f"{where}: {name}: no such picture{_looked_in(folders)}")
            continue
        found[number] = WrittenPicture(picture, number, _size_hw(row))
    return found, left_out


def _looked_in(folders: list[Path]) -> str:
    return f" in {', '.join(map(str, folders))}" if folders else ""


def _size_hw(row: dict[str, Any]) -> tuple[int, int] | None:
    height, width = row.get("height"), row.get("width")
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        return height, width
    return None


def _add_boxes(
    rows: list[dict[str, Any]],
    names: dict[Any, str],
    pictures: dict[Any, WrittenPicture],
    left_out: set[Any],
    where: str,
    problems: list[str],
) -> None:
    unknown_pictures: Counter[str] = Counter()
    unknown_classes: Counter[str] = Counter()
    seen: set[Any] = set()
    repeated = 0
    for index, row in enumerate(rows):
        number, category = row.get("image_id"), row.get("category_id")
        identifier = row.get("id")
        if _is_identifier(identifier):
            repeated += identifier in seen
            seen.add(identifier)
        if not _is_identifier(number) or number not in pictures:
            if not _is_identifier(number) or number not in left_out:
                unknown_pictures[json.dumps(number)] += 1
            continue
        if not _is_identifier(category) or category not in names:
            unknown_classes[json.dumps(category)] += 1
            continue
        picture = pictures[number]
        box = _numbers(row.get("bbox"))
        if box is None:
            problems.append(
                f"{where}: {picture.path.name}: bbox of annotation {index} of the list is "
                f"{json.dumps(row.get('bbox')):.60}, expected four numbers x, y, w, h"
            )
            continue
        area = row.get("area")
        picture.boxes.append(
            WrittenBox(
                names[category],
                box,
                bool(row.get("iscrowd", 0)),
                float(area) if _is_number(area) and area > 0 else None,
            )
        )
    for what, counts in (("image_id", unknown_pictures), ("category_id", unknown_classes)):
        problems.extend(
            f"{where}: unknown {what} {number}: its boxes are left out ({count})"
            for number, count in counts.items()
        )
    if repeated:
        problems.append(f"{where}: {repeated} annotations have the id of another; all are kept")


def _is_identifier(value: object) -> TypeGuard[int | str]:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < 1e30  # NaN is not less
    )


def _numbers(value: object) -> tuple[float, float, float, float] | None:
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):
        return None
    x, y, w, h = map(float, value)
    return x, y, w, h
