"""A video of one face: a picture that moves over its own blurred copy, with a camera's noise."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FaceClip"]

_SIZE_HW = (480, 640)
_HEIGHT = 340.0  # of the picture in the middle of its changes, pixels
_FEATHER = 0.12  # of the picture's sides, over which it fades out


class FaceClip:
    """Frames in 640x480.

    Attributes:
        frames: (480, 640, 3) uint8, BGR.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        count: int,
        *,
        noise: float,
        seed: int,
        still: bool = False,
    ) -> None:
        """Make the video.

        Args:
            picture: (H, W, 3) uint8 with the face.
            count: Number of frames.
            noise: Standard deviation of every value, of 0..255.
            seed: Of the noise.
            still: Leave the picture in the middle.
        """
        self._matrices = [_matrix(picture, 0 if still else number) for number in range(count)]
        rng = np.random.default_rng(seed)
        fade = _fade(picture.shape[:2])
        ground = cv2.resize(picture, _SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
        ground = cv2.GaussianBlur(ground, (0, 0), 40).astype(np.float32)
        self.frames = []
        for matrix in self._matrices:
            moved, weight = (
                cv2.warpAffine(each.astype(np.float32), matrix, _SIZE_HW[::-1])
                for each in (picture, fade)
            )
            frame = ground + weight[..., None] * (moved - ground)
            frame += noise * rng.standard_normal(frame.shape, np.float32)
            self.frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))

    def places_of(self, points: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Where points (P, 2) of the picture are in each frame."""
        return [points @ matrix[:, :2].T + matrix[:, 2] for matrix in self._matrices]


def _matrix(picture: NDArray[np.uint8], number: int) -> NDArray[np.float64]:
    """From the picture to frame ``number``: a loop in five seconds, sizes in three."""
    height, width = picture.shape[:2]
    turn = 2 * math.pi * number / 150
    scale = _HEIGHT / height * (1 + 0.2 * math.sin(2 * math.pi * number / 90))
    middle = np.array([320 + 90 * math.sin(turn), 240 + 40 * math.sin(2 * turn)])
    shift = middle - scale * np.array([(width - 1) / 2, (height - 1) / 2])
    return np.concatenate((scale * np.eye(2), shift[:, None]), 1)


def _fade(size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Weights (H, W): 1 in the middle, 0 at the edge."""
    sides = []
    for side in size_hw:
        edge = np.minimum(np.arange(side), np.arange(side)[::-1]) / (_FEATHER * side)
        sides.append(np.clip(edge, 0, 1))
    return np.minimum.outer(*sides)
