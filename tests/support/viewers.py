"""What looks at the served frames: a client that reads the stream itself, and a real browser."""

from __future__ import annotations

import shutil
import subprocess
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.patience import patience

__all__ = ["ask", "browser", "next_picture", "screenshot"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def ask(address: str, path: str) -> HTTPResponse:
    """Ask the server at an address for a path, and return its answer, unread."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=patience(10))
    connection.request("GET", path)
    return connection.getresponse()


def next_picture(answer: HTTPResponse) -> NDArray[np.uint8] | None:
    """Read the next frame of a stream as (H, W, 3) uint8 BGR; None at its end."""
    boundary = answer.readline()
    if not boundary:
        return None
    assert boundary == b"--frame\r\n"
    length = 0
    while (line := answer.readline()) != b"\r\n":
        name, _, value = line.decode().partition(": ")
        length = int(value) if name == "Content-Length" else length
    picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
    assert answer.readline() == b"\r\n"
    return picture


def browser() -> str | None:
    """Where a browser is that runs without a screen; None where there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def screenshot(address: str, place: Path, size: tuple[int, int] = (640, 480)) -> NDArray[np.uint8]:
    """Open an address in the browser, and return what its window of width, height shows."""
    program = browser()
    assert program is not None
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={place.parent / 'profile'}", "--timeout=3000"]
    command += [f"--window-size={size[0]},{size[1]}", f"--screenshot={place}", address]
    subprocess.run(command, check=True, capture_output=True, timeout=patience(60))
    return cv2.imread(str(place))
