"""A folder or a list of still images, played as a clip."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import FrameError, SourceError
from binvision.media.capture import quiet_opencv

__all__ = [
    "IMAGE_SUFFIXES",
    "ImageSource",
    "check_frame",
    "images_named",
    "list_images",
    "natural_key",
    "no_images",
    "read_image",
    "size_changed",
]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that counts: ``img2.jpg`` comes before ``img10.jpg``."""
    parts = re.split(r"(\d+)", path.as_posix().lower())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder; hidden files and other kinds are left out."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]


def images_named(text: str) -> list[Path] | None:
    """List the images of a folder or a glob in no order; None where ``text`` names neither."""
    path = Path(text).expanduser()
    if path.is_dir():
        return list_images(path)
    if glob.has_magic(text) and not path.exists():
        return [Path(name) for name in glob.glob(str(path))]
    return None


def no_images(name: str) -> SourceError:
    """Word the error of a folder or glob without images."""
    kinds = " ".join(IMAGE_SUFFIXES)
    return SourceError(f"{name}: holds no image; expected files ending in {kinds}")


def read_image(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """Read one image as (H, W, 3) uint8 BGR; grey is spread over three channels.

    Transparency is left out, and 16 bits are reduced to their upper 8.

    Args:
        path: The file.
        upright: Turn the picture as a note of its camera in the file says. By default pixels
            stay as they are stored: ground truth counts them so, and such notes would change
            the size in the middle of a sequence.

    Raises:
        SourceError: The file is missing, empty, or not a picture that OpenCV decodes.
    """
    try:
        # Not cv2.imread: that cannot open paths outside the code page on Windows.
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    if not encoded.size:
        raise SourceError(f"{path}: is empty (0 bytes), expected an image")
    how = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    with quiet_opencv():
        image = cv2.imdecode(encoded, how)
    if image is None:
        raise SourceError(
            f"{path}: cannot be decoded as an image ({encoded.size} bytes); "
            f"the file is damaged or of a kind that OpenCV does not read"
        )
    return image


def check_frame(frame: NDArray[np.uint8], name: str = "frame") -> None:
    """Make sure that ``frame`` is (H, W, 3) uint8 with at least one pixel.

    Args:
        frame: What a caller gave.
        name: What the message calls it.

    Raises:
        FrameError: It has another type or shape.
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise FrameError(f"{name}: expected an array of uint8, found {kind}")
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise FrameError(f"{name}: expected shape (H, W, 3) in BGR order, found {frame.shape}")


class ImageSource:
    """Images in natural order of their names; see FrameSource for the attributes."""

    fps: float | None = None
    live: bool = False

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        if not paths:
            raise no_images(name)
        self.name = name
        self._paths = sorted(paths, key=natural_key)
        self.count: int | None = len(self._paths)
        self._first = read_image(self._paths[0])
        self.size_hw: tuple[int, int] = self._first.shape[:2]

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        yield self._first
        for path in self._paths[1:]:
            image = read_image(path)
            if image.shape[:2] != self.size_hw:
                raise FrameError(size_changed(str(path), self.size_hw, image.shape[:2]))
            yield image

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open between images."""


def size_changed(where: str, expected_hw: tuple[int, int], got_hw: tuple[int, int]) -> str:
    """Word the error of a frame that has another size than the first."""
    expected, got = f"{expected_hw[1]}x{expected_hw[0]}", f"{got_hw[1]}x{got_hw[0]}"
    return (
        f"{where}: is {got} pixels, but the first frame is {expected}; "
        f"all frames must have one size: resize or split the source"
    )
