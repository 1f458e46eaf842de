"""Sizes from headers against OpenCV's decoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import SourceError
from binvision.media import image_size
from binvision.media.image_size import read_size_hw
from binvision.media.images import read_image

KINDS: list[tuple[str, list[int]]] = [
    (".jpg", []),
    (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
    (".png", []),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),  # without loss
    (".bmp", []),
    (".tiff", []),
]


@pytest.mark.parametrize(("suffix", "options"), KINDS)
@pytest.mark.parametrize("size_hw", [(1, 1), (37, 300), (300, 37)])
def test_sizes_of_all_kinds(
    tmp_path: Path, suffix: str, options: list[int], size_hw: tuple[int, int]
) -> None:
    path = tmp_path / f"picture{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    assert cv2.imwrite(str(path), noise, options)
    assert read_size_hw(path) == read_image(path).shape[:2] == size_hw


@pytest.mark.parametrize(("suffix", "options"), KINDS[:6])
def test_known_kinds_are_not_decoded(
    tmp_path: Path, suffix: str, options: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"picture{suffix}"
    assert cv2.imwrite(str(path), np.zeros((20, 30, 3), np.uint8), options)
    monkeypatch.setattr(image_size, "read_image", None)
    assert read_size_hw(path) == (20, 30)


def test_webp_with_transparency(tmp_path: Path) -> None:
    """Its extended header gives the size of the canvas."""
    path = tmp_path / "picture.webp"
    rgba = np.random.default_rng(0).integers(0, 256, (21, 34, 4), np.uint8)
    assert cv2.imwrite(str(path), rgba, [cv2.IMWRITE_WEBP_QUALITY, 50])
    assert read_size_hw(path) == (21, 34)


def test_jpeg_with_a_thumbnail_before_its_frame(tmp_path: Path) -> None:
    """The thumbnail's own header lies inside a segment that is skipped."""
    thumbnail = cv2.imencode(".jpg", np.zeros((8, 9, 3), np.uint8))[1].tobytes()
    whole = cv2.imencode(".jpg", np.zeros((80, 90, 3), np.uint8))[1].tobytes()
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    path = tmp_path / "picture.jpg"
    path.write_bytes(whole[:2] + segment + b"\xff\xff" + whole[2:])  # and fill bytes
    assert read_size_hw(path) == (80, 90)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\x00\x00",
        b"\xff\xd8\xff\xc0\x00\x11\x08",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"no picture",
    ],
)
def test_damaged_headers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"picture\.jpg: "):
        read_size_hw(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_size_hw(tmp_path / "gone.jpg")
