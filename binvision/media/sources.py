"""Where frames come from, behind one shape: a video, a folder of images, a camera, a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.errors import SourceError

__all__ = ["Frame", "FrameSource", "open_source"]

Frame = NDArray[np.uint8]
"""One picture, (H, W, 3) uint8, BGR."""


class FrameSource(Protocol):
    """Frames in order, each (H, W, 3) uint8 BGR and all of one size.

    A source is iterated once and closed by ``close`` or by leaving its ``with`` block.

    Attributes:
        name: What messages call it.
        size_hw: Height and width of every frame, pixels.
        fps: Frames per second, or None where the source does not say.
        count: Number of frames, or None where it is not known beforehand.
        live: True where frames come as time passes and end only when something stops.
    """

    name: str
    size_hw: tuple[int, int]
    fps: float | None
    count: int | None
    live: bool

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: Frames stop coming before the end.
            FrameError: A frame has another size than the first.
        """
        ...

    def __enter__(self) -> FrameSource: ...

    def __exit__(self, *exception: object) -> None: ...

    def close(self) -> None:
        """Release the file, camera or connection."""
        ...


def open_source(source: str | int | Path) -> FrameSource:
    """Open whatever ``source`` names.

    Args:
        source: A video file, a folder of images, a glob of images (``frames/*.jpg``), the index
            of a camera (``0``), or the address of a stream (``rtsp://...``, ``http://...``).

    Returns:
        The open source; its first frame has been read.

    Raises:
        SourceError: It does not exist, holds no picture, or cannot be decoded.
    """
    from binvision.media.images import ImageSource, images_named
    from binvision.media.live import LiveSource
    from binvision.media.video import VideoSource

    text = str(source)
    if text.isdecimal() and not Path(text).exists():
        return LiveSource(int(text))
    if "://" in text:
        return LiveSource(text)
    images = images_named(text)
    if images is not None:
        return ImageSource(text, images)
    path = Path(text).expanduser()
    if not path.exists():
        raise SourceError(
            f"{text}: no such file or folder; give a video, a folder or a quoted glob of images, "
            f"the index of a camera, or an rtsp:// or http:// address"
        )
    return VideoSource(path)
