"""A photographed face that moves over a background, and where its points are in each frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.annotations import read_point_set
from tests.support.footage import texture

__all__ = ["face_film"]

_FACE = 150.0  # longer side of the face's points, pixels


def face_film(
    folder: Path, count: int, number: int = 0, size_hw: tuple[int, int] = (480, 640)
) -> tuple[list[NDArray[np.uint8]], NDArray[np.float64]]:
    """Frames in which a photograph glides on a circle, grows and shrinks, and tilts.

    Args:
        folder: Pictures with ``.pts`` files, as 300-W has them.
        count: Number of frames; the last one leads back to the first.
        number: Which of the pictures.
        size_hw: Size of the frames.

    Returns:
        The frames, and the true points (count, 68, 2), pixels counted from 0.
    """
    person = read_point_set(folder).pictures[number]
    photograph, points = person.read(), person.points.astype(np.float64)
    middle = (points.min(0) + points.max(0)) / 2
    scale = _FACE / np.ptp(points, 0).max()
    ground = texture(*size_hw, seed=3, grain=9.0) // 2 + 50
    mask = _soft_oval(photograph.shape[:2])
    frames, truth = [], []
    for turn in 2 * np.pi * np.arange(count) / count:
        x = size_hw[1] / 2 + 0.2 * size_hw[1] * np.cos(turn)
        y = size_hw[0] / 2 + 0.1 * size_hw[0] * np.sin(turn)
        angle, size = 12 * np.sin(turn), scale * (1 + 0.15 * np.sin(2 * turn))
        matrix = cv2.getRotationMatrix2D(middle.tolist(), angle, size)
        matrix[:, 2] += (x, y) - middle
        warped = cv2.warpAffine(photograph, matrix, size_hw[::-1], flags=cv2.INTER_AREA)
        weight = cv2.warpAffine(mask, matrix, size_hw[::-1])[..., None]
        frames.append(np.rint(warped * weight + ground * (1 - weight)).astype(np.uint8))
        truth.append(points @ matrix[:, :2].T + matrix[:, 2])
    return frames, np.array(truth)


def _soft_oval(size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """1 in most of a picture, falling to 0 towards its edges."""
    y, x = (np.linspace(-1, 1, side) for side in size_hw)
    reach = np.hypot(y[:, None], x[None])
    return np.clip((1 - reach) / 0.15, 0, 1).astype(np.float32)
