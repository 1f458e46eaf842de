"""Training crops of faces and people with their points, moved and degraded as in use."""

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

from binvision.errors import ConfigError, DataError
from binvision.landmarks.annotations import PointPicture, read_point_set
from binvision.landmarks.crop import box_of, crop_matrix, crop_of_box, take_crop, to_crop
from binvision.landmarks.schemes import find_scheme
from binvision.media.archives import DecodedPictures
from binvision.trackers.pairs import PhotoStore
from binvision.trackers.views import degrade

__all__ = ["CropRanges", "PointCrops"]

Image = NDArray[np.uint8]
_MEMORY = 2 * 1024**3  # bytes of decoded pictures that are kept
_LEAST_POINTS = 3  # fewer span no box


@dataclass(frozen=True)
class CropRanges:
    """How far training crops may differ from those of the annotated boxes.

    Attributes:
        rotation: Standard deviation of the rotation, degrees; it ends at three times that.
        scale: Standard deviation of the logarithm of the scale.
        shift: Standard deviation of the shift, in longer sides of the box.
        flip: Probability of a mirrored crop, whose points change places.
        occluder: Probability that a piece of another picture covers a part.
        grey: Probability that colour is taken away.
        dark: Probability of low light: a gain of a quarter to a half.
        low_resolution: Probability that the picture has fewer pixels than the crop.
        absent: Probability of a crop without a subject: of a photograph, or of a corner of a
            picture far from its subject.
        backdrop: Probability that around the picture there is a photograph, not grey: where
            pictures end close to their subjects, their edges would tell where those are.
    """

    rotation: float = 15.0
    scale: float = 0.12
    shift: float = 0.05
    flip: float = 0.5
    occluder: float = 0.25
    grey: float = 0.1
    dark: float = 0.1
    low_resolution: float = 0.3
    absent: float = 0.08
    backdrop: float = 0.0


