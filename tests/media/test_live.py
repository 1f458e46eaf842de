"""Cameras and streams: a driver that we play ourselves, and real HTTP on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision.errors import FrameError, SourceError
from binvision.media import live, open_source
from binvision.media.live import LiveSource
from tests.support.footage import texture, write_video


class PlayedCamera:
    """Stands in for cv2.VideoCapture: a list of frames, then the end or silence."""

    def __init__(self, frames: list[np.ndarray], *, hangs: bool = False, pause_s: float = 0.01):
        self._frames = iter(frames)
        self._hangs, self._pause_s = hangs, pause_s
        self.let_go = threading.Event()
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(self._pause_s)
        frame = next(self._frames, None)
        if frame is None and self._hangs:
            self.let_go.wait(10)
        return frame is not None, frame

    def get(self, prop: int) -> float:
        return {cv2.CAP_PROP_FPS: 30.0}.get(prop, 0.0)

    def release(self) -> None:
        self.released = True


def play(monkeypatch: pytest.MonkeyPatch, camera: PlayedCamera) -> LiveSource:
    monkeypatch.setattr(live, "open_capture", lambda *_: camera)
    return LiveSource(3, open_timeout_s=0.4, read_timeout_s=0.4)


def numbered(count: int) -> list[np.ndarray]:
    return [np.full((8, 8, 3), number, np.uint8) for number in range(count)]


def test_a_camera_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = PlayedCamera(numbered(4), pause_s=0.05)
    with play(monkeypatch, camera) as source:
        assert (source.name, source.fps, source.count, source.live) == (
            "camera 3",
            30.0,
            None,
            True,
        )
        seen = []
        with pytest.raises(SourceError, match=r"camera 3: stopped delivering after frame 4 "):
            for frame in source:
                seen.append(int(frame[0, 0, 0]))
    assert seen == [0, 1, 2, 3]
    assert camera.released


def test_a_camera_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = PlayedCamera(numbered(2), hangs=True, pause_s=0.05)
    started = time.monotonic()
    try:
        with play(monkeypatch, camera) as source:
            with pytest.raises(SourceError, match=r"stopped delivering .*waited up to 0\.4 s"):
                list(source)
        assert time.monotonic() - started < 5
        assert not camera.released  # releasing it under a reader that hangs would crash
    finally:
        camera.let_go.set()


def test_a_camera_without_a_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"camera 3: opened, but no frame came within 0\.4 s"):
        play(monkeypatch, PlayedCamera([]))


def test_a_slow_reader_gets_the_newest_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    with play(monkeypatch, PlayedCamera(numbered(60))) as source:
        frames = iter(source)
        next(frames)
        time.sleep(0.3)
        assert next(frames)[0, 0, 0] > 5


def test_another_size_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = PlayedCamera([*numbered(1), np.zeros((6, 8, 3), np.uint8)], pause_s=0.05)
    with play(monkeypatch, camera) as source:
        with pytest.raises(FrameError, match="camera 3, frame 1: is 8x6 pixels, but .* is 8x8"):
            list(source)


def test_a_camera_that_does_not_exist() -> None:
    with pytest.raises(SourceError, match=r"camera 97: cannot be opened \(no such camera"):
        open_source("97")


class _Handler(BaseHTTPRequestHandler):
    frames: list[bytes] = []
    file = b""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/clip.mp4":
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(len(self.file)))
            self.end_headers()
            self.wfile.write(self.file)
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for jpeg in self.frames:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    base = texture(96, 128, seed=2)
    frames = [np.roll(base, 5 * step, axis=1) for step in range(20)]
    _Handler.frames = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    _Handler.file = write_video(tmp_path / "clip.mp4", frames).read_bytes()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_stream_over_http_gives_every_frame_and_says_when_it_stops(server: str) -> None:
    with open_source(f"{server}/live.mjpg") as source:
        assert (source.live, source.count, source.size_hw) == (True, None, (96, 128))
        seen = 0
        with pytest.raises(SourceError, match=r"/live\.mjpg: stopped delivering after frame"):
            for _ in source:
                seen += 1
    assert seen >= 19  # a demuxer may keep the last picture of an unfinished stream


def test_a_file_over_http_has_an_end(server: str) -> None:
    with open_source(f"{server}/clip.mp4") as source:
        assert (source.live, source.count) == (False, 20)
        assert len(list(source)) == 20


def test_an_address_where_nobody_answers() -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9/x: cannot be opened \(no video stream"):
        LiveSource("http://127.0.0.1:9/x", open_timeout_s=2)
