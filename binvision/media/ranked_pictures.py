"""A few pictures in a folder in the order of a ranking, as evaluations show the worst."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.media.files import write_atomically

__all__ = ["RANKED", "write_ranked"]

RANKED = 12  # pictures at most


def write_ranked(folder: Path, pictures: Iterable[NDArray[np.uint8]]) -> tuple[Path, ...]:
    """Write ``01.jpg`` and on; of earlier pictures there none is left.

    Args:
        folder: Where.
        pictures: `RANKED` at most, (H, W, 3) uint8 BGR, the first one first.

    Raises:
        SinkError: One cannot be written.
    """
    paths = []
    for rank, picture in enumerate(pictures, 1):
        paths.append(folder / f"{rank:02d}.jpg")
        write_atomically(paths[-1], cv2.imencode(".jpg", picture)[1].tobytes())
    for rank in range(len(paths) + 1, RANKED + 1):
        (folder / f"{rank:02d}.jpg").unlink(missing_ok=True)
    return tuple(paths)
