"""The size of a picture from the first bytes of its file, without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from binvision.errors import SourceError
from binvision.media.images import read_image

__all__ = ["read_size_hw"]

_HEAD_BYTES = 32  # enough for all kinds but JPEG, whose size may lie behind thumbnails and profiles
# Markers of a JPEG frame header; the three between them are tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def read_size_hw(path: Path) -> tuple[int, int]:
    """Height and width in pixels as they are stored, not turned by a note in the file.

    Kinds whose header is not known here, and headers that say nothing, are decoded.

    Raises:
        SourceError: The file is missing, empty, or not a picture that OpenCV decodes.
    """
    try:
        with path.open("rb") as file:
            size_hw = _size_of(file)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    if size_hw and min(size_hw) > 0:
        return size_hw
    height, width = read_image(path).shape[:2]
    return height, width


def _size_of(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(_HEAD_BYTES)
    if head[:2] == b"\xff\xd8":
        return _jpeg_size(file)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Go from segment to segment until one describes the frame."""
    file.seek(2)
    while True:
        marker = file.read(2)
        while len(marker) == 2 and marker[0] == 0xFF and marker[1] == 0xFF:  # fill bytes
            marker = marker[1:] + file.read(1)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        if marker[1] in _JPEG_BARE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return None
        if marker[1] in _JPEG_FRAMES:
            frame = file.read(5)  # bits a sample, height, width
            if len(frame) < 5:
                return None
            return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
        file.seek(length - 2, 1)


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":  # 24 bits each, less one
        return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1
    if kind == b"VP8L":  # 14 bits each, less one, behind a signature byte
        bits = int.from_bytes(head[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 ":  # 14 bits each, above them two bits for scaling
        return (
            int.from_bytes(head[28:30], "little") & 0x3FFF,
            int.from_bytes(head[26:28], "little") & 0x3FFF,
        )
    return None
