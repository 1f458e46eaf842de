"""The demo clip: a koi in a pond, with its true box in every frame. No picture from outside.

It is made to be hard in the ways that real clips are: the target bends and turns, shrinks and
grows, swims under a lily pad and past its twin; the camera pans, zooms and shakes over a busy
floor; light ripples, some frames are blurred and all are noisy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.trackers.clip_scene import Koi, Palette, Sprite, lily_pad, pond_floor, smooth_noise

__all__ = ["DemoClip"]

Floats = NDArray[np.floating]

_WORLD_HW = (1000, 1700)
_KOI_SCALE = 0.66  # pixels of the world for a pixel of the koi's canvas

# Red and white with black, "sanke": the target and its twin. A dark and a golden one swim along.
_SANKE = Palette((0.86, 0.92, 0.95), (0.12, 0.3, 0.88), (0.1, 0.09, 0.1), 0.45)
_DARK = Palette((0.3, 0.27, 0.25), (0.2, 0.22, 0.3), (0.08, 0.08, 0.08), 0.4)
_GOLD = Palette((0.25, 0.68, 0.9), (0.15, 0.5, 0.85), (0.2, 0.4, 0.6), 0.4)


@dataclass(frozen=True)
class _Swimmer:
    koi: Koi
    path: Floats  # (frames, 2), world pixels
    strokes: float  # cycles a second


class DemoClip:
    """Frames and truth, the same for the same seed.

    Attributes:
        size_hw: Height and width of a frame.
        fps: Frames per second.
        count: Number of frames.
    """

    size_hw = (360, 640)
    fps = 25.0

    def __init__(self, seed: int = 7, count: int = 200) -> None:
        """Prepare the scene.

        Args:
            seed: Another seed is another pond, other fish and other noise, on the same paths.
            count: Number of frames; the whole story is told in them.
        """
        self.count = count
        self._rng = np.random.default_rng(seed)
        self._floor = pond_floor(_WORLD_HW, self._rng)
        self._ripples = [
            np.abs(2 * smooth_noise(_WORLD_HW, cell, self._rng) - 1) for cell in (34, 55)
        ]
        self._grain = self._rng.normal(0, 4.0, (512, 800, 3)).astype(np.float32)
        time = np.linspace(0, 1, count)
        path = _target_path(time)
        self._swimmers = self._make_swimmers(time, path)
        self._pads = self._make_pads(path)
        self._centres, self._zooms = self._make_camera(time, path)
        self._noise_seed = int(self._rng.integers(2**32))

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], BoxXYWH]]:
        """Yield each frame, (360, 640, 3) uint8 BGR, with the target's true box.

        The box bounds the whole fish, also where a leaf hides some of it.
        """
        noise = np.random.default_rng(self._noise_seed)
        for index in range(self.count):
            yield self._render(index, noise)

    def _make_swimmers(self, time: Floats, path: Floats) -> list[_Swimmer]:
        rng = self._rng
        # The twin swims the same way but slower: the target overtakes it at half time.
        beside = np.stack([260 - 520 * time, -118 + 20 * np.sin(6 * time)], 1)
        dark = np.stack([1500 - 1150 * time, 300 + 330 * time + 30 * np.sin(9 * time)], 1)
        gold = np.stack([420 + 700 * time, 760 - 260 * time + 40 * np.sin(7 * time)], 1)
        return [
            _Swimmer(Koi(_DARK, rng), dark, 1.1),
            _Swimmer(Koi(_GOLD, rng), gold, 1.6),
            _Swimmer(Koi(_SANKE, rng), path + beside, 1.5),
            _Swimmer(Koi(_SANKE, rng), path, 1.9),
        ]

    def _make_pads(self, path: Floats) -> list[tuple[Sprite, Floats]]:
        """Leaves and their places: two on the target's way, the others for the eye."""
        places = [
            (44, path[int(self.count * 0.28)] + (6, 42)),
            (56, path[int(self.count * 0.78)] + (10, -50)),
            (52, np.array([520, 330])),
            (40, np.array([610, 280])),
            (60, np.array([1010, 690])),
            (44, np.array([1235, 190])),
            (50, np.array([1290, 640])),
        ]
        return [(lily_pad(radius, self._rng), np.asarray(place)) for radius, place in places]

    def _make_camera(self, time: Floats, path: Floats) -> tuple[Floats, Floats]:
        """Centre (frames, 2) and zoom (frames,) of a hand-held camera that follows late."""
        lagged = path + np.stack([70 * np.cos(8 * time) - 40, 45 * np.sin(6.3 * time)], 1)
        shake = self._rng.normal(0, 1, (self.count, 2))
        shake = cv2.GaussianBlur(shake, (1, 0), sigmaX=0.1, sigmaY=1.2) * 2.2
        zooms = 1.15 + 0.24 * np.sin(2 * np.pi * (time * 1.1 - 0.2))
        return lagged + shake, zooms

    def _render(self, index: int, noise: np.random.Generator) -> tuple[NDArray[np.uint8], BoxXYWH]:
        view = self._view(index)
        canvas = self._water(index, view)
        for swimmer in self._swimmers:
            matrix = view @ _pose(swimmer.path, index)
            phase = swimmer.strokes * index / self.fps
            drawn = _paste(canvas, swimmer.koi.sprite(phase), matrix)
        box = _bounds(*drawn)  # the target is drawn last, above the other fish
        for pad, place in self._pads:
            _paste(canvas, pad, view @ _translation(place - pad.opacity.shape[0] / 2))
        return self._expose(canvas, index, noise), box

    def _view(self, index: int) -> Floats:
        """3x3 matrix from the world to the frame."""
        zoom, centre = self._zooms[index], self._centres[index]
        height, width = self.size_hw
        matrix = np.diag([zoom, zoom, 1.0])
        matrix[:2, 2] = np.array([width / 2, height / 2]) - zoom * centre
        return matrix

    def _water(self, index: int, view: Floats) -> Floats:
        """The floor with the light that ripples over it, float32 in 0..1."""
        floor = _warp(self._floor, view, self.size_hw, cv2.BORDER_REFLECT_101)
        light = np.full(self.size_hw, -18, np.float32)
        for field, drift in zip(self._ripples, ((1.3, 0.5), (-0.8, 0.9)), strict=True):
            moved = _warp(
                field, view @ _translation(np.array(drift) * index), self.size_hw, cv2.BORDER_WRAP
            )
            light *= moved
        # Bright lines where a ripple crosses its middle, as the sun draws them through waves.
        light = 0.8 + 0.6 * cv2.exp(light)
        return cv2.multiply(floor, cv2.merge([light] * 3), scale=1 / 255, dtype=cv2.CV_32F)

    def _expose(self, canvas: Floats, index: int, noise: np.random.Generator) -> NDArray[np.uint8]:
        """Blur by the camera's motion, drift of the exposure, grain."""
        previous = max(index - 1, 0)
        step = (self._centres[index] - self._centres[previous]) * self._zooms[index]
        shutter = 1.0 if 0.55 < index / self.count < 0.68 else 0.35
        canvas = _motion_blur(canvas, step * shutter)
        gain = 255 * (1 + 0.1 * np.sin(2 * np.pi * index / self.count * 1.7))
        height, width = self.size_hw
        top = noise.integers(0, self._grain.shape[0] - height)
        left = noise.integers(0, self._grain.shape[1] - width)
        grain = self._grain[top : top + height, left : left + width]
        return cv2.addWeighted(canvas, gain, grain, 1, 0, dtype=cv2.CV_8U)


