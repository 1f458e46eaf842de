"""What an annotation file says about its pictures, before any of it is checked against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from binvision.errors import DataError
from binvision.media.images import IMAGE_SUFFIXES

__all__ = ["WrittenBox", "WrittenPicture", "WrittenSet", "find_picture", "read_bytes", "read_text"]


@dataclass(frozen=True)
class WrittenBox:
    """One box as its file gives it.

    Attributes:
        class_name: What it holds.
        box_xywh: Left, top, width, height; finite, but of any size and anywhere.
        ignore: A crowd, or an object that is too difficult to be asked for.
        area: Pixels of the object where the file states them, else None.
    """

    class_name: str
    box_xywh: tuple[float, float, float, float]
    ignore: bool = False
    area: float | None = None


@dataclass
class WrittenPicture:
    """One picture as its file gives it.

    Attributes:
        path: The picture's file, which exists.
        identifier: What the file calls it.
        size_hw: Height and width where the file states them, else None.
        boxes: In the order of the file.
        relative: Boxes count in parts of the picture's width and height, not in pixels.
    """

    path: Path
    identifier: int | str
    size_hw: tuple[int, int] | None = None
    boxes: list[WrittenBox] = field(default_factory=list)
    relative: bool = False


@dataclass
class WrittenSet:
    """All that was read.

    Attributes:
        where: What messages call the annotations.
        classes: Names in the order of their numbers.
        class_ids: Their numbers in the file.
        pictures: In the order of the file.
        problems: What had to be left out while reading, one line each.
    """

    where: str
    classes: tuple[str, ...]
    class_ids: tuple[int | str, ...]
    pictures: list[WrittenPicture]
    problems: list[str] = field(default_factory=list)


def read_bytes(path: Path) -> bytes:
    """Read a whole annotation file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: annotations cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    """Read a whole annotation file as text.

    Raises:
        DataError: It cannot be read or is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: is not text in UTF-8; save the file as plain text"
        ) from error


def find_picture(name: str, folders: Sequence[Path], stem: str = "") -> Path | None:
    """File of a picture, or None.

    Args:
        name: As the annotation has it, with any folders before it, of any system.
        folders: Where to look, the likeliest first.
        stem: Name without its ending, tried with those of images if ``name`` is not there.
    """
    name = name.replace("\\", "/")
    names = [name, name.rpartition("/")[2]] if name else []
    names += [stem + suffix for suffix in (".jpg", *IMAGE_SUFFIXES)] if stem else []
    for candidate in dict.fromkeys(names):
        for folder in folders:
            path = folder / candidate
            if path.is_file():
                return path
    return None
