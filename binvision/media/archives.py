"""Archives of photographs (``.npz``): encoded pictures in a row, and where each of them begins."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError

__all__ = ["DecodedPictures", "read_archive"]

Image = NDArray[np.uint8]

_DAMAGED = (
    OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


def read_archive(
    path: str | Path,
    kind: str,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
    *,
    prefix: str = "",
) -> tuple[list[Image], dict[str, NDArray[Any]]]:
    """Read an archive with the arrays ``jpeg`` (bytes of all pictures) and ``offsets`` (N + 1).

    Args:
        path: The file.
        kind: What errors call it.
        required: Further arrays that it must have.
        optional: Further arrays that it may have.
        prefix: What the names of ``jpeg`` and ``offsets`` begin with.

    Returns:
        The encoded pictures, at least one, and the further arrays by name.

    Raises:
        DataError: The file is missing or damaged, or lacks an array.
    """
    names = (f"{prefix}jpeg", f"{prefix}offsets", *required)
    try:
        with Path(path).open("rb") as file, np.load(file) as content:
            arrays = {name: content[name] for name in names}
            arrays |= {name: content[name] for name in optional if name in content}
    except _DAMAGED as error:
        listed = f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
        raise DataError(f"{path}: not a {kind} with arrays {listed} ({error})") from error
    code, offsets = arrays.pop(names[0]), arrays.pop(names[1])
    is_kind = code.dtype == np.uint8 and offsets.dtype.kind in "iu"
    if not is_kind or not code.ndim == offsets.ndim == 1:
        raise DataError(
            f"{path}: {names[0]!r} {code.shape} of {code.dtype} and {names[1]!r} {offsets.shape} "
            f"of {offsets.dtype}; expected a row of uint8 and a row of integers"
        )
    if len(offsets) < 2 or offsets[0] < 0 or offsets[-1] > len(code):
        raise DataError(
            f"{path}: {names[1]!r} do not lead into the {code.size} bytes of {names[0]!r}; "
            f"expected the begin of each picture and the end of the last"
        )
    if (offsets[1:] <= offsets[:-1]).any():
        first = int(np.flatnonzero(offsets[1:] <= offsets[:-1])[0])
        raise DataError(f"{path}: picture {first} has no bytes; {names[1]!r} must rise")
    return [code[start:end] for start, end in zip(offsets, offsets[1:], strict=False)], arrays


class DecodedPictures:
    """Pictures that stay decoded while there is room; the others are decoded each time.

    Args:
        room: Bytes of memory.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._images: dict[Hashable, Image] = {}

    def get(self, key: Hashable, decode: Callable[[], Image]) -> Image:
        """Return a picture, decoded now if it is not kept; it must not be written to."""
        image = self._images.get(key)
        if image is None:
            image = decode()
            if image.nbytes <= self._room:
                self._room -= image.nbytes
                self._images[key] = image
        return image
