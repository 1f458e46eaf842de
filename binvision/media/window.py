"""A window on the screen: preview of a run, and drawing the first box by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import BoxError, SinkError
from binvision.media.boxes import BoxXYWH

__all__ = ["PreviewWindow", "check_display", "select_boxes"]

_TITLE = "binvision (q ends)"
_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
_PROBE_TIMEOUT_S = 30
_WAIT_MS = 50  # for a key, before the window is looked at again
_QUIT_KEYS = {27, ord("q")}  # Escape


def check_display(option: str) -> None:
    """Make sure that a window can be opened.

    Args:
        option: Which option wants it; for the message.

    Raises:
        SinkError: There is no display, or OpenCV was built without windows.
    """
    remedy = f"run it where there is a screen, or leave {option} out and name the box with --init"
    if option == "--show":
        remedy = "run it where there is a screen, or write the video with --out instead"
    no_screen = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if no_screen:
        raise SinkError(
            f"{option} needs a screen, but DISPLAY and WAYLAND_DISPLAY are not set; {remedy}"
        )
    # Tried in a process of its own: with a display that does not answer, Qt ends the process.
    command = [sys.executable, "-c", _PROBE]
    try:
        works = not subprocess.run(
            command, capture_output=True, timeout=_PROBE_TIMEOUT_S
        ).returncode
    except subprocess.TimeoutExpired:
        works = False
    if not works:
        raise SinkError(f"{option}: OpenCV cannot open a window on this display; {remedy}")


class PreviewWindow:
    """Shows frames until q or Escape is pressed or the window is closed."""

    def __init__(self) -> None:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self.closed = False

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Show (H, W, 3) uint8 BGR; sets ``closed`` when the user wants to end."""
        cv2.imshow(_TITLE, frame)
        self._key_within(1)

    def hold(self, needless: Callable[[], bool]) -> None:
        """Wait until a key is pressed, the window is closed, or waiting has become needless."""
        while not needless() and not self._key_within(_WAIT_MS) and not self.closed:
            pass

    def _key_within(self, milliseconds: int) -> bool:
        pressed = cv2.waitKey(milliseconds)
        invisible = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
        self.closed = self.closed or invisible or pressed & 0xFF in _QUIT_KEYS
        return pressed != -1

    def close(self) -> None:
        """Take the window off the screen."""
        cv2.destroyAllWindows()


def select_boxes(frame: NDArray[np.uint8]) -> list[BoxXYWH]:
    """Let the user draw one box or several on ``frame``.

    Raises:
        BoxError: No box was drawn.
    """
    title = "drag a box, ENTER accepts it, ESC ends"
    drawn = cv2.selectROIs(title, frame, showCrosshair=False, printNotice=False)
    cv2.destroyWindow(title)
    boxes = [
        (float(x), float(y), float(w), float(h))
        for x, y, w, h in np.reshape(drawn, (-1, 4))
        if w > 0 and h > 0
    ]
    if not boxes:
        raise BoxError("--select: no box was drawn; drag one with the mouse and press ENTER")
    return boxes
