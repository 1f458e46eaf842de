"""Clips in which a drone flies over a sky, vanishes behind a mast, and comes out again.

They are put together, not recorded: the annotated pictures are seconds apart, so no recording of
them can be played. Real are the drone, cut from a picture of one recording, and the sky, a picture
of another one. Its way, the mast, the shaking camera and the noise are drawn. The annotated box
moves with the drone and is the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.detectors.annotations import Picture, read_detection_set
from binvision.errors import DataError
from binvision.media.boxes import BoxXYWH

__all__ = ["FPS", "Clip", "make_clips"]

Frame = NDArray[np.uint8]

FPS = 25.0
_FRAMES = 150
_ENTERS, _LEAVES = 10, 140  # frames in which the drone passes the left and the right border
_LEAST_AREA = 500.0  # of a drone that is cut out, pixels: smaller ones are a few grey pixels
_CONTRAST = 25.0  # difference to the sky at which a pixel is all drone
_LEAST_PART = 0.12  # of its box that a drone must cover, or there was too little of it to cut out
_MARGIN = 0.3  # around the box that is cut, in its sides
_LEAST_SEEN = 1 / 3  # of the drone, below which it counts as hidden
_MAST = (0.16, 0.55)  # width and place of the mast, in widths of the frame


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames, and what is to be found in them.

    Attributes:
        name: Recordings of drone and sky.
        frames: (H, W, 3) uint8 each.
        truth: Box of the drone in each frame, None where it is hidden or absent.
    """

    name: str
    frames: list[Frame]
    truth: list[BoxXYWH | None]

    @property
    def first_seen(self) -> int:
        """Frame in which the drone appears."""
        return next(index for index, box in enumerate(self.truth) if box)

    @property
    def first_whole(self) -> tuple[int, BoxXYWH]:
        """Frame in which all of it has come in, and its box there."""
        return next((index, box) for index, box in enumerate(self.truth) if box and box[0] > 0)

    @property
    def seen_again(self) -> int:
        """Frame in which it comes out from behind the mast."""
        hidden = self.truth.index(None, self.first_seen)
        return next(index for index in range(hidden, len(self.truth)) if self.truth[index])


@dataclass(frozen=True, eq=False)
class _Sprite:
    """A drone without its sky: (h, w, 3) and its opacity (h, w, 1), with the box in it."""

    picture: NDArray[np.float32]
    opacity: NDArray[np.float32]
    box: BoxXYWH

    @property
    def part(self) -> float:
        """How much of its box it covers, 0..1."""
        return float(self.opacity.sum()) / (self.box[2] * self.box[3])


def make_clips(data: Path, count: int, seed: int = 0) -> Iterator[Clip]:
    """Render clips from the visible pictures of a detection set, one at a time.

    Args:
        data: COCO JSON with a class ``drone``, files named V_KIND_RECORDING_FRAME.
        count: Number of clips.
        seed: Another seed pairs other drones with other skies, on other ways.

    Raises:
        DataError: There is no drone of some size, or no sky of another recording.
    """
    found = read_detection_set(data)
    pictures = [picture for picture in found.pictures if picture.path.name.startswith("V_")]
    drone = found.classes.index("drone") if "drone" in found.classes else -1
    drones = [
        picture
        for picture in pictures
        if picture.labels.tolist() == [drone] and picture.boxes[0, 2:].prod() >= _LEAST_AREA
    ]
    sprites = {_recording(picture): _cut_out(picture) for picture in drones}
    names = [name for name, sprite in sprites.items() if sprite.part >= _LEAST_PART]
    skies = [picture for picture in pictures if drone not in picture.labels and len(picture.boxes)]
    if not names or not skies:
        raise DataError(f"{data}: needs visible pictures of drones and of other things in the sky")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    for index in order[np.arange(count) % len(names)].tolist():
        sky = skies[int(rng.integers(len(skies)))]
        frames, truth = _render(sprites[names[index]], _emptied(sky), rng)
        yield Clip(f"{names[index]} over {_recording(sky)}", frames, truth)


def _recording(picture: Picture) -> str:
    return picture.path.stem.rpartition("_")[0]


def _cut_out(picture: Picture) -> _Sprite:
    """Take a drone out of its sky: what differs from the sky painted over it."""
    image = _read(picture.path)
    x, y, w, h = picture.boxes[0].tolist()
    left, top = max(int(x - _MARGIN * w), 0), max(int(y - _MARGIN * h), 0)
    right, bottom = int(x + w + _MARGIN * w) + 1, int(y + h + _MARGIN * h) + 1
    patch = image[top:bottom, left:right].astype(np.float32)
    sky = _painted(image, picture.boxes)[top:bottom, left:right].astype(np.float32)
    contrast = cv2.GaussianBlur(np.abs(patch - sky).max(-1), (0, 0), 0.7)
    opacity = np.clip(contrast / _CONTRAST - 0.3, 0, 1)
    inside = np.zeros_like(opacity)
    inside[int(y) - top : int(y + h) - top + 1, int(x) - left : int(x + w) - left + 1] = 1
    return _Sprite(patch, (opacity * inside)[..., None], (x - left, y - top, w, h))


