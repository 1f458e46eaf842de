"""A video file, with the difference between its end and a break told apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import FrameError, SourceError
from binvision.media.capture import known_count, known_rate, open_capture
from binvision.media.images import size_changed

__all__ = ["VideoSource"]

# Containers state their length only roughly. A file counts as broken off when it ends short of
# the stated length by more than this, counted in frames and in time alike.
_SLACK_FRAMES = 3
_SLACK_PART = 0.02


class VideoSource:
    """A video file; see FrameSource for the attributes."""

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._capture = _open_file(path)
        self.fps = known_rate(self._capture)
        self.count = known_count(self._capture)
        decoded, first = self._capture.read()
        if not decoded:
            self.close()
            raise SourceError(
                f"{path}: no frame can be decoded; the file is damaged, holds no video, or uses "
                f"a codec that this OpenCV build does not know"
            )
        self._first: NDArray[np.uint8] = first
        self.size_hw: tuple[int, int] = first.shape[:2]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        frame = self._first
        decoded, index = True, 0
        while decoded:
            if frame.shape[:2] != self.size_hw:
                where = f"{self.name}, frame {index}"
                raise FrameError(size_changed(where, self.size_hw, frame.shape[:2]))
            played_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
            yield frame
            index += 1
            decoded, frame = self._capture.read()
        self._check_end(index, played_ms)

    def _check_end(self, frames: int, played_ms: float) -> None:
        """Complain if the file ended before the length that it states."""
        if self.count is None or self.fps is None:
            return
        slack = _SLACK_FRAMES + _SLACK_PART * self.count
        missing_in_time = self.count - played_ms / 1000 * self.fps
        if min(self.count - frames, missing_in_time) > slack:
            raise SourceError(
                f"{self.name}: breaks off after frame {frames} of {self.count}; "
                f"the file is cut short or damaged from there on"
            )

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def _open_file(path: Path) -> cv2.VideoCapture:
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    if not size:
        raise SourceError(f"{path}: is empty (0 bytes), expected a video")
    # Named back end: with others OpenCV takes a file called frame01.mp4 for an image sequence.
    capture = open_capture(str(path), cv2.CAP_FFMPEG)
    if capture is None:
        raise SourceError(
            f"{path}: cannot be opened as a video ({size} bytes); the file is cut short, damaged, "
            f"or not a video"
        )
    return capture
