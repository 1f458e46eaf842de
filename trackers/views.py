"""Views of one object for training: crops with geometry, paste-ins and photometric changes.

A view is a square crop scaled so that the target's context region (Bertinetto et al., 2016,
section 2.3) would be an exemplar of 127 pixels, with the target at a known place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Target", "ViewRanges", "degrade", "render_view"]

Image = NDArray[np.uint8]
_EXEMPLAR_SIZE = 127


@dataclass(frozen=True)
class Target:
    """An object in a picture.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        box_xywh: Its box in pixels of the picture.
    """

    image: Image
    box_xywh: tuple[float, float, float, float]

    @property
    def centre_xy(self) -> NDArray[np.float64]:
        """Centre of the box."""
        x, y, w, h = self.box_xywh
        return np.array([x + (w - 1) / 2, y + (h - 1) / 2])

    @property
    def context_side(self) -> float:
        """Side of the square context region, sqrt((w + p)(h + p)) with p = (w + h) / 2."""
        _, _, w, h = self.box_xywh
        margin = (w + h) / 2
        return float(np.sqrt((w + margin) * (h + margin)))


@dataclass(frozen=True)
class ViewRanges:
    """How far a view may differ from a plain crop.

    Attributes:
        size: Side of the view in pixels.
        shift: Largest displacement of the target from the centre, pixels, per axis.
        scale_sigma: Standard deviation of the logarithm of the scale.
        aspect_sigma: Standard deviation of the logarithm of the aspect change.
        rotation_sigma: Standard deviation of the rotation, degrees.
        shear_sigma: Standard deviation of the shear, which stands in for turns out of the plane.
        paste: Probability that the target stands on another picture.
        distractor: Probability of each of two foreign objects beside it.
        occluder: Probability that something covers part of it.
        surround: Probability that another picture, not one plain colour, lies beyond the border.
    """

    size: int
    shift: float
    scale_sigma: float
    aspect_sigma: float
    rotation_sigma: float
    shear_sigma: float
    paste: float
    distractor: float
    occluder: float
    surround: float = 0.0


def render_view(
    target: Target, others: list[Target], ranges: ViewRanges, rng: Generator
) -> tuple[Image, NDArray[np.float32], NDArray[np.float32]]:
    """Render one view of ``target``.

    Args:
        target: The object.
        others: Foreign objects, for background, distractors and occluder.
        ranges: What may vary.
        rng: Source of all randomness.

    Returns:
        The crop (size, size, 3) uint8; the target's displacement (dx, dy) from the centre of the
        crop, float32 pixels; and its box there, float32 (left, top, right, bottom).
    """
    shift = rng.uniform(-ranges.shift, ranges.shift, 2)
    place = (ranges.size - 1) / 2 + shift
    matrix = _placement(target, place, ranges, rng)
    if others and ranges.surround and rng.random() < ranges.surround:
        view = _background(others[-1], ranges.size, rng)
        size_wh = (ranges.size, ranges.size)
        cv2.warpAffine(target.image, matrix, size_wh, view, borderMode=cv2.BORDER_TRANSPARENT)
    else:
        view = _warp(target.image, matrix, ranges.size, cv2.BORDER_CONSTANT)
    outline = _outline(target, matrix)

    if others and rng.random() < ranges.paste:
        background = _background(others[0], ranges.size, rng)
        view = _blend(background, view, _mask(outline, ranges.size, rng))
    for other in others[1:3]:
        if rng.random() < ranges.distractor:
            view = _add_distractor(view, other, place, outline, rng)
    if others and rng.random() < ranges.occluder:
        view = _add_occluder(view, others[-1], place, outline, rng)
    return view, shift.astype(np.float32), _box_of(outline)


def degrade(view: Image, rng: Generator, resolution: float = 1.0) -> Image:
    """Change a view as cameras and codecs do: light, blur, resolution, noise, JPEG.

    Args:
        view: (H, W, 3) uint8.
        rng: Source of all randomness.
        resolution: Pixels of the camera for each pixel of the view. A small target fills few
            pixels of its frame; noise and JPEG then belong to those, before they are enlarged.

    Returns:
        A new picture of the same size.
    """
    height, width = view.shape[:2]
    view = cv2.LUT(view, _tone_curve(rng))
    if rng.random() < 0.25:
        view = _blur(view, rng)
    if resolution < 1:
        small = (max(12, round(width * resolution)), max(12, round(height * resolution)))
        view = cv2.resize(view, small, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.15:
        view = _add_noise(view, rng)
    if rng.random() < 0.3:
        _, code = cv2.imencode(".jpg", view, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))))
        view = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return cv2.resize(view, (width, height), interpolation=cv2.INTER_LINEAR)


def _placement(
    target: Target, place: NDArray[np.float64], ranges: ViewRanges, rng: Generator
) -> NDArray[np.float64]:
    """2x3 matrix from picture to view that puts the target's centre at ``place``."""
    scale = _EXEMPLAR_SIZE / target.context_side
    # Beyond the limits of the old ranges only where sigma itself asks for it.
    limits = max(0.2, 2 * ranges.scale_sigma), max(0.3, 2 * ranges.aspect_sigma)
    scale *= np.exp(np.clip(rng.normal(0, ranges.scale_sigma), -limits[0], limits[0]))
    aspect = np.exp(np.clip(rng.normal(0, ranges.aspect_sigma), -limits[1], limits[1]) / 2)
    angle = np.deg2rad(np.clip(rng.normal(0, ranges.rotation_sigma), -30, 30))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, np.clip(rng.normal(0, ranges.shear_sigma), -0.3, 0.3)], [0, 1]])
    linear = rotation @ shear @ np.diag([scale * aspect, scale / aspect])
    return np.column_stack([linear, place - linear @ target.centre_xy])


