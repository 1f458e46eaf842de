"""Training pictures for detectors: crops, mosaics and pasted objects, degraded as cameras do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from binvision.detectors.annotations import (
    DetectionSet,
    Picture,
    read_detection_set,
    read_picture,
)
from binvision.detectors.faces import FaceArchive, read_faces
from binvision.detectors.targets import encode
from binvision.errors import DataError
from binvision.media.archives import DecodedPictures
from binvision.trackers.pairs import PhotoStore
from binvision.trackers.views import degrade

__all__ = ["DetectionScenes", "Scene", "SceneRanges"]

Image = NDArray[np.uint8]
_GREY = 128
_LEAST_SEEN = 0.4  # share of an object inside the crop from which it counts
_LEAST_SIDE = 3.0  # pixels
_MEMORY = 2 * 1024**3  # bytes of decoded pictures that are kept


@dataclass(frozen=True)
class SceneRanges:
    """How far training pictures may differ from the ones at hand.

    Attributes:
        scale: Least and greatest scale, on top of the one that brings a picture to the input
            size of inference.
        native: Scale from the picture's own pixels instead, for what is detected in tiles.
        aspect: Standard deviation of the logarithm of the aspect change.
        rotation: Standard deviation of the rotation, degrees.
        quarter_turns: Turn by 90 degrees and flip top to bottom as well, for pictures from above.
        mosaic: Probability that four pictures make one (YOLOv4, arXiv 2004.10934, fig. 3).
        paste: Greatest number of objects pasted in from other pictures (copy-paste).
        background: Probability that a part shows a picture without objects.
        faces: Probability that a part shows a picture of the face archives.
        grey: Probability that colour is taken away.
    """

    scale: tuple[float, float] = (0.5, 1.5)
    native: bool = False
    aspect: float = 0.08
    rotation: float = 5.0
    quarter_turns: bool = False
    mosaic: float = 0.5
    paste: int = 2
    background: float = 0.1
    faces: float = 0.0
    grey: float = 0.1


@dataclass(frozen=True)
class Scene:
    """A picture with its objects.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) float32 x, y, w, h in pixels.
        labels: (N,) int64.
        ignore: (N,) bool.
    """

    image: Image
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignore: NDArray[np.bool_]


class DetectionScenes(Dataset):
    """Rendered pictures with their targets; item i depends on the seed and i alone.

    Args:
        data: Annotations, as :func:`read_detection_set` takes them.
        images: Folder of the pictures, or None where the annotations say it.
        classes: Names of the classes in the network's order; the annotations' if empty.
        input_size: Longest side of pictures at inference.
        size: Side of the training pictures, a multiple of the network's.
        stride: Stride of the network's head.
        length: Number of items.
        seed: Seed of all randomness.
        ranges: Arguments of :class:`SceneRanges`.
        faces: Face archives (``.npz``) or folders of ``.pts`` files; see :mod:`.faces`.
        photos: Archives of photographs without objects of these classes: backgrounds.

    Raises:
        DataError: Annotations or archives are missing or damaged.
    """

    def __init__(
        self,
        data: str,
        images: str | None,
        *,
        classes: Sequence[str],
        input_size: int,
        size: int,
        stride: int,
        length: int,
        seed: int = 0,
        ranges: dict[str, Any] | None = None,
        faces: Sequence[str] = (),
        photos: Sequence[str] = (),
    ) -> None:
        if not data:
            raise DataError("no annotations: pass --data annotations.json and --images folder")
        self.set: DetectionSet = read_detection_set(
            Path(data), Path(images) if images else None, classes or None
        )
        self.classes = self.set.classes
        self._input_size, self._size, self._stride = input_size, size, stride
        self._length, self._seed = length, seed
        self._ranges = SceneRanges(**(ranges or {}))
        self._faces: list[FaceArchive] = [read_faces(Path(path)) for path in faces]
        self._photos = [PhotoStore(path) for path in photos]
        self._with_objects = [p for p in self.set.pictures if len(p.boxes)]
        self._decoded = DecodedPictures(_MEMORY)

    def __len__(self) -> int:
        """Return the number of items."""
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return ``images`` (3, S, S) uint8 and the arrays of :class:`Targets`."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        scene = self.render(np.random.default_rng((self._seed, index)))
        targets = encode(
            scene.boxes,
            scene.labels,
            scene.ignore,
            len(self.classes),
            (self._size, self._size),
            self._stride,
        )
        return {
            "images": torch.from_numpy(scene.image).permute(2, 0, 1),
            "centres": torch.from_numpy(targets.centres),
            "boxes": torch.from_numpy(targets.boxes),
            "weights": torch.from_numpy(targets.weights),
        }

    def render(self, rng: Generator) -> Scene:
        """Compose one training picture."""
        size, ranges = self._size, self._ranges
        canvas = self._ground(rng)
        found: list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]] = []
        is_mosaic = rng.random() < ranges.mosaic
        for x, y, w, h in _parts(size, is_mosaic, rng):
            source = self._draw(rng)
            turn = self._turn(source.image, rng)
            boxes, ignore = self._crop(source, turn, canvas[y : y + h, x : x + w], rng)
            boxes[:, :2] += (x, y)
            found.append((boxes, source.labels, ignore))
        boxes, labels, ignore = (np.concatenate(column) for column in zip(*found, strict=True))
        kept = boxes[:, 2] > 0
        boxes, labels, ignore = boxes[kept], labels[kept], ignore[kept]
        for _ in range(int(rng.integers(ranges.paste + 1))):
            pasted = self._paste(canvas, boxes, rng)
            if pasted is not None:
                boxes = np.concatenate([boxes, pasted[0][None]])
                labels = np.append(labels, pasted[1])
                ignore = np.append(ignore, False)
        return Scene(_photographed(canvas, ranges.grey, rng), boxes, labels, ignore)

    def _draw(self, rng: Generator) -> Scene:
        """Return a random source picture."""
        chance = rng.random()
        if self._faces and chance < self._ranges.faces:
            image, boxes = self._faces[int(rng.integers(len(self._faces)))].draw(rng)
        elif self._photos and chance > 1 - self._ranges.background:
            image, boxes = self._photograph(rng), np.zeros((0, 4), np.float32)
        else:
            picture = self.set.pictures[int(rng.integers(len(self.set.pictures)))]
            image = self._read(picture)
            return Scene(image, picture.boxes, picture.labels, picture.ignore)
        count = len(boxes)
        return Scene(image, boxes, np.zeros(count, np.int64), np.zeros(count, bool))

    def _photograph(self, rng: Generator) -> Image:
        store = self._photos[int(rng.integers(len(self._photos)))]
        return store.image(int(rng.integers(len(store))))

    def _turn(self, image: Image, rng: Generator) -> NDArray[np.float64]:
        """Return the (2, 3) matrix of a random flip or turn; pixels move only when warped."""
        height, width = image.shape[:2]
        turn = np.eye(2, 3)
        if rng.random() < 0.5:
            turn[0] = (-1, 0, width)
        if self._ranges.quarter_turns:
            if rng.random() < 0.5:
                turn[1] = (0, -1, height)
            if rng.random() < 0.5:
                turn = turn[::-1]
        return turn

    def _ground(self, rng: Generator) -> Image:
        """Return what shows where a part does not reach: grey as at inference, or a photograph."""
        if not self._photos or rng.random() < 0.4:
            return np.full((self._size, self._size, 3), _GREY, np.uint8)
        size_wh = (self._size, self._size)
        return cv2.resize(self._photograph(rng), size_wh, interpolation=cv2.INTER_AREA)

    def _crop(
        self, scene: Scene, turn: NDArray[np.float64], part: Image, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Fill a part with a piece of a picture at random scale; lost objects get width 0."""
        ranges, size_wh = self._ranges, (part.shape[1], part.shape[0])
        scale = self._scale(scene.image, rng)
        aspect = np.exp(rng.normal(0, ranges.aspect) / 2)
        angle = np.deg2rad(np.clip(rng.normal(0, ranges.rotation), -45, 45))
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = rotation @ np.diag([scale * aspect, scale / aspect])
        looked_at = turn[:, :2] @ self._look_at(scene, rng) + turn[:, 2]
        place = np.array(size_wh) * rng.uniform(0.15, 0.85, 2)
        if rng.random() < 0.5:  # keep the crop inside the picture where it fits
            picture_wh = np.abs(turn[:, :2]) @ scene.image.shape[1::-1]
            looked_at = _inside(looked_at, place, scale, picture_wh, size_wh)
        matrix = np.column_stack([linear @ turn[:, :2], place + linear @ (turn[:, 2] - looked_at)])
        _warp(scene.image, matrix, scale, part)
        boxes, seen = _moved(scene.boxes, matrix, size_wh)
        is_small = boxes[:, 2:].min(1, initial=np.inf) < _LEAST_SIDE
        lost = (seen < 0.05) | (boxes[:, 2:] <= 0).any(1)
        boxes[lost] = 0
        ignore = scene.ignore | (((seen < _LEAST_SEEN) | is_small) & ~lost)
        return boxes, ignore

    def _scale(self, image: Image, rng: Generator) -> float:
        start = 1.0 if self._ranges.native else self._input_size / max(image.shape[:2])
        return float(start * np.exp(rng.uniform(*np.log(self._ranges.scale))))

    def _look_at(self, scene: Scene, rng: Generator) -> NDArray[np.float64]:
        if len(scene.boxes) and rng.random() < 0.85:
            x, y, w, h = scene.boxes[int(rng.integers(len(scene.boxes)))].tolist()
            return np.array([x + w / 2, y + h / 2])
        return rng.uniform(0, 1, 2) * scene.image.shape[1::-1]

    def _paste(
        self, canvas: Image, boxes: NDArray[np.float32], rng: Generator
    ) -> tuple[NDArray[np.float32], int] | None:
        """Blend an object of another picture into free space; returns its box and class."""
        if not self._with_objects:
            return None
        picture = self._with_objects[int(rng.integers(len(self._with_objects)))]
        which = int(rng.integers(len(picture.boxes)))
        if picture.ignore[which]:
            return None
        image = self._read(picture)
        scale = self._scale(image, rng)
        x, y, w, h = picture.boxes[which].tolist()
        left, top = max(0, int(x - 0.12 * w)), max(0, int(y - 0.12 * h))
        right, bottom = int(x + 1.12 * w) + 1, int(y + 1.12 * h) + 1
        crop = image[top:bottom, left:right]
        source_h, source_w = crop.shape[:2]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
            x = 2 * left + source_w - x - w
        target_w, target_h = round(source_w * scale), round(source_h * scale)
        if not 4 <= min(target_w, target_h) or max(target_w, target_h) > 0.7 * len(canvas):
            return None
        at_x = int(rng.integers(len(canvas) - target_w + 1))
        at_y = int(rng.integers(len(canvas) - target_h + 1))
        if _is_taken(boxes, (at_x, at_y, target_w, target_h)):
            return None
        crop = cv2.resize(crop, (target_w, target_h), interpolation=cv2.INTER_AREA)
        mask = _ellipse(target_w, target_h)
        region = canvas[at_y : at_y + target_h, at_x : at_x + target_w]
        region[:] = (region * (1 - mask) + crop * mask).astype(np.uint8)
        factor_x, factor_y = target_w / source_w, target_h / source_h
        box = np.array(
            [at_x + (x - left) * factor_x, at_y + (y - top) * factor_y, w * factor_x, h * factor_y],
            np.float32,
        )
        return box, int(picture.labels[which])

    def _read(self, picture: Picture) -> Image:
        """Return the pixels of a picture; they stay decoded in memory while there is room."""
        return self._decoded.get(picture.path, lambda: read_picture(picture))


