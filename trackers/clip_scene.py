"""The things in the demo clip: pond floor, koi, lily pads. Everything is drawn from noise.

A sprite is a picture with premultiplied colour and an opacity, both float32 in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Koi", "Palette", "Sprite", "lily_pad", "pond_floor", "smooth_noise"]

Floats = NDArray[np.float32]

# Half width of a koi along its body, head (0) to the root of the tail, as parts of its full width.
_BODY_AT = (0.0, 0.04, 0.12, 0.3, 0.5, 0.66, 0.8, 0.86)
_BODY_HALF_WIDTH = (0.0, 0.5, 0.8, 1.0, 0.92, 0.6, 0.27, 0.0)
_TAIL_AT = (0.74, 0.84, 0.92, 1.0)
_TAIL_HALF_WIDTH = (0.0, 0.42, 0.72, 0.86)


@dataclass(frozen=True)
class Palette:
    """Colours of a koi, BGR in 0..1."""

    skin: tuple[float, float, float]
    patch: tuple[float, float, float]
    spot: tuple[float, float, float]
    patch_part: float


@dataclass(frozen=True)
class Sprite:
    """A picture with holes: colour (H, W, 3) premultiplied by opacity (H, W), float32 in 0..1."""

    colour: Floats
    opacity: Floats


def smooth_noise(size_hw: tuple[int, int], cell: float, rng: Generator) -> Floats:
    """Noise with features of about ``cell`` pixels, stretched to 0..1."""
    height, width = size_hw
    grid = (max(2, round(height / cell)), max(2, round(width / cell)))
    coarse = rng.random(grid).astype(np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(fine, None, 0, 1, cv2.NORM_MINMAX)


def pond_floor(size_hw: tuple[int, int], rng: Generator) -> NDArray[np.uint8]:
    """A floor of pebbles under green water, (H, W, 3) uint8 BGR."""
    height, width = size_hw
    pebbles = height * width // 330
    seeds = np.full(size_hw, 255, np.uint8)
    seeds[rng.integers(0, height, pebbles), rng.integers(0, width, pebbles)] = 0
    distance, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
    # Each pebble is a cell of the Voronoi diagram: one colour, darker towards its border.
    grey = rng.uniform(0.38, 0.66, (label.max() + 1, 1)).astype(np.float32)
    tint = rng.normal(0, 0.025, (label.max() + 1, 3)).astype(np.float32)
    colour = (grey * np.array([0.62, 0.78, 0.74], np.float32) + tint)[label]
    colour *= np.exp(-((distance / 11.0) ** 2))[..., None] * 0.55 + 0.45
    depth = smooth_noise(size_hw, 260, rng)[..., None] * 0.5 + 0.75
    algae = smooth_noise(size_hw, 70, rng)[..., None] ** 2 * 0.55
    colour = colour * (1 - algae) + np.array([0.16, 0.34, 0.24], np.float32) * algae
    grain = rng.normal(0, 0.03, (*size_hw, 1)).astype(np.float32)
    murky = cv2.GaussianBlur(colour * depth, (0, 0), 1.3)
    return np.clip((murky + grain) * 255, 0, 255).astype(np.uint8)


def lily_pad(radius: int, rng: Generator) -> Sprite:
    """A round leaf with a notch and veins, (2r, 2r)."""
    side = 2 * radius
    y, x = np.mgrid[:side, :side].astype(np.float32) - (radius - 0.5)
    reach = np.hypot(x, y) / radius
    angle = np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)
    bent = np.mod(angle, 2 * np.pi)
    edge = 0.93 + 0.03 * np.sin(bent * 5) + 0.02 * np.sin(bent * 11)
    opacity = _soft_step(edge - reach, 1.5 / radius)
    opacity *= _soft_step(np.minimum(bent, 2 * np.pi - bent) * reach - 0.12, 1.5 / radius)
    veins = np.abs(np.sin(bent * 6)) ** 0.25
    shade = (0.55 + 0.25 * veins + 0.2 * smooth_noise((side, side), 9, rng)) * (1.05 - 0.35 * reach)
    leaf = np.array([0.2, 0.55, 0.3], np.float32) + rng.normal(0, 0.03, 3).astype(np.float32)
    colour = np.clip(shade[..., None] * leaf, 0, 1) * opacity[..., None]
    return Sprite(colour.astype(np.float32), opacity.astype(np.float32))


class Koi:
    """A fish seen from above that bends as it swims; it looks towards +x."""

    canvas_hw = (136, 200)
    length = 168.0  # on the canvas, nose to tail
    half_width = 38.0

    def __init__(self, palette: Palette, rng: Generator) -> None:
        height, width = self.canvas_hw
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._along = (width - 16 - x) / self.length  # 0 at the nose, 1 at the end of the tail
        self._across = y - (height - 1) / 2
        self._skin = _skin(palette, rng)
        self._fin = np.array(palette.skin, np.float32) * 0.5 + np.array(palette.patch) * 0.4
        body = np.interp(self._along, _BODY_AT, _BODY_HALF_WIDTH, left=0, right=0)
        tail = np.interp(self._along, _TAIL_AT, _TAIL_HALF_WIDTH, left=0, right=0)
        self._body_half = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 3) * self.half_width
        self._tail_half = tail.astype(np.float32) * self.half_width

    def sprite(self, phase: float) -> Sprite:
        """Draw the fish at ``phase`` (cycles) of its stroke."""
        swing = (1.5 + 15 * np.clip(self._along, 0, 1) ** 1.6) * np.sin(
            2 * np.pi * (self._along * 0.8 - phase)
        )
        across = self._across - swing.astype(np.float32)
        tail = _soft_step(self._tail_half - np.abs(across), 1.5) * 0.8
        # The fork of the tail, and the rays of its fin.
        tail *= _soft_step(1.0 - self._along - 0.09 * np.exp(-((across / 9) ** 2)), 0.015)
        rays = 0.8 + 0.2 * np.sin(across * 1.3)
        fins = np.maximum(tail, self._side_fins(across, phase))
        body = _soft_step(self._body_half - np.abs(across), 1.2)
        relative = across / np.maximum(self._body_half, 1)
        shading = np.clip(1.08 - 0.5 * relative**2, 0, 1.1)
        skin = self._lookup(relative) * shading[..., None]
        opacity = body + fins * (1 - body)
        colour = skin * body[..., None]
        colour += (self._fin * rays[..., None]) * (fins * (1 - body))[..., None]
        return Sprite(np.clip(colour, 0, 1).astype(np.float32), opacity.astype(np.float32))

    def _side_fins(self, across: Floats, phase: float) -> Floats:
        """Opacity of the two fins behind the head, which fan with the stroke."""
        reach = self.half_width * (1.3 + 0.12 * np.sin(2 * np.pi * phase))
        along = (self._along - 0.33 - 0.0022 * np.abs(across)) / 0.075
        outward = (np.abs(across) - reach * 0.75) / (reach * 0.42)
        return _soft_step(1 - np.hypot(along, outward), 0.12) * 0.7

    def _lookup(self, relative: Floats) -> Floats:
        height, width = self._skin.shape[:2]
        column = np.clip(self._along / 0.86, 0, 1) * (width - 1)
        row = (np.clip(relative, -1, 1) + 1) / 2 * (height - 1)
        return cv2.remap(self._skin, column, row.astype(np.float32), cv2.INTER_LINEAR)


def _skin(palette: Palette, rng: Generator) -> Floats:
    """Pattern of a koi unrolled: (64, 160, 3), nose to tail by left to right."""
    size = (64, 160)
    skin = np.empty((*size, 3), np.float32)
    skin[:] = palette.skin
    field = smooth_noise(size, 26, rng)
    patches = _soft_step(field - np.quantile(field, 1 - palette.patch_part), 0.03)[..., None]
    skin = skin * (1 - patches) + np.array(palette.patch, np.float32) * patches
    field = smooth_noise(size, 12, rng)
    spots = _soft_step(field - np.quantile(field, 0.88), 0.03)[..., None]
    skin = skin * (1 - spots) + np.array(palette.spot, np.float32) * spots
    y, x = np.mgrid[: size[0], : size[1]]
    scales = 0.94 + 0.06 * np.sin(x * 0.9 + np.where(y // 5 % 2, np.pi, 0)) * np.sin(y * 0.63)
    skin *= scales[..., None].astype(np.float32)
    for row in (14, 49):
        cv2.circle(skin, (15, row), 3, (0.05, 0.05, 0.05), -1, cv2.LINE_AA)
    return skin


def _soft_step(value: Floats, width: float) -> Floats:
    """0 below -width/2, 1 above width/2, a smooth ramp between."""
    ramp = np.clip(value / width + 0.5, 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
