"""A camera in the network, and a command that watches it and is watched itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.media.stream_server import StreamServer

__all__ = ["ENVIRONMENT", "network_camera", "serving"]

ENVIRONMENT = {**os.environ, "COLUMNS": "200"}


@contextmanager
def network_camera(frames: Sequence[NDArray[np.uint8]]) -> Iterator[str]:
    """Address of a camera that shows the frames to and fro for as long as the block lasts."""
    done = threading.Event()

    def film(server: StreamServer) -> None:
        number = 0
        while not done.wait(0.02):
            place = number % (2 * len(frames))
            server.show(frames[min(place, 2 * len(frames) - 1 - place)])
            number += 1

    with StreamServer(0) as server:
        thread = threading.Thread(target=film, args=[server])
        thread.start()
        try:
            yield f"{server.address}stream.mjpg"
        finally:
            done.set()
            thread.join()


@contextmanager
def serving(*words: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A run of a command with ``--serve``, and the address that it prints."""
    command = [sys.executable, "-m", "binvision", *map(str, words), "--serve", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        yield process, next(line for line in lines if line.startswith("open http")).split()[1]
    finally:
        process.kill()
        process.communicate()
