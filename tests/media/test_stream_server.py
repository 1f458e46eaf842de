"""The server of frames, asked as browsers ask it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse

import numpy as np
import pytest

from binvision.errors import SinkError
from binvision.media.stream_server import StreamServer
from tests.support.viewers import ask, next_picture


def frame(value: int, size_hw: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.full((*size_hw, 3), value, np.uint8)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with StreamServer(0) as server:
        yield server


def part(answer: HTTPResponse) -> int:
    """Grey value of the next frame of a stream."""
    picture = next_picture(answer)
    assert picture is not None and picture.shape == (24, 32, 3)
    return int(picture.mean().round())


def test_the_page_shows_the_stream(server: StreamServer) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    answer = ask(server.address, "/")
    assert answer.status == 200 and answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert b'src="stream.mjpg"' in answer.read()


def test_other_paths_are_not_there(server: StreamServer) -> None:
    for path in ("/etc/passwd", "/../stream.mjpg", "/favicon.ico"):
        assert ask(server.address, path).status == 404


def test_a_viewer_gets_the_newest_frame_and_those_after_it(server: StreamServer) -> None:
    server.show(frame(10))
    server.show(frame(50))
    answer = ask(server.address, "/stream.mjpg")
    assert answer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
    assert part(answer) == 50
    server.show(frame(90))
    assert part(answer) == 90
    assert ask(server.address, "/frame.jpg").status == 200


def test_several_viewers_see_the_same(server: StreamServer) -> None:
    server.show(frame(10))
    viewers = [ask(server.address, "/stream.mjpg") for _ in range(3)]
    assert [part(viewer) for viewer in viewers] == [10] * 3
    server.show(frame(200))
    assert [part(viewer) for viewer in viewers] == [200] * 3


def test_a_viewer_that_reads_nothing_holds_nobody_up(server: StreamServer) -> None:
    slow = socket.create_connection((server.address.split("/")[2].split(":")[0], port(server)))
    slow.sendall(b"GET /stream.mjpg HTTP/1.0\r\n\r\n")
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    started = time.perf_counter()
    for _ in range(50):  # far more than the buffers between us hold
        server.show(noise)
        time.sleep(0.002)
    assert time.perf_counter() - started < 5
    server.show(frame(70))
    assert part(ask(server.address, "/stream.mjpg")) == 70
    slow.close()


def test_viewers_may_leave(server: StreamServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.show(frame(10))
    for _ in range(3):
        ask(server.address, "/stream.mjpg").close()
        server.show(frame(20))
    time.sleep(0.05)
    assert part(ask(server.address, "/stream.mjpg")) == 20
    assert capsys.readouterr() == ("", "")


def test_the_end_ends_streams_and_frees_the_port() -> None:
    with StreamServer(0) as server:
        server.show(frame(10))
        answer = ask(server.address, "/stream.mjpg")
        part(answer)
        number = port(server)
    assert answer.read() == b""
    with StreamServer(number):
        pass


def test_a_viewer_before_the_first_frame_waits_for_it(server: StreamServer) -> None:
    threading.Timer(0.1, server.show, (frame(30),)).start()
    assert part(ask(server.address, "/stream.mjpg")) == 30


def test_a_port_in_use_is_an_error(server: StreamServer) -> None:
    with pytest.raises(SinkError, match=rf"port {port(server)} of 127.0.0.1 is in use by another"):
        StreamServer(port(server))


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(SinkError, match="192.0.2.1, port 0: cannot be listened at"):
        StreamServer(0, "192.0.2.1")


def port(server: StreamServer) -> int:
    return int(server.address.rstrip("/").rpartition(":")[2])
