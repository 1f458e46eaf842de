"""Annotated video: whole or not at all, and loud when it cannot be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from binvision.errors import SinkError, UsageError
from binvision.media import VideoSink, open_source
from binvision.media import video_sink as module
from tests.support.footage import texture


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    base = texture(96, 128, seed=4)
    return [np.roll(base, 3 * step, axis=1) for step in range(10)]


@pytest.mark.parametrize("suffix", [".mp4", ".MP4", ".avi", ".mkv"])
def test_what_is_written_can_be_read(tmp_path: Path, frames: list, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with VideoSink(path, 12.5, (96, 128)) as sink:
        for frame in frames:
            sink.write(frame)
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    with open_source(path) as source:
        assert source.fps == 12.5
        decoded = list(source)
    assert len(decoded) == len(frames)
    assert np.abs(decoded[-1].astype(int) - frames[-1]).mean() < 12


def test_what_was_written_before_an_error_is_kept(tmp_path: Path, frames: list) -> None:
    with pytest.raises(KeyboardInterrupt), VideoSink(tmp_path / "o.mp4", 25, (96, 128)) as sink:
        sink.write(frames[0])
        sink.write(frames[1])
        raise KeyboardInterrupt
    with open_source(tmp_path / "o.mp4") as source:
        assert len(list(source)) == 2


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    assert VideoSink(tmp_path / "o.mp4", 25, (96, 128)).close() is False
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_harmless(tmp_path: Path, frames: list) -> None:
    sink = VideoSink(tmp_path / "o.mp4", 25, (96, 128))
    sink.write(frames[0])
    assert sink.close() is True
    assert sink.close() is False
    assert (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize("name", ["o.gif", "o"])
def test_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"video is written as \.avi, \.mkv, \.mp4, not"):
        VideoSink(tmp_path / name, 25, (96, 128))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="none is missing or read-only"):
        VideoSink(tmp_path / "none" / "o.mp4", 25, (96, 128))


def test_an_encoder_that_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CODECS", {".mp4": "av01"})  # known to MP4, encoded by no build
    with pytest.raises(SinkError, match=r"OpenCV cannot encode av01 video of 128x96 pixels"):
        VideoSink(tmp_path / "o.mp4", 25, (96, 128))
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size(tmp_path: Path, frames: list) -> None:
    with VideoSink(tmp_path / "o.mp4", 25, (96, 128)) as sink:
        with pytest.raises(SinkError, match=r"frame of shape \(90, 128, 3\), expected \(96, 128\)"):
            sink.write(frames[0][:90])


def test_a_full_disk_is_noticed(
    tmp_path: Path, frames: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = VideoSink(tmp_path / "o.mp4", 25, (96, 128))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(SinkError, match=r"the disk is full \(1 MiB left after frame 0\)"):
        sink.write(frames[0])
    assert sink.close() is False
    assert list(tmp_path.iterdir()) == []


# A process that may not write more than 64 KiB into a file stands for a disk without room.
_LIMITED = """
import resource, sys
import numpy as np
from binvision.errors import SinkError
from binvision.media import VideoSink

resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
rng = np.random.default_rng(0)
try:
    with VideoSink(sys.argv[1], 25, (240, 320)) as sink:
        for _ in range(30):
            sink.write(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8))
except SinkError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_write_that_fails_in_silence_is_found_out(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LIMITED, str(tmp_path / "o.mp4")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "o.mp4: the video could not be finished; the disk may be full" in done.stdout, done
    assert list(tmp_path.iterdir()) == []
