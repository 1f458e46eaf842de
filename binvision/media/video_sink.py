"""Annotated video out, written beside its final name and checked before it gets it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import SinkError, UsageError
from binvision.media.capture import known_count, open_capture, quiet_opencv

__all__ = ["VIDEO_SUFFIXES", "VideoSink"]

# What every build of opencv-python can encode. H.264 is in none of them, for its licence.
_CODECS = {".avi": "MJPG", ".mkv": "mp4v", ".mp4": "mp4v"}
VIDEO_SUFFIXES = tuple(_CODECS)

_CHECK_EVERY = 32  # frames between two looks at the free space
_SPARE_BYTES = 4 << 20  # what finishing the file may still need


class VideoSink:
    """A video file that takes frames; used in a ``with`` block.

    Leaving the block finishes the file, also when an exception passes through: what was written
    until then is kept. Only a file that cannot be written whole is removed.
    """

    def __init__(self, path: str | Path, fps: float, size_hw: tuple[int, int]) -> None:
        """Open the file for frames of ``size_hw`` = (height, width) at ``fps`` a second.

        Raises:
            UsageError: The suffix is of no kind that is written.
            SinkError: The folder is missing or not writable, or OpenCV cannot encode.
        """
        self.path = Path(path).expanduser()
        self._size_hw = size_hw
        self._written = 0
        codec = _CODECS.get(self.path.suffix.lower())
        if codec is None:
            kind = self.path.suffix or "a name without suffix"
            raise UsageError(f"{self.path}: video is written as {', '.join(_CODECS)}, not {kind}")
        if not os.access(self.path.parent, os.W_OK):
            raise SinkError(f"{self.path}: the folder {self.path.parent} is missing or read-only")
        hidden = f".{self.path.stem}.{os.getpid()}.part{self.path.suffix}"
        self._pending = self.path.with_name(hidden)
        self._writer = _open_writer(self._pending, codec, fps, size_hw)
        if not self._writer.isOpened():
            self._discard()
            height, width = size_hw
            raise SinkError(
                f"{self.path}: OpenCV cannot encode {codec} video of {width}x{height} pixels"
            )

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Add a frame, (H, W, 3) uint8 BGR of the size given at opening.

        Raises:
            SinkError: The frame has another size, or the disk is full.
        """
        if frame.shape != (*self._size_hw, 3):
            raise SinkError(f"{self.path}: frame of shape {frame.shape}, expected {self._size_hw}")
        if self._written % _CHECK_EVERY == 0:
            self._check_space()
        self._writer.write(frame)
        self._written += 1

    def close(self) -> bool:
        """Finish the file, read its head back, and give it its name.

        Returns:
            Whether there is a file now; a video without frames leaves none.

        Raises:
            SinkError: The file did not come out whole.
        """
        if not self._writer.isOpened():
            return False
        self._writer.release()
        if not self._written:
            self._discard()
            return False
        # OpenCV reports no failed write, so the finished file is asked how many frames it holds.
        if _frames_in(self._pending) < self._written:
            self._discard()
            raise SinkError(f"{self.path}: the video could not be finished; the disk may be full")
        os.replace(self._pending, self.path)
        return True

    def __enter__(self) -> VideoSink:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < _SPARE_BYTES:
            self._writer.release()
            self._discard()
            raise SinkError(
                f"{self.path}: the disk is full ({free >> 20} MiB left after frame {self._written})"
            )

    def _discard(self) -> None:
        self._pending.unlink(missing_ok=True)


def _open_writer(path: Path, codec: str, fps: float, size_hw: tuple[int, int]) -> cv2.VideoWriter:
    fourcc = cv2.VideoWriter.fourcc(*codec)
    with quiet_opencv():
        return cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, (size_hw[1], size_hw[0]))


def _frames_in(path: Path) -> int:
    capture = open_capture(str(path), cv2.CAP_FFMPEG)
    if capture is None:
        return 0
    try:
        # Matroska and AVI round; MP4, the usual one, counts exactly.
        return (known_count(capture) or 0) + (0 if path.suffix.lower() == ".mp4" else 1)
    finally:
        capture.release()
