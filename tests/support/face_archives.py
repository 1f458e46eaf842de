"""Pictures of points, 68 of them and laid out like a face's, as face archives and as folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["face", "write_face_archive", "write_points"]

_POINTS = 68


def face(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A dark picture with a white dot at each point, and the points (68, 2)."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((120 + 10 * seed, 100 + 4 * seed, 3), np.uint8)
    angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
    centre, half = rng.uniform(45, 55, 2), rng.uniform(20, 30, 2)
    points = centre + half * np.column_stack([np.cos(angle), np.sin(angle)])
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), 1, (255, 255, 255), -1)
    return picture, points.astype(np.float32)


def write_face_archive(path: Path, count: int) -> Path:
    """Write ``count`` faces as an archive."""
    faces = [face(seed) for seed in range(count)]
    codes = [cv2.imencode(".jpg", picture)[1].ravel() for picture, _ in faces]
    np.savez(
        path,
        jpeg=np.concatenate(codes),
        offsets=np.cumsum([0, *(len(code) for code in codes)]),
        landmarks=np.stack([points for _, points in faces]),
    )
    return path


def write_points(folder: Path, count: int) -> Path:
    """Write ``count`` faces as pictures with ``.pts`` files beside them; points count from 1."""
    folder.mkdir(parents=True)
    for seed in range(count):
        picture, points = face(seed)
        cv2.imwrite(str(folder / f"face{seed}.jpg"), picture)
        rows = "".join(f"{x + 1:.3f} {y + 1:.3f}\n" for x, y in points)
        (folder / f"face{seed}.pts").write_text(f"version: 1\nn_points: {_POINTS}\n{{\n{rows}}}\n")
    return folder