def _parts(size: int, is_mosaic: bool, rng: Generator) -> list[tuple[int, int, int, int]]:
    """Rectangles x, y, w, h that tile the picture: one, or four around a random point."""
    if not is_mosaic:
        return [(0, 0, size, size)]
    x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
    return [
        (0, 0, x, y),
        (x, 0, size - x, y),
        (0, y, x, size - y),
        (x, y, size - x, size - y),
    ]


def _inside(
    looked_at: NDArray[np.float64],
    place: NDArray[np.float64],
    scale: float,
    picture_wh: NDArray[np.float64],
    size_wh: tuple[int, int],
) -> NDArray[np.float64]:
    """Move the point so that an upright crop does not leave the picture, where it is larger."""
    low, high = place / scale, picture_wh - (np.array(size_wh) - place) / scale
    fits = low <= high
    return np.where(
        fits, np.clip(looked_at, np.minimum(low, high), np.maximum(low, high)), looked_at
    )


def _warp(image: Image, matrix: NDArray[np.float64], scale: float, part: Image) -> None:
    """Paint what lies under a part into it; ``matrix`` counts from the pictures' edges."""
    if scale < 0.6:  # warping takes four pixels for each of the crop's, however many there are
        height, width = image.shape[:2]
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        ratio = np.array([width / image.shape[1], height / image.shape[0]])
        matrix = np.column_stack([matrix[:, :2] * ratio, matrix[:, 2]])
    # OpenCV counts from the centres of pixels.
    offset = matrix[:, 2] + matrix[:, :2] @ (0.5, 0.5) - 0.5
    by_centres = np.column_stack([matrix[:, :2], offset])
    # A view of the canvas is not contiguous, so that OpenCV cannot write into it.
    piece = np.ascontiguousarray(part)
    size_wh = (part.shape[1], part.shape[0])
    cv2.warpAffine(image, by_centres, size_wh, piece, borderMode=cv2.BORDER_TRANSPARENT)
    part[:] = piece


