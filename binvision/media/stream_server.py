"""Frames in a browser: a page with a picture that moves, served as MJPEG over HTTP.

Every viewer has a thread of its own, which waits for the newest frame, and skips those that came
while it was sending: a slow viewer sees fewer frames and holds nobody up. A frame is encoded at
most once, by the first viewer that asks for it.
"""

from __future__ import annotations

import errno
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import SinkError

__all__ = ["StreamServer"]

_JPEG_QUALITY = 85
_SEND_TIMEOUT_S = 10.0  # a viewer that takes nothing for so long is gone
_BOUNDARY = "frame"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>binvision</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #181818; }
img { max-width: 100vw; max-height: 100vh; }
</style>
</head>
<body><img src="stream.mjpg" alt="annotated frames"></body>
</html>
"""


class StreamServer:
    """Serves the newest frame to any number of viewers; used in a ``with`` block.

    Attributes:
        address: What to open in a browser.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Start to listen.

        Args:
            port: Port, at most 65535; 0 takes one that is free.
            host: Address to listen at: the machine's own sees nobody else, ``0.0.0.0`` all that
                reach it over the network.

        Raises:
            SinkError: The port is in use or not allowed, or the address is not this machine's.
        """
        self._frames = _NewestFrame()
        try:
            self._server = _Server((host, port), self._frames)
        except OSError as error:
            raise SinkError(_why_not(error, host, port)) from error
        self.address = f"http://{_name(host)}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Make (H, W, 3) uint8 BGR the newest frame; it must not be changed afterwards."""
        self._frames.put(frame)

    def close(self) -> None:
        """Let the viewers have the last frame, and stop."""
        self._frames.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> StreamServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _NewestFrame:
    """The frame that viewers want, encoded when the first one wants it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._frame: NDArray[np.uint8] | None = None
        self._number = 0
        self._encoded: tuple[int, bytes] = (0, b"")
        self._ended = False

    def put(self, frame: NDArray[np.uint8]) -> None:
        with self._changed:
            self._frame = frame
            self._number += 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def after(self, seen: int) -> tuple[int, bytes] | None:
        """Wait for a frame newer than number ``seen``: its number and JPEG; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._number > seen)
            frame, number = self._frame, self._number
        if frame is None or number <= seen:
            return None
        with self._encoding:
            if self._encoded[0] < number:
                quality = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
                self._encoded = (number, cv2.imencode(".jpg", frame, quality)[1].tobytes())
            return self._encoded


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a viewer that reads nothing must not hold up the end

    def __init__(self, address: tuple[str, int], frames: _NewestFrame) -> None:
        self.frames = frames
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks for the address's name, for which some networks take seconds.
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: viewers come and go."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SEND_TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(_PAGE.encode(), "text/html; charset=utf-8")
        elif self.path == "/stream.mjpg":
            self._stream()
        elif self.path == "/frame.jpg":
            newest = self.server.frames.after(0)
            if newest is None:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            else:
                self._send(newest[1], "image/jpeg")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        newest = self.server.frames.after(0)
        while newest is not None:
            number, jpeg = newest
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
            self.wfile.write(head.encode() + b"\r\n" + jpeg + b"\r\n")
            newest = self.server.frames.after(number)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: stderr belongs to the run."""


def _name(host: str) -> str:
    """What browsers call an address to listen at."""
    if host in ("0.0.0.0", "::"):  # all of this machine's
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program; name another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} of {host} is not allowed; name one from 1024 on"
    return f"{host}, port {port}: cannot be listened at ({error}); name an address of this machine"
