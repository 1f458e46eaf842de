"""Files of MATLAB up to version 7.2, whose damage becomes a line for the user."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError

__all__ = ["find_file", "read_mat", "rows_of"]

_DAMAGED = (
    OSError, KeyError, ValueError, TypeError, IndexError, EOFError, NotImplementedError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip


def read_mat(path: Path, *names: str, as_objects: bool = False) -> tuple[Any, ...]:
    """Read variables of a file.

    Args:
        path: The file.
        names: Which variables.
        as_objects: Structures become objects with attributes, and axes of length 1 are left out.

    Raises:
        DataError: The file is missing or damaged, or lacks a variable.
        ImportError: scipy is not installed.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(
            str(path),
            variable_names=names,
            struct_as_record=not as_objects,
            squeeze_me=as_objects,
        )
        return tuple(content[name] for name in names)
    except (*_DAMAGED, MatReadError) as error:
        raise DataError(
            f"{path}: not a MATLAB file with {', '.join(names)} ({error}); fetch it again"
        ) from error


def rows_of(array: Any, columns: int, where: str) -> NDArray[np.float64]:
    """Make sure of (N, columns) numbers.

    Raises:
        DataError: It is something else.
    """
    try:
        rows = np.asarray(array, np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise DataError(f"{where}: expected rows of {columns} numbers, found {np.shape(array)}")
    return rows


def find_file(root: Path, *names: str) -> Path:
    """First of some files that is in a folder.

    Args:
        root: The folder, or one of the files itself.
        names: Paths below it, the likeliest first.

    Raises:
        DataError: None is there.
    """
    if root.is_file() and root.name in {Path(name).name for name in names}:
        return root
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DataError(f"{root}: holds no {' or '.join(names)}; ROOT is the folder of the data set")