def _moved(
    boxes: NDArray[np.float32], matrix: NDArray[np.float64], size_wh: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Boxes after a transform, clipped to the crop, and the share of each that remains.

    An object rather fills an ellipse than its box: the new box bounds the turned ellipse.
    """
    if not len(boxes):
        return np.zeros((0, 4), np.float32), np.zeros(0)
    half = boxes[:, 2:].astype(np.float64) / 2
    centre = boxes[:, :2] + half
    centre = centre @ matrix[:, :2].T + matrix[:, 2]
    half = np.sqrt((half**2) @ (matrix[:, :2] ** 2).T)
    low, high = centre - half, centre + half
    inside_low, inside_high = np.clip(low, 0, size_wh), np.clip(high, 0, size_wh)
    seen = (inside_high - inside_low).prod(1) / np.maximum((high - low).prod(1), 1e-9)
    return np.column_stack([inside_low, inside_high - inside_low]).astype(np.float32), seen


def _is_taken(boxes: NDArray[np.float32], box: tuple[int, int, int, int]) -> bool:
    x, y, w, h = box
    overlap_x = np.minimum(boxes[:, 0] + boxes[:, 2], x + w) - np.maximum(boxes[:, 0], x)
    overlap_y = np.minimum(boxes[:, 1] + boxes[:, 3], y + h) - np.maximum(boxes[:, 1], y)
    return bool(((overlap_x > 0) & (overlap_y > 0)).any())


def _ellipse(width: int, height: int) -> NDArray[np.float32]:
    """Mask (H, W, 1) that falls off towards the corners and the border."""
    y = (np.arange(height) + 0.5) / height * 2 - 1
    x = (np.arange(width) + 0.5) / width * 2 - 1
    radius = np.abs(x[None]) ** 4 + np.abs(y[:, None]) ** 4
    return np.clip((1.05 - radius) * 4, 0, 1).astype(np.float32)[..., None]


def _photographed(image: Image, grey: float, rng: Generator) -> Image:
    """Change colours, then light, blur, noise and JPEG."""
    if rng.random() < grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    elif rng.random() < 0.3:
        gains = np.exp(rng.normal(0, 0.1, 3))
        image = cv2.LUT(
            image, np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8)[:, None, :]
        )
    return degrade(image, rng)
