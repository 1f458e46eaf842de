"""Cameras and network streams: frames that come as time passes, and may stop coming.

A thread reads them, so that waiting has an end whatever the driver does. From a camera or an RTSP
stream only the newest frame is kept: a tracker slower than the camera skips frames instead of
falling behind. Over HTTP the sender waits for us, and no frame is skipped; it may serve a file,
which has a length and so a proper end.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import FrameError, SourceError
from binvision.media.capture import known_count, known_rate, open_capture
from binvision.media.images import size_changed

__all__ = ["LiveSource"]

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
_SLACK_FRAMES = 3  # files over HTTP state their length only roughly
_POLL_S = 0.1  # a blocked wait lets Ctrl-C through at least this often


class LiveSource:
    """A camera (by index) or a stream (by address); see FrameSource for the attributes."""

    def __init__(
        self,
        target: int | str,
        *,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Open the camera or stream and wait for its first frame.

        Raises:
            SourceError: Nothing answers, or no frame arrives in time.
        """
        self.name = f"camera {target}" if isinstance(target, int) else target
        over_http = isinstance(target, str) and target.startswith(("http:", "https:"))
        self._newest_only = not over_http
        self._read_timeout_s = read_timeout_s
        self._frames: queue.Queue[NDArray[np.uint8] | None] = queue.Queue(maxsize=1)
        self._stop = threading.Event()
        self._capture = _connect(target, self.name, open_timeout_s, read_timeout_s)
        self.fps = known_rate(self._capture)
        self.count = known_count(self._capture) if over_http else None
        self.live = self.count is None
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()
        first = self._next(open_timeout_s)
        if first is None:
            self.close()
            raise SourceError(
                f"{self.name}: opened, but no frame came within {open_timeout_s:g} s; "
                f"it may be in use by another program"
            )
        self._first = first
        self.size_hw: tuple[int, int] = first.shape[:2]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        frame: NDArray[np.uint8] | None = self._first
        index = 0
        while frame is not None:
            if frame.shape[:2] != self.size_hw:
                where = f"{self.name}, frame {index}"
                raise FrameError(size_changed(where, self.size_hw, frame.shape[:2]))
            yield frame
            index += 1
            frame = self._next(self._read_timeout_s)
        if self.count is not None and index >= self.count - _SLACK_FRAMES:
            return
        raise SourceError(
            f"{self.name}: stopped delivering after frame {index} (waited up to "
            f"{self._read_timeout_s:g} s); check that it is connected and start again"
        )

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and release the camera or the connection."""
        self._stop.set()
        self._reader.join(timeout=1.0)
        # A reader that hangs in the driver keeps its capture: releasing that under it would crash.
        if not self._reader.is_alive():
            self._capture.release()

    def _read(self) -> None:
        """Thread: move frames from the driver to the queue; None marks the end."""
        while not self._stop.is_set():
            delivered, frame = self._capture.read()
            if not delivered:
                break
            self._put(frame)
        self._put(None)

    def _put(self, frame: NDArray[np.uint8] | None) -> None:
        while not self._stop.is_set():
            try:
                self._frames.put(frame, timeout=0 if self._newest_only else _POLL_S)
                return
            except queue.Full:
                if self._newest_only and frame is not None:
                    self._drop_waiting()

    def _drop_waiting(self) -> None:
        try:
            self._frames.get_nowait()
        except queue.Empty:
            pass  # the consumer took it in the meantime

    def _next(self, timeout_s: float) -> NDArray[np.uint8] | None:
        """Wait for a frame; None if none comes in time or the source has ended."""
        waited_s = 0.0
        while waited_s < timeout_s:
            try:
                return self._frames.get(timeout=_POLL_S)
            except queue.Empty:
                waited_s += _POLL_S
        return None


def _connect(
    target: int | str, name: str, open_timeout_s: float, read_timeout_s: float
) -> cv2.VideoCapture:
    if isinstance(target, int):
        capture = open_capture(target)
        hint = "no such camera, or another program uses it"
        if sys.platform.startswith("linux"):
            hint += "; 'ls /dev/video*' lists what is connected"
    else:
        parameters = (
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(open_timeout_s * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(read_timeout_s * 1000)),
        )
        capture = open_capture(target, cv2.CAP_FFMPEG, parameters)
        hint = f"no video stream answered within {open_timeout_s:g} s; check the address"
    if capture is None:
        raise SourceError(f"{name}: cannot be opened ({hint})")
    return capture