class PointCrops(Dataset):
    """Rendered crops with their points; item i depends on the seed and i alone.

    Args:
        scheme: Name of the points.
        faces: Face archives (``.npz``) or folders of ``.pts`` files.
        data: COCO keypoint annotations, further subjects; "" for none.
        images: Folder of their pictures; "" where the annotations say it.
        photos: Archives of photographs, for crops without a subject.
        input_size: Side of the crops, pixels.
        crop: Side of the crop over the longer side of the points' box.
        length: Number of items.
        seed: Seed of all randomness.
        ranges: Arguments of :class:`CropRanges`.

    Raises:
        ConfigError: Crops are to be mirrored, and the images of the points in a mirror are unknown.
        DataError: There are no data, they are damaged, or have other points.
    """

    def __init__(
        self,
        scheme: str,
        *,
        faces: Sequence[str] = (),
        data: str = "",
        images: str = "",
        photos: Sequence[str] = (),
        input_size: int,
        crop: float,
        length: int,
        seed: int = 0,
        ranges: dict[str, Any] | None = None,
    ) -> None:
        self._ranges = CropRanges(**(ranges or {}))
        self._scheme = find_scheme(scheme)
        if self._ranges.flip and not self._scheme.mirror:
            raise ConfigError(
                f"the mirror images of the points {scheme} are not known; train without mirrored "
                f"crops: --set \"train_dataloader.dataset.ranges={{'flip': 0.0}}\""
            )
        sources = [(path, "") for path in faces] + ([(data, images)] if data else [])
        if not sources:
            raise DataError(
                "no points to train on: pass --faces ARCHIVE|FOLDER, or --data annotations.json"
            )
        self.pictures: list[PointPicture] = []
        for path, folder in sources:
            found = read_point_set(Path(path), Path(folder) if folder else None)
            if found.scheme.name != scheme:
                raise DataError(
                    f"{path}: has the points {found.scheme.name}, the network {scheme}; "
                    f"give data of the same points"
                )
            self.pictures += [p for p in found.pictures if _spans(p)]
        if not self.pictures:
            raise DataError(f"{sources[0][0]}: no picture has {_LEAST_POINTS} points")
        self._photos = [PhotoStore(path) for path in photos]
        self._size, self._crop = input_size, crop
        self._length, self._seed = length, seed
        self._decoded = DecodedPictures(_MEMORY)

    def __len__(self) -> int:
        """Return the number of items."""
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Render item ``index``.

        Returns:
            ``images`` (3, S, S) uint8, ``points`` (P, 2) float32 x, y in pixels of the crop, and
            ``weights`` (P,) float32: 1 for points that are labelled and inside, else 0; and
            ``present`` () float32: 1, or 0 where there is no subject.
        """
        rng = np.random.default_rng((self._seed, index))
        if rng.random() < self._ranges.absent:
            image = self._degrade(self._background(rng), rng)
            return self._item(image, np.full((len(self._scheme), 2), np.nan), present=False)
        number = int(rng.integers(len(self.pictures)))
        picture = self.pictures[number]
        matrix, mirrored = self._placement(picture, rng)
        image = take_crop(self._image(number), matrix, self._size)
        if self._photos and rng.random() < self._ranges.backdrop:
            image = self._stand_before(image, self._image(number).shape[:2], matrix, rng)
        points = to_crop(picture.points, matrix)
        if mirrored:
            points = points[list(self._scheme.mirror)]
        if rng.random() < self._ranges.occluder:
            image = self._occlude(image, rng)
        return self._item(self._degrade(image, rng), points, present=True)

    def _item(
        self, image: Image, points: NDArray[np.floating], *, present: bool
    ) -> dict[str, Tensor]:
        middle = (self._size - 1) / 2
        inside = (np.abs(points - middle) < self._size / 2).all(1)  # False for NaN
        points = np.where(inside[:, None], points, 0)
        return {
            "images": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            "points": torch.from_numpy(points.astype(np.float32)),
            "weights": torch.from_numpy(inside.astype(np.float32)),
            "present": torch.tensor(float(present)),
        }

    def _background(self, rng: Generator) -> Image:
        """A crop that shows no subject, or at most its edge."""
        if self._photos and rng.random() < 0.7:
            image, centre, side = self._part_of_photo(rng)
        else:
            number = int(rng.integers(len(self.pictures)))
            image = self._image(number)
            box = np.array(box_of(_labelled(self.pictures[number])))
            angle = rng.uniform(0, 2 * np.pi)
            away = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(1.1, 1.6)
            side = float(box[2:].max()) * self._crop * float(rng.uniform(0.4, 1.0))
            centre = box[:2] + box[2:] / 2 + away * box[2:].max()
        turn = float(rng.normal(0, self._ranges.rotation))
        return take_crop(image, crop_matrix(centre.tolist(), side, self._size, turn), self._size)

    def _part_of_photo(self, rng: Generator) -> tuple[Image, NDArray[np.float64], float]:
        """A photograph, and centre and side of a square in it."""
        store = self._photos[int(rng.integers(len(self._photos)))]
        image = store.image(int(rng.integers(len(store))))
        side = float(rng.uniform(0.3, 1.0)) * min(image.shape[:2])
        return image, rng.uniform(side / 2, np.array(image.shape[1::-1]) - side / 2), side

    def _stand_before(
        self,
        image: Image,
        picture_hw: tuple[int, int],
        matrix: NDArray[np.float64],
        rng: Generator,
    ) -> Image:
        """Put a photograph where a crop shows what is around its picture."""
        height, width = picture_hw
        corners = [(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)]
        shown = np.zeros((self._size, self._size, 1), np.uint8)
        outline = np.rint(to_crop(corners, matrix)).astype(np.int32)
        cv2.fillConvexPoly(shown, outline, 1)
        if shown.all():
            return image
        photo, centre, side = self._part_of_photo(rng)
        behind = take_crop(photo, crop_matrix(centre.tolist(), side, self._size), self._size)
        cv2.copyTo(image, shown, behind)
        return behind

    def _image(self, number: int) -> Image:
        return self._decoded.get(number, self.pictures[number].read)

    def _placement(self, picture: PointPicture, rng: Generator) -> tuple[NDArray[np.float64], bool]:
        ranges = self._ranges
        centre, side = crop_of_box(box_of(_labelled(picture)), self._crop)
        moved = np.asarray(centre) + ranges.shift * side / self._crop * rng.standard_normal(2)
        angle = ranges.rotation * float(np.clip(rng.standard_normal(), -3, 3))
        side *= float(np.exp(ranges.scale * np.clip(rng.standard_normal(), -2.5, 2.5)))
        mirrored = bool(rng.random() < ranges.flip)
        return crop_matrix(moved.tolist(), side, self._size, angle, mirrored), mirrored

    def _occlude(self, image: Image, rng: Generator) -> Image:
        """Cover a part with a piece of another picture, as hands, hair and microphones do."""
        other = self._image(int(rng.integers(len(self.pictures))))
        sides = rng.uniform(0.1, 0.45, 2) * self._size
        height, width = np.maximum(sides, 4).astype(int).tolist()
        top, left = (rng.uniform(-0.1, 0.9, 2) * self._size).astype(int).tolist()
        low, high = max(top, 0), min(top + height, self._size)
        start, end = max(left, 0), min(left + width, self._size)
        y = int(rng.integers(max(1, other.shape[0] - height)))
        x = int(rng.integers(max(1, other.shape[1] - width)))
        if low >= high or start >= end:
            return image
        piece = cv2.resize(other[y : y + height, x : x + width], (end - start, high - low))
        image = image.copy()
        image[low:high, start:end] = piece
        return image

    def _degrade(self, image: Image, rng: Generator) -> Image:
        ranges = self._ranges
        if rng.random() < ranges.dark:
            image = cv2.convertScaleAbs(image, alpha=rng.uniform(0.25, 0.5))
        low = rng.random() < ranges.low_resolution
        image = degrade(image, rng, float(rng.uniform(0.2, 0.8)) if low else 1.0)
        if rng.random() < ranges.grey:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        return image


def _labelled(picture: PointPicture) -> NDArray[np.float32]:
    return picture.points[np.isfinite(picture.points).all(1)]


def _spans(picture: PointPicture) -> bool:
    return len(_labelled(picture)) >= _LEAST_POINTS