def _warp(image: Image, matrix: NDArray[np.float64], size: int, border: int) -> Image:
    mean = image[::8, ::8].mean((0, 1)).tolist()
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=mean
    )


def _outline(target: Target, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners (4, 2) of the target's box in the view, whose pixels have whole numbers."""
    x, y, w, h = target.box_xywh
    x, y = x - 0.5, y - 0.5  # a box begins where its first pixel does, half before its centre
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    return corners @ matrix[:, :2].T + matrix[:, 2]


def _box_of(outline: NDArray[np.float64]) -> NDArray[np.float32]:
    """Box around the ellipse in a turned box: an object seldom fills the corners of its own."""
    along, across = (outline[1] - outline[0]) / 2, (outline[3] - outline[0]) / 2
    centre, half = outline.mean(0), np.hypot(along, across)
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def _mask(outline: NDArray[np.float64], size: int, rng: Generator) -> NDArray[np.float32]:
    """Soft mask (size, size) of a box or of the ellipse in it, in 0..1."""
    mask = np.zeros((size, size), np.float32)
    if rng.random() < 0.5:
        cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 1.0)
    else:
        centre = outline.mean(0)
        along, across = outline[1] - outline[0], outline[3] - outline[0]
        axes = (float(np.hypot(*along)), float(np.hypot(*across)))
        angle = float(np.rad2deg(np.arctan2(along[1], along[0])))
        grown = (axes[0] * 1.1, axes[1] * 1.1)
        cv2.ellipse(mask, (tuple(centre.tolist()), grown, angle), 1.0, -1)
    return cv2.blur(mask, (3, 3))


def _blend(below: Image, above: Image, mask: NDArray[np.float32]) -> Image:
    return cv2.blendLinear(above, below, mask, 1 - mask)


def _background(other: Target, size: int, rng: Generator) -> Image:
    """A random part of another picture, mirrored where it ends."""
    height, width = other.image.shape[:2]
    scale = size / min(height, width) * np.exp(rng.uniform(-0.2, 0.9))
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    matrix = np.column_stack([np.eye(2) * scale, size / 2 - scale * centre])
    return _warp(other.image, matrix, size, cv2.BORDER_REFLECT_101)


def _foreign_piece(
    other: Target, place: NDArray[np.float64], side: float, size: int, rng: Generator
) -> tuple[Image, NDArray[np.float32]]:
    """A foreign object scaled to about ``side`` pixels at ``place``, and its mask."""
    _, _, w, h = other.box_xywh
    scale = side / np.sqrt(w * h)
    angle = np.deg2rad(rng.uniform(-25, 25))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, place - linear @ other.centre_xy])
    piece = _warp(other.image, matrix, size, cv2.BORDER_REFLECT_101)
    return piece, _mask(_outline(other, matrix), size, rng)


def _add_distractor(
    view: Image,
    other: Target,
    place: NDArray[np.float64],
    outline: NDArray[np.float64],
    rng: Generator,
) -> Image:
    """Put a foreign object of the target's size beside it, clear of its centre."""
    size = view.shape[0]
    extent = np.ptp(outline, axis=0)
    side = float(np.sqrt(extent.prod())) * np.exp(rng.uniform(-0.4, 0.4))
    angle = rng.uniform(0, 2 * np.pi)
    reach = (extent / 2 + side / 2) * rng.uniform(0.9, 1.6)
    where = place + np.array([np.cos(angle), np.sin(angle)]) * reach
    if not (0 <= where[0] < size and 0 <= where[1] < size):
        return view
    return _blend(view, *_foreign_piece(other, where, side, size, rng))


def _add_occluder(
    view: Image,
    other: Target,
    place: NDArray[np.float64],
    outline: NDArray[np.float64],
    rng: Generator,
) -> Image:
    """Cover up to about a third of the target from one side."""
    extent = np.ptp(outline, axis=0)
    side = float(np.sqrt(extent.prod())) * rng.uniform(0.4, 0.8)
    angle = rng.uniform(0, 2 * np.pi)
    where = place + np.array([np.cos(angle), np.sin(angle)]) * extent * rng.uniform(0.4, 0.6)
    return _blend(view, *_foreign_piece(other, where, side, view.shape[0], rng))


def _tone_curve(rng: Generator) -> NDArray[np.uint8]:
    """Look-up table (256, 1, 3) of gamma, contrast, brightness and a slight colour cast."""
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.2))
    gain = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.05, 3))
    curve = (levels - 0.5) * gain + 0.5 + rng.normal(0, 0.06)
    return np.clip(curve * 255, 0, 255).astype(np.uint8).reshape(256, 1, 3)


def _blur(view: Image, rng: Generator) -> Image:
    if rng.random() < 0.5:
        return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.6, 1.8))
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle, half = rng.uniform(0, np.pi), (length - 1) / 2
    step = np.array([np.cos(angle), np.sin(angle)]) * half
    start, end = np.rint(half - step).astype(int), np.rint(half + step).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return cv2.filter2D(view, -1, kernel / kernel.sum())


def _add_noise(view: Image, rng: Generator) -> Image:
    noise = rng.standard_normal(view.shape, dtype=np.float32) * rng.uniform(3, 10)
    return cv2.add(view, noise, dtype=cv2.CV_8U)
