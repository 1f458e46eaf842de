"""Small clips for tests: a textured patch that moves over another texture, and files of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["moving_patch", "moving_patches", "texture", "write_images", "write_video"]

Frame = NDArray[np.uint8]


def texture(height: int, width: int, seed: int, grain: float = 2.5) -> Frame:
    """Coloured noise with features of about ``grain`` pixels, (height, width, 3)."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), grain)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moving_patch(
    centres: Sequence[tuple[float, float]],
    size_hw: tuple[int, int] = (240, 320),
    sides: Sequence[float] | None = None,
    seed: int = 0,
) -> tuple[list[Frame], NDArray[np.float64]]:
    """Frames in which a square patch follows ``centres``; where a side is 0 it is not there.

    Returns:
        The frames, and the true boxes (N, 4), x, y, w, h.
    """
    ground = texture(*size_hw, seed, grain=5.0) // 2 + 60
    patch = texture(64, 64, seed + 1, grain=5.0)
    sides = sides or [48.0] * len(centres)
    frames, boxes = [], []
    for (x, y), side in zip(centres, sides, strict=True):
        scale = side / 64
        matrix = np.array([[scale, 0, x - side / 2], [0, scale, y - side / 2]])
        # Pixel i covers i..i+1: the half pixel keeps the patch's edges where the box says.
        matrix[:, 2] += (scale - 1) / 2
        frame = ground.copy()
        if side:
            cv2.warpAffine(
                patch, matrix, size_hw[::-1], dst=frame, borderMode=cv2.BORDER_TRANSPARENT
            )
        frames.append(frame)
        boxes.append((x - side / 2, y - side / 2, side, side))
    return frames, np.array(boxes)


def moving_patches(
    paths: Sequence[Sequence[tuple[float, float]]],
    size_hw: tuple[int, int] = (240, 320),
    side: int = 40,
    occluder: tuple[int, int, int, int] | None = None,
    seed: int = 0,
) -> tuple[list[Frame], list[dict[int, tuple[float, float, float, float]]]]:
    """Frames in which a square patch follows each path, the last one in front of the others.

    Args:
        paths: For each patch its centre in every frame.
        size_hw: Size of the frames.
        side: Side of the patches, pixels.
        occluder: x, y, w, h of a plate in front of everything.
        seed: Of the textures.

    Returns:
        The frames, and in each the true boxes by the patch's number, from 1: of patches of which
        a third or more can be seen.
    """
    ground = texture(*size_hw, seed, grain=5.0) // 2 + 60
    patches = [texture(side, side, seed + number, grain=4.0) for number in range(1, len(paths) + 1)]
    plate = texture(*size_hw, seed + 99, grain=9.0) // 4
    frames, truth = [], []
    for places in zip(*paths, strict=True):
        frame = ground.copy()
        owner = np.zeros(size_hw, np.int64)
        corners = [(round(x - side / 2), round(y - side / 2)) for x, y in places]
        for number, (left, top) in enumerate(corners, 1):
            x0, y0, x1, y1 = max(left, 0), max(top, 0), left + side, top + side
            if x1 > 0 and y1 > 0:
                seen = frame[y0:y1, x0:x1]
                patch = patches[number - 1][y0 - top :, x0 - left :]
                seen[:] = patch[: seen.shape[0], : seen.shape[1]]
                owner[y0:y1, x0:x1] = number
        if occluder:
            x, y, w, h = occluder
            frame[y : y + h, x : x + w] = plate[y : y + h, x : x + w]
            owner[y : y + h, x : x + w] = 0
        frames.append(frame)
        truth.append(
            {
                number: (float(left), float(top), float(side), float(side))
                for number, (left, top) in enumerate(corners, 1)
                if (owner == number).sum() * 3 >= side**2
            }
        )
    return frames, truth


def write_video(
    path: Path, frames: Iterable[Frame], fps: float = 25.0, codec: str = "mp4v"
) -> Path:
    """Write frames of one size as a video."""
    writer = None
    for frame in frames:
        if writer is None:
            fourcc = cv2.VideoWriter.fourcc(*codec)
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, size)
            assert writer.isOpened()
        writer.write(frame)
    assert writer is not None
    writer.release()
    return path


def write_images(folder: Path, frames: Iterable[Frame], pattern: str = "{}.png") -> Path:
    """Write frames as numbered images, from 1 and without leading zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, 1):
        assert cv2.imwrite(str(folder / pattern.format(number)), frame)
    return folder
