"""What is looked at one after the other: pictures, or the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binvision.cli.terminal import note
from binvision.errors import SourceError
from binvision.media.images import read_image
from binvision.media.pictures import PictureFile
from binvision.media.sources import FrameSource

__all__ = ["Shot", "picture_shots", "video_shots"]


@dataclass(frozen=True)
class Shot:
    """A picture, or a frame of a video.

    Attributes:
        picture: Name of the picture, or number of the frame.
        identifier: What COCO's annotations would call it.
        image: (H, W, 3) uint8, BGR.
        file: Where it was read from; None for a frame.
    """

    picture: int | str
    identifier: int | str
    image: NDArray[np.uint8]
    file: PictureFile | None = None


def picture_shots(pictures: Sequence[PictureFile], unreadable: list[str]) -> Iterator[Shot]:
    """Read pictures upright; of several, those that cannot be read are named and left out.

    Args:
        pictures: Where they are.
        unreadable: Gets what was wrong with those that are left out.

    Raises:
        SourceError: There is one picture, and it cannot be read.
    """
    for file in pictures:
        try:
            image = read_image(file.path, upright=True)
        except SourceError as error:
            if len(pictures) == 1:
                raise
            unreadable.append(str(error))
            note(f"left out: {error}")
        else:
            yield Shot(file.name, file.identifier, image, file)


def video_shots(source: FrameSource) -> Iterator[Shot]:
    """Number the frames of a video, a camera or a stream."""
    for number, frame in enumerate(source):
        yield Shot(number, number, frame)
