"""Still pictures one by one: they may differ in size, and some of them may be damaged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import SinkError, UsageError
from binvision.media.files import write_atomically
from binvision.media.images import IMAGE_SUFFIXES, images_named, natural_key, no_images

__all__ = ["PictureFile", "find_pictures", "picture_place", "write_picture"]


@dataclass(frozen=True)
class PictureFile:
    """One picture of several.

    Attributes:
        path: The file.
        name: Its name from the folder that all have in common, with slashes.
        identifier: The number that is its name without suffix, where all pictures have a number
            of their own; else ``name``. Annotations in COCO's format count pictures so.
    """

    path: Path
    name: str
    identifier: int | str


def find_pictures(source: str) -> list[PictureFile] | None:
    """List the pictures that ``source`` names: one image, a folder, or a glob of images.

    Returns:
        They in natural order of their names; None where it names something else, such as a
        video, a camera or nothing.

    Raises:
        SourceError: The folder or glob holds no image.
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return _named([path])
    paths = images_named(source)
    if paths is not None and not paths:
        raise no_images(source)
    return None if paths is None else _named(sorted(paths, key=natural_key))


def picture_place(out: Path, picture: PictureFile, alone: bool) -> Path:
    """Where the annotated copy of a picture is written.

    Args:
        out: A folder, or for a picture ``alone`` also the file.
        picture: The picture.
        alone: Whether it is the only one.

    Raises:
        UsageError: The copy would replace the picture itself, or one file shall hold several.
    """
    place = out / picture.name
    if out.suffix.lower() in IMAGE_SUFFIXES and not out.is_dir():
        if not alone:
            raise UsageError(f"{out}: cannot hold several pictures; name a folder for them")
        place = out
    if place.resolve() == picture.path.resolve():
        raise UsageError(f"{place}: is the picture itself; name another folder or file for results")
    return place


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 BGR in the kind that the name's suffix says, whole or not at all.

    Raises:
        SinkError: OpenCV cannot encode it, or the file cannot be written.
    """
    try:
        done, encoded = cv2.imencode(path.suffix, picture)
    except cv2.error as error:  # a kind that this build does not write, or sides beyond the kind's
        raise SinkError(f"{path}: OpenCV cannot encode a picture of {picture.shape}") from error
    if not done:
        raise SinkError(f"{path}: OpenCV cannot encode a picture of shape {picture.shape}")
    write_atomically(path, encoded.tobytes())


def _named(paths: Sequence[Path]) -> list[PictureFile]:
    common = os.path.commonpath([path.absolute().parent for path in paths])
    names = [path.absolute().relative_to(common).as_posix() for path in paths]
    numbers = [int(path.stem) for path in paths if path.stem.isdecimal()]
    are_numbered = len(set(numbers)) == len(paths)
    identifiers: Sequence[int | str] = numbers if are_numbered else names
    return [PictureFile(*each) for each in zip(paths, names, identifiers, strict=True)]
