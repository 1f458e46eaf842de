"""Boxes in YOLO's text: ``class cx cy w h`` a line, in parts of the picture's width and height.

    data.yaml                      names; train, val, test: folders of pictures, or lists of them
    images/PART/NAME.jpg           the pictures
    labels/PART/NAME.txt           their boxes, in the folder that has labels in place of images

or ``classes.txt`` in place of data.yaml, or all in one folder. Lines of more numbers are outlines;
they count as the box around them. A picture without a file has no objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from binvision.detectors.formats.plain_yaml import read_plain_yaml
from binvision.detectors.formats.written import WrittenBox, WrittenPicture, WrittenSet, read_text
from binvision.errors import DataError
from binvision.media.images import IMAGE_SUFFIXES, list_images, natural_key

__all__ = ["is_yolo", "read_yolo"]

_CLASS_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")


def is_yolo(folder: Path) -> bool:
    """Whether a folder looks like YOLO's: it holds labels, or names of classes here or above."""
    return (folder / "labels").is_dir() or _class_file(folder) is not None


def read_yolo(data: Path, images: Path | None, split: str) -> WrittenSet:
    """Read a data.yaml, or a folder with pictures and labels.

    Args:
        data: data.yaml, the folder that holds it or ``classes.txt``, or a folder below that
            with a part of the pictures or labels.
        images: Folder of the pictures; None takes those of the split, or of the folder.
        split: Which part a data.yaml shall give: ``"train"``, ``"val"`` or ``"test"``.

    Raises:
        DataError: There are no names of classes, or no such part.
    """
    config = data if data.is_file() else _class_file(data)
    if config is None:
        wanted = ", ".join(_CLASS_FILES)
        raise DataError(f"{data}: no names of classes; expected {wanted} there or above")
    parts: dict[str, object] = {}
    if config.suffix in (".yaml", ".yml"):
        parts = read_plain_yaml(config)
        classes = _names(parts.get("names"), config)
    else:
        classes = tuple(line.strip() for line in read_text(config).splitlines() if line.strip())
    if not classes:
        raise DataError(f"{config}: holds no name of a class; expected one a line")

    is_whole = data.is_file() or config.parent == data
    if images is None and parts and is_whole:
        paths = _pictures_of_split(parts, config, split)
    else:
        # A folder of labels stands for the pictures of the folder beside it.
        given = images or _swap_last(data, "labels", "images")
        paths = _pictures_below(given if given.is_dir() else data)
    problems: list[str] = []
    labels = data / "labels" if data.is_dir() and (data / "labels").is_dir() else data
    root = labels if images and labels.is_dir() else None
    pictures = [_read_picture(path, root, images, classes, problems) for path in paths]
    without = sum(found is False for _, found in pictures)
    if without == len(pictures) and pictures:
        raise DataError(
            f"{data}: none of its {len(pictures)} pictures has a label file; the first was looked "
            f"for at {_label_file(paths[0], root, images)}"
        )
    if without:
        problems.append(
            f"{data}: {without} of {len(pictures)} pictures have no label file and count as "
            f"pictures without objects"
        )
    kept = [picture for picture, _ in pictures]
    return WrittenSet(str(data), classes, tuple(range(len(classes))), kept, problems)


def _class_file(folder: Path) -> Path | None:
    for place in (folder, *folder.absolute().parents[:2]):
        for name in _CLASS_FILES:
            if (place / name).is_file():
                return place / name
    return None


def _names(value: object, config: Path) -> tuple[str, ...]:
    """Names from a list, or from numbers that count from 0."""
    if isinstance(value, dict):
        if sorted(value) != sorted(map(str, range(len(value)))):
            raise DataError(f"{config}: names are numbered {', '.join(value)}; expected 0, 1, ...")
        value = [value[str(number)] for number in range(len(value))]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise DataError(f"{config}: has no list 'names' of the classes")
    return tuple(value)


def _pictures_of_split(parts: dict[str, object], config: Path, split: str) -> list[Path]:
    value = parts.get(split)
    places = [value] if isinstance(value, str) and value else value
    if not isinstance(places, list) or not places:
        there = ", ".join(name for name in ("train", "val", "test") if parts.get(name)) or "none"
        raise DataError(f"{config}: has no part {split!r}; there are: {there}")
    base = config.parent / str(parts.get("path") or "")
    base = base if base.is_dir() else config.parent
    found: list[Path] = []
    for place in map(str, places):
        # Exporters write paths as seen from a folder below the file.
        tried = [base / place, config.parent / place.removeprefix("../")]
        path = next((path for path in tried if path.exists()), None)
        if path is None:
            raise DataError(f"{config}: {split}: no such folder or list, {tried[0]}")
        if path.is_dir():
            found += _pictures_below(path)
            continue
        lines = (line.strip() for line in read_text(path).splitlines())
        found += [path.parent / line for line in lines if line]
    return found


def _pictures_below(folder: Path) -> list[Path]:
    pictures = [folder / "images"] if (folder / "images").is_dir() else [folder]
    found = list_images(pictures[0]) or [
        path
        for path in pictures[0].rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]
    return sorted(found, key=natural_key)


def _swap_last(path: Path, old: str, new: str) -> Path:
    """Rename the last folder of this name in a path."""
    parts = list(path.parts)
    for index in reversed(range(len(parts))):
        if parts[index] == old:
            parts[index] = new
            break
    return Path(*parts)


def _label_file(picture: Path, root: Path | None, images: Path | None) -> Path:
    """Where the boxes of a picture are: below ``root``, in the sister folder, or beside it."""
    if root and images and picture.is_relative_to(images):
        below = (root / picture.relative_to(images)).with_suffix(".txt")
        if below.is_file():
            return below
    sister = _swap_last(picture.parent, "images", "labels") / f"{picture.stem}.txt"
    return sister if sister.is_file() else picture.with_suffix(".txt")


def _read_picture(
    path: Path,
    root: Path | None,
    images: Path | None,
    classes: tuple[str, ...],
    problems: list[str],
) -> tuple[WrittenPicture, bool]:
    """The picture, and whether it has a label file."""
    picture = WrittenPicture(path, path.stem, relative=True)
    labels = _label_file(path, root, images)
    if not labels.is_file():
        return picture, False
    try:
        lines = read_text(labels).splitlines()
    except DataError as error:
        problems.append(str(error))
        return picture, True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{labels.name}, line {number}"
        values = _numbers(line)
        if values is None or (len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0)):
            problems.append(f"{where}: expected class cx cy w h, found {line.strip()[:60]!r}")
            continue
        index = int(values[0]) if values[0] == int(values[0]) else -1
        if not 0 <= index < len(classes):
            problems.append(
                f"{where}: unknown class id {line.split()[0]}; the file of classes has "
                f"{len(classes)}, counted from 0"
            )
            continue
        picture.boxes.append(WrittenBox(classes[index], _box(values[1:])))
    return picture, True


def _numbers(line: str) -> list[float] | None:
    try:
        values = [float(part) for part in line.split()]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _box(values: Iterable[float]) -> tuple[float, float, float, float]:
    numbers = list(values)
    if len(numbers) == 4:
        x, y, w, h = numbers
        return x - w / 2, y - h / 2, w, h
    xs, ys = numbers[::2], numbers[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
