"""Frames from files and folders, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import FrameError, SourceError
from binvision.media import open_source
from binvision.media.images import natural_key, read_image
from tests.support.footage import texture, write_images, write_video


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    base = texture(96, 128, seed=1)
    return [np.roll(base, 3 * step, axis=1) for step in range(12)]


def test_a_video_knows_itself_and_gives_every_frame(tmp_path: Path, frames: list) -> None:
    path = write_video(tmp_path / "clip.mp4", frames, fps=30)
    with open_source(path) as source:
        assert (source.size_hw, source.fps, source.count) == ((96, 128), 30.0, 12)
        assert not source.live
        decoded = list(source)
    assert len(decoded) == 12
    for frame, truth in zip(decoded, frames, strict=True):
        assert frame.shape == (96, 128, 3)
        assert frame.dtype == np.uint8
        assert np.abs(frame.astype(int) - truth).mean() < 12  # the codec is lossy


def test_frames_stay_valid_when_the_next_one_is_read(tmp_path: Path, frames: list) -> None:
    with open_source(write_video(tmp_path / "clip.mp4", frames)) as source:
        first, second = (frame for frame, _ in zip(source, range(2), strict=False))
        assert not np.shares_memory(first, second)


def test_a_folder_is_played_in_natural_order(tmp_path: Path, frames: list) -> None:
    folder = write_images(tmp_path / "images", frames)  # 1.png ... 12.png
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(b"rubbish")
    with open_source(folder) as source:
        assert (source.size_hw, source.fps, source.count) == ((96, 128), None, 12)
        for frame, truth in zip(source, frames, strict=True):
            np.testing.assert_array_equal(frame, truth)


def test_a_glob_selects(tmp_path: Path, frames: list) -> None:
    folder = write_images(tmp_path, frames, "shot{}.png")
    with open_source(f"{folder}/shot1*.png") as source:
        assert source.count == 4  # 1, 10, 11, 12
        np.testing.assert_array_equal(list(source)[1], frames[9])


def test_grey_images_become_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 7), 90, np.uint8))
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.full((5, 7, 3), 90))


@pytest.mark.parametrize(
    "ordered", [["a1", "a2", "a10"], ["7", "08", "9"], ["b1_2", "b1_10", "b2_1"]]
)
def test_natural_order(ordered: list[str]) -> None:
    paths = [Path(name) for name in ordered]
    assert sorted(reversed(paths), key=natural_key) == paths


def test_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.mp4: no such file or folder; give a video"):
        open_source(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"\x00" * 4096, b"hello\n" * 100, None])
def test_what_is_no_video(tmp_path: Path, frames: list, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is None:  # cut short: the index at the end is missing
        whole = write_video(tmp_path / "whole.mp4", frames).read_bytes()
        content = whole[: len(whole) * 2 // 3]
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"cannot be opened as a video \({len(content)} bytes\)"):
        open_source(path)


def test_empty_video(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(SourceError, match=r"clip\.mp4: is empty \(0 bytes\), expected a video"):
        open_source(tmp_path / "clip.mp4")


def test_video_file_without_a_picture_stream(tmp_path: Path) -> None:
    silence = b"RIFF\x34\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00"
    silence += b"\x80\x3e\x00\x00\x02\x00\x10\x00data\x10\x00\x00\x00" + b"\x00" * 16
    (tmp_path / "sound.wav").write_bytes(silence)
    with pytest.raises(SourceError, match=r"sound\.wav: (cannot be opened|no frame can be)"):
        open_source(tmp_path / "sound.wav")


@pytest.mark.parametrize("codec_suffix", [("MJPG", ".avi"), ("mp4v", ".mkv"), ("mp4v", ".mp4")])
def test_a_video_that_breaks_off_is_an_error_after_its_frames(
    tmp_path: Path, frames: list, codec_suffix: tuple[str, str]
) -> None:
    codec, suffix = codec_suffix
    path = write_video(tmp_path / f"clip{suffix}", frames * 5, codec=codec)
    content = bytearray(path.read_bytes())
    middle, late = len(content) // 2, len(content) * 9 // 10
    content[middle:late] = bytes(late - middle)
    path.write_bytes(content)
    seen = 0
    with open_source(path) as source, pytest.raises(SourceError) as caught:
        for _ in source:
            seen += 1
    assert 10 < seen < 50
    assert f"breaks off after frame {seen} of 60" in str(caught.value)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no image; expected files ending in \.bmp"):
        open_source(tmp_path)


def test_a_glob_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no image"):
        open_source(f"{tmp_path}/*.jpg")


def test_a_damaged_image_in_the_middle(tmp_path: Path, frames: list) -> None:
    folder = write_images(tmp_path, frames)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:20])
    with open_source(folder) as source, pytest.raises(SourceError, match=r"3\.png: cannot be dec"):
        list(source)
    (folder / "3.png").write_bytes(b"")
    with open_source(folder) as source, pytest.raises(SourceError, match=r"3\.png: is empty"):
        list(source)


def test_images_of_another_size(tmp_path: Path, frames: list) -> None:
    folder = write_images(tmp_path, [*frames[:3], frames[3][:90]])
    with (
        open_source(folder) as source,
        pytest.raises(FrameError, match=r"4\.png: is 128x90 pixels, but the first frame is 128x96"),
    ):
        list(source)