def _emptied(picture: Picture) -> Frame:
    return _painted(_read(picture.path), picture.boxes)


def _painted(image: Frame, boxes: NDArray[np.float32]) -> Frame:
    """Paint the surroundings over the boxes."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for x, y, w, h in boxes.tolist():
        mask[max(int(y) - 2, 0) : int(y + h) + 3, max(int(x) - 2, 0) : int(x + w) + 3] = 1
    return np.asarray(cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA), np.uint8)


def _read(path: Path) -> Frame:
    image = cv2.imread(str(path))
    if image is None:
        raise DataError(f"{path}: is no picture that can be read")
    return np.asarray(image, np.uint8)


def _render(
    sprite: _Sprite, sky: Frame, rng: np.random.Generator
) -> tuple[list[Frame], list[BoxXYWH | None]]:
    """Fly the drone from left to right, up and down, nearer and away, behind the mast."""
    height, width = sky.shape[:2]
    mast = _mast(sky, rng)
    time = np.linspace(0, 1, _LEAVES - _ENTERS)
    phases = rng.uniform(0, 2 * np.pi, 3)
    path = np.stack(
        [
            width * (-0.05 + 1.1 * time) + 6 * np.sin(9 * time + phases[0]),
            height * (0.33 + 0.13 * np.sin(5 * time + phases[1])),
        ],
        1,
    )
    scales = 1.1 + 0.3 * np.sin(4 * time + phases[2])
    banks = 8 * np.sin(7 * time + phases[0])  # degrees
    shakes = cv2.GaussianBlur(rng.normal(0, 1.5, (_FRAMES, 2)), (1, 0), sigmaX=0.1, sigmaY=1.0)
    frames: list[Frame] = []
    truth: list[BoxXYWH | None] = []
    for index, (right, down) in enumerate(shakes.tolist()):
        frame = sky.astype(np.float32)
        box = None
        if _ENTERS <= index < _LEAVES:
            at = index - _ENTERS
            box, opacity = _fly(frame, sprite, path[at], scales[at], banks[at])
            shown = opacity[..., 0] * (1 - mast[..., 3])
            if shown.sum() < _LEAST_SEEN * sprite.opacity.sum() * scales[at] ** 2:
                box = None
        frame += (mast[..., :3] - frame) * mast[..., 3:]
        # The camera shakes, and its pictures are noisy.
        shake = np.array([[1, 0, right], [0, 1, down]], np.float32)
        frame = cv2.warpAffine(frame, shake, (width, height), borderMode=cv2.BORDER_REFLECT)
        frame += 2 * rng.standard_normal(frame.shape, np.float32)
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
        truth.append(box and _inside((box[0] + right, box[1] + down, *box[2:]), (height, width)))
    return frames, truth


def _fly(
    frame: NDArray[np.float32], sprite: _Sprite, place: Sequence[float], scale: float, bank: float
) -> tuple[BoxXYWH, NDArray[np.float32]]:
    """Draw the drone on the frame; return its box there and its opacity."""
    x, y, w, h = sprite.box
    middle = (x + w / 2, y + h / 2)
    matrix = cv2.getRotationMatrix2D(middle, bank, scale)
    matrix[:, 2] += np.array(place) - middle
    size = frame.shape[1::-1]
    opacity = cv2.warpAffine(sprite.opacity, matrix, size)[..., None]
    picture = cv2.warpAffine(sprite.picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    frame += (picture - frame) * opacity
    w, h = w * scale, h * scale
    return (place[0] - w / 2, place[1] - h / 2, w, h), opacity


def _inside(box: BoxXYWH, size_hw: tuple[int, int]) -> BoxXYWH:
    """What of a box lies in the frame, as people annotate it."""
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], size_hw[1]), min(box[1] + box[3], size_hw[0])
    return left, top, right - left, bottom - top


def _mast(sky: Frame, rng: np.random.Generator) -> NDArray[np.float32]:
    """A concrete mast in front of the sky: colour and opacity, (H, W, 4)."""
    height, width = sky.shape[:2]
    mast = np.zeros((height, width, 4), np.float32)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (height, width)), (0, 0), 3)
    across = (np.arange(width) / width - _MAST[1]) / (_MAST[0] / 2)
    shade = 120 - 50 * across
    mast[..., :3] = (shade + grain)[..., None] * np.array([0.95, 1.0, 1.02])
    mast[:, np.abs(across) <= 1, 3] = 1
    return mast
