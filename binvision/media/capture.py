"""OpenCV's capture, opened quietly: what went wrong is said once, in our own words.

FFmpeg and OpenCV print to stderr behind Python's back. Both are silenced, unless the environment
asks for their words (``OPENCV_FFMPEG_LOGLEVEL``, ``OPENCV_LOG_LEVEL``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

__all__ = ["known_count", "known_rate", "open_capture", "quiet_opencv"]

# FFmpeg reads its level when OpenCV first uses it, so it is set when this module is loaded.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_PLAUSIBLE_FPS = (0.1, 1000.0)  # cameras and damaged headers report 0, -1 or 90000


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from printing while it tries something that may fail."""
    if "OPENCV_LOG_LEVEL" in os.environ:
        yield
        return
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_capture(
    target: str | int, backend: int = cv2.CAP_ANY, parameters: tuple[int, ...] = ()
) -> cv2.VideoCapture | None:
    """Open a file, camera or address.

    Args:
        target: Path or address, or the index of a camera.
        backend: One of OpenCV's ``CAP_*`` back ends.
        parameters: Pairs of property and value for the opening, flattened.

    Returns:
        The open capture, or None if OpenCV cannot open it.
    """
    with quiet_opencv():
        capture = cv2.VideoCapture(target, backend, list(parameters))
        if capture.isOpened():
            return capture
        capture.release()
    return None


def known_rate(capture: cv2.VideoCapture) -> float | None:
    """Frames per second that the capture states, or None where it states none."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    low, high = _PLAUSIBLE_FPS
    return float(fps) if low <= fps <= high else None


def known_count(capture: cv2.VideoCapture) -> int | None:
    """Number of frames that the capture states, or None where it states none."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 2**31 else None
