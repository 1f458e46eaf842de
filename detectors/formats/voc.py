"""Boxes in Pascal VOC's XML, a file a picture.

    Annotations/NAME.xml           size, and objects with name, bndbox, difficult
    JPEGImages/NAME.jpg            the pictures
    ImageSets/Main/SPLIT.txt       the names of a part, one a line

A plain folder of XML files, with the pictures beside them or elsewhere, is read as well. VOC counts
pixels from 1 and includes the last one; where any box of the set begins at 0, as labelling programs
write them, all are taken as counted from 0.

Reference:
    Everingham et al.: The PASCAL Visual Object Classes (VOC) Challenge, IJCV 2010,
    doi 10.1007/s11263-009-0275-4.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

from binvision.detectors.formats.written import (
    WrittenBox,
    WrittenPicture,
    WrittenSet,
    find_picture,
    read_bytes,
    read_text,
)
from binvision.errors import DataError
from binvision.media.images import natural_key

__all__ = ["is_voc", "read_voc"]

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def is_voc(folder: Path) -> bool:
    """Whether a folder looks like VOC's root, or holds XML files."""
    return bool(_xml_files(folder) or _xml_files(folder / "Annotations"))


def read_voc(data: Path, images: Path | None, split: str) -> WrittenSet:
    """Read a folder of XML files, VOC's root, or one of its lists.

    Args:
        data: The folder, or ``ImageSets/Main/SPLIT.txt`` of a root.
        images: Folder of the pictures; None takes ``JPEGImages`` or ``images`` of the root, or the
            folder of the XML files.
        split: Which list of a root to read, where it has lists and ``data`` names none.

    Raises:
        DataError: The root has no such list, or nothing can be read.
    """
    listing = data if data.is_file() else None
    root = data.parents[2] if listing else data
    annotations = root / "Annotations" if (root / "Annotations").is_dir() else root
    lists = root / "ImageSets" / "Main"
    if listing is None and lists.is_dir():
        listing = lists / f"{split}.txt"
        if not listing.is_file():
            there = ", ".join(sorted(path.stem for path in lists.glob("*.txt"))) or "none"
            raise DataError(f"{listing}: no such list; there are: {there}; name one of the files")
    problems: list[str] = []
    files = _listed(listing, annotations, problems) if listing else _xml_files(annotations)
    beside = (root / "JPEGImages", root / "images", annotations, root)
    folders = [images] if images else [folder for folder in beside if folder.is_dir()]
    pictures = []
    for path in files:
        picture = _read_picture(path, folders, problems)
        if picture:
            pictures.append(picture)
    _count_from_zero(pictures)
    names = tuple(sorted({box.class_name for picture in pictures for box in picture.boxes}))
    numbers = tuple(range(1, len(names) + 1))  # it has none of its own
    return WrittenSet(str(data), names, numbers, pictures, problems)


def _xml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    hidden = (path for path in folder.glob("*.xml") if not path.name.startswith("."))
    return sorted(hidden, key=natural_key)


def _listed(listing: Path, annotations: Path, problems: list[str]) -> list[Path]:
    files = []
    for line in read_text(listing).splitlines():
        # A class's own list (aeroplane_train.txt) has a flag behind each name.
        if name := line.split(maxsplit=1)[:1]:
            path = annotations / f"{name[0]}.xml"
            if path.is_file():
                files.append(path)
            else:
                problems.append(f"{listing.name}: {name[0]}: no such annotation, {path}")
    return files


def _read_picture(path: Path, folders: list[Path], problems: list[str]) -> WrittenPicture | None:
    try:
        tree = ElementTree.fromstring(read_bytes(path))
    except (ElementTree.ParseError, DataError, ValueError, LookupError) as error:
        problems.append(f"{path.name}: is damaged, or no XML: {error}")
        return None
    if tree.tag != "annotation":
        problems.append(f"{path.name}: expected <annotation>, found <{tree.tag}>")
        return None
    name = (tree.findtext("filename") or "").strip()
    image = find_picture(name, folders, path.stem)
    if image is None:
        looked = ", ".join(map(str, folders))
        problems.append(f"{path.name}: no picture {name or path.stem} in {looked}")
        return None
    picture = WrittenPicture(image, path.stem, _size_hw(tree))
    for number, entry in enumerate(tree.iter("object"), 1):
        label = (entry.findtext("name") or "").strip()
        corners = [_number(entry.findtext(f"bndbox/{corner}")) for corner in _CORNERS]
        if not label or any(map(math.isnan, corners)):
            lack = "four numbers in its bndbox" if label else "a name"
            problems.append(f"{path.name}: object {number} lacks {lack}")
            continue
        left, top, right, bottom = corners
        difficult = _number(entry.findtext("difficult")) == 1
        box = (left - 1, top - 1, right - left + 1, bottom - top + 1)
        picture.boxes.append(WrittenBox(label, box, difficult))
    return picture


def _count_from_zero(pictures: list[WrittenPicture]) -> None:
    """Undo VOC's counting from 1 for a set in which some box cannot have been counted so."""
    starts = (min(box.box_xywh[:2]) for picture in pictures for box in picture.boxes)
    if -1 not in (round(start) for start in starts):
        return
    for picture in pictures:
        picture.boxes = [
            WrittenBox(box.class_name, (x + 1, y + 1, w - 1, h - 1), box.ignore)
            for box in picture.boxes
            for x, y, w, h in [box.box_xywh]
        ]


def _size_hw(tree: ElementTree.Element) -> tuple[int, int] | None:
    height, width = (_number(tree.findtext(f"size/{name}")) for name in ("height", "width"))
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def _number(text: str | None) -> float:
    """The finite number of an element, or NaN."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if abs(value) < 1e30 else math.nan