def _target_path(time: Floats) -> Floats:
    x = 380 + 820 * time + 30 * np.sin(9 * time)
    y = 470 + 52 * np.sin(5.2 * time) - 60 * time
    return np.stack([x, y], 1)


def _pose(path: Floats, index: int) -> Floats:
    """3x3 matrix from a koi's canvas to the world: along its path, nose ahead."""
    before, after = path[max(index - 3, 0)], path[min(index + 3, len(path) - 1)]
    dx, dy = (after - before) / np.hypot(*(after - before)) * _KOI_SCALE
    height, width = Koi.canvas_hw
    turn = np.array([[dx, -dy, path[index][0]], [dy, dx, path[index][1]], [0, 0, 1]])
    return turn @ _translation(np.array([-width / 2, -height / 2]))


def _translation(offset_xy: Floats) -> Floats:
    matrix = np.eye(3)
    matrix[:2, 2] = offset_xy
    return matrix


def _warp(image: NDArray, matrix: Floats, size_hw: tuple[int, int], border: int) -> NDArray:
    return cv2.warpAffine(image, matrix[:2], size_hw[::-1], borderMode=border)


def _paste(canvas: Floats, sprite: Sprite, matrix: Floats) -> tuple[Floats, tuple[int, int]]:
    """Draw a sprite and its shadow on ``canvas`` in place.

    Returns:
        Its opacity in the part of the frame that it touches, and the left and top of that part.
    """
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    shade = np.array([6, 9]) * zoom
    height, width = sprite.opacity.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]).T
    reach = (matrix[:2] @ corners).T
    limits = canvas.shape[1::-1]
    left, top = (int(v) for v in np.clip(np.floor(reach.min(0)) - 4, 0, limits))
    right, bottom = (int(v) for v in np.clip(np.ceil(reach.max(0) + shade) + 8, 0, limits))
    if left >= right or top >= bottom:
        return np.zeros((0, 0), np.float32), (left, top)
    part, size = canvas[top:bottom, left:right], (bottom - top, right - left)
    placed = _translation(np.array([-left, -top])) @ matrix
    shadow = _warp(sprite.opacity, _translation(shade) @ placed, size, cv2.BORDER_CONSTANT)
    opacity = _warp(sprite.opacity, placed, size, cv2.BORDER_CONSTANT)
    part *= ((1 - 0.45 * cv2.blur(shadow, (9, 9))) * (1 - opacity))[..., None]
    part += _warp(sprite.colour, placed, size, cv2.BORDER_CONSTANT)
    return opacity, (left, top)


def _bounds(opacity: Floats, corner_xy: tuple[int, int]) -> BoxXYWH:
    """Box in the frame of what is more than half opaque."""
    x, y, w, h = cv2.boundingRect((opacity > 0.5).astype(np.uint8))
    return float(x + corner_xy[0]), float(y + corner_xy[1]), float(w), float(h)


def _motion_blur(canvas: Floats, step_xy: Floats) -> Floats:
    length = float(np.hypot(*step_xy))
    side = 2 * int(np.ceil(length / 2)) + 1
    if side < 3:
        return canvas
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    end = np.rint(step_xy / 2).astype(int)
    cv2.line(kernel, (middle - end[0], middle - end[1]), (middle + end[0], middle + end[1]), 1.0)
    return cv2.filter2D(canvas, -1, kernel / kernel.sum())
