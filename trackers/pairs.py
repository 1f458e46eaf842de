"""Training data: groups of exemplars and search regions of one object each.

Objects come from still photographs (``.npz`` files of encoded pictures, or detection sets) and from
annotated sequences; frames in which the target is absent are left out. A group of E exemplars and S
search regions holds E x S pairs, for the price of E + S network passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from binvision.detectors.annotations import read_detection_set
from binvision.errors import DataError
from binvision.media.archives import DecodedPictures, read_archive
from binvision.media.images import read_image
from binvision.trackers.annotated_sequences import read_sequences
from binvision.trackers.views import Target, ViewRanges, degrade, render_view

__all__ = ["ObjectGroups", "PhotoStore", "SequenceStore"]

_EXEMPLAR = ViewRanges(127, 2, 0.03, 0.05, 5, 0.03, paste=0.35, distractor=0.15, occluder=0.03)
_SEARCH = ViewRanges(159, 36, 0.07, 0.12, 10, 0.08, paste=0.55, distractor=0.4, occluder=0.2)
# Of regions without an object, by whether a box head learns from them: it must know slender ones.
_ASPECTS = {False: 0.6, True: 1.3}
_LOW_RESOLUTION_SHARE = 0.5
_LOWEST_RESOLUTION = 0.12  # an exemplar of 127 pixels cut from 15 pixels of a frame
_FOREIGN_OBJECTS = 4
_LARGEST_FRAME_GAP = 60
_SMALLEST_SIDE = 4
_MEMORY = 2 * 1024**3  # bytes of decoded photographs that are kept


class PhotoStore:
    """Objects in still photographs.

    Args:
        path: ``.npz`` with ``jpeg`` (all bytes), ``offsets`` (N + 1) and optionally ``boxes``
            (rows of picture index, x, y, w, h); or a set with boxes that
            :func:`~binvision.detectors.annotations.read_detection_set` reads, such as a COCO file.
            Pictures without a box give a random textured region each time.
        aspects: Largest logarithm of the ratio of such a region's sides.

    Raises:
        DataError: The file is missing, lacks an array or is no annotation.
    """

    def __init__(self, path: str | Path, aspects: float = 0.6) -> None:
        self._aspects = aspects
        self._codes: Sequence[NDArray[np.uint8] | Path]
        self._boxes: dict[int, list[NDArray[np.float64]]] = {}
        if Path(path).suffix == ".npz":
            self._codes, further = read_archive(path, "photograph archive", optional=("boxes",))
            for row in further.get("boxes", np.zeros((0, 5))).astype(np.float64):
                self._boxes.setdefault(int(row[0]), []).append(row[1:5])
        else:
            pictures = read_detection_set(Path(path)).pictures
            self._codes = [picture.path for picture in pictures]
            for index, picture in enumerate(pictures):
                own = picture.boxes[~picture.ignore].astype(np.float64)
                if len(own):
                    self._boxes[index] = list(own)
        self._decoded = DecodedPictures(_MEMORY)

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self._codes)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Return picture ``index`` as (H, W, 3) BGR; it stays decoded while there is room."""
        return self._decoded.get(index, lambda: self._decode(index))

    def _decode(self, index: int) -> NDArray[np.uint8]:
        code = self._codes[index]
        if isinstance(code, Path):
            return read_image(code)
        picture = cv2.imdecode(code, cv2.IMREAD_COLOR)
        if picture is None:
            raise DataError(f"photograph {index} cannot be decoded; the archive is damaged")
        return picture

    def draw(self, rng: Generator) -> Target:
        """Return a random object of a random picture."""
        index = int(rng.integers(len(self)))
        image = self.image(index)
        boxes = self._boxes.get(index)
        if boxes:
            x, y, w, h = boxes[int(rng.integers(len(boxes)))].tolist()
            if min(w, h) >= 12:
                return Target(image, (x, y, w, h))
        return Target(image, _textured_box(image, rng, self._aspects))


class SequenceStore:
    """Objects in annotated sequences, a pair of nearby frames at a time.

    Args:
        root: What :func:`~binvision.trackers.annotated_sequences.read_sequences` reads.

    Raises:
        DataError: There is no sequence, or one has fewer boxes than frames.
    """

    def __init__(self, root: str | Path) -> None:
        self._sequences: list[tuple[list[Path], NDArray[np.float64]]] = []
        for frames, boxes in read_sequences(root):
            is_large = (boxes[:, 2:] >= _SMALLEST_SIDE).all(axis=1)
            visible = np.logical_and(np.isfinite(boxes).all(axis=1), is_large)
            if visible.any():
                kept = [frame for frame, seen in zip(frames, visible, strict=True) if seen]
                self._sequences.append((kept, boxes[visible]))
        if not self._sequences:
            raise DataError(f"{root}: no sequence with a visible target found")
        self._images: dict[Path, NDArray[np.uint8]] = {}

    def draw(self, count: int, rng: Generator) -> list[Target]:
        """Return the same object in ``count`` frames within a short time."""
        frames, boxes = self._sequences[int(rng.integers(len(self._sequences)))]
        first = int(rng.integers(len(frames)))
        near = slice(max(0, first - _LARGEST_FRAME_GAP), first + _LARGEST_FRAME_GAP)
        chosen = [first, *rng.integers(*near.indices(len(frames))[:2], count - 1).tolist()]
        return [Target(self._image(frames[i]), tuple(boxes[i].tolist())) for i in chosen]

    def _image(self, path: Path) -> NDArray[np.uint8]:
        if path not in self._images:
            picture = cv2.imread(str(path))
            if picture is None:
                raise DataError(f"{path}: picture cannot be read")
            self._images[path] = picture
        return self._images[path]


class ObjectGroups(Dataset[dict[str, Tensor]]):
    """Groups of views for the training of trackers; item i is the same for the same seed.

    An item holds ``exemplars`` uint8 (E, 3, 127, 127), ``searches`` uint8 (S, 3, size, size) and
    ``offsets`` float32 (S, 2), the target's displacement from the search region's centre in
    pixels; or, in place of offsets, ``boxes`` float32 (S, 4), left, top, right, bottom of the
    target in pixels of the search region. Colours are BGR.

    Args:
        photos: Photograph archives or sets with boxes, see :class:`PhotoStore`.
        sequences: Annotated sequences, see :class:`SequenceStore`.
        objects: Number of groups in an epoch.
        exemplars: Exemplars E in a group.
        searches: Search regions S in a group.
        search_size: Side of a search region, pixels.
        search_shift: Largest displacement of the target, pixels.
        sequence_share: Share of groups from sequences, where both kinds are given.
        seed: Seed of everything random.
        boxed: Give boxes in place of offsets, of targets that change size and form more.

    Raises:
        DataError: Neither photographs nor sequences are given, or they cannot be read.
    """

    def __init__(
        self,
        photos: Sequence[str] = (),
        sequences: Sequence[str] = (),
        *,
        objects: int,
        exemplars: int = 3,
        searches: int = 4,
        search_size: int = 159,
        search_shift: float = 36,
        sequence_share: float = 0.3,
        seed: int = 0,
        boxed: bool = False,
    ) -> None:
        aspects = _ASPECTS[boxed]
        self._photos = [PhotoStore(path, aspects) for path in photos]
        self._sequences = [SequenceStore(root) for root in sequences]
        if not self._photos and not self._sequences:
            raise DataError("no training data: give photographs, sequences or both")
        self._objects, self._exemplars, self._searches = objects, exemplars, searches
        self._search = replace(_SEARCH, size=search_size, shift=search_shift)
        self._sequence_share = sequence_share if photos else 1.0
        self._seed, self._boxed = seed, boxed
        if boxed:
            # A box head must see the target in other sizes and forms than the exemplar's.
            # A border of one colour around the picture would give the place away.
            self._search = replace(self._search, scale_sigma=0.16, aspect_sigma=0.35, surround=0.65)

    def __len__(self) -> int:
        """Return the number of groups in an epoch."""
        return self._objects

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Render group ``index``."""
        rng = np.random.default_rng((self._seed, index))
        others = [self._draw_photo(rng) for _ in range(_FOREIGN_OBJECTS)] if self._photos else []
        targets = self._draw_group(rng)
        grey, flip = rng.random() < 0.1, rng.random() < 0.5
        resolution = _draw_resolution(rng)

        views, offsets, boxes = [], [], []
        for i, target in enumerate(targets):
            ranges = _EXEMPLAR if i < self._exemplars else self._search
            view, offset, box = render_view(target, others, ranges, rng)
            view = degrade(view, rng, resolution * np.exp(rng.uniform(-0.15, 0.15)))
            if grey:
                view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            if flip:
                view, offset = view[:, ::-1], offset * np.array([-1, 1], np.float32)
                box[[0, 2]] = ranges.size - 1 - box[[2, 0]]
            views.append(torch.from_numpy(np.ascontiguousarray(view.transpose(2, 0, 1))))
            offsets.append(torch.from_numpy(offset))
            boxes.append(torch.from_numpy(box))
            rng.shuffle(others)
        places = {"boxes": boxes} if self._boxed else {"offsets": offsets}
        return {
            "exemplars": torch.stack(views[: self._exemplars]),
            "searches": torch.stack(views[self._exemplars :]),
            **{name: torch.stack(rows[self._exemplars :]) for name, rows in places.items()},
        }

    def _draw_photo(self, rng: Generator) -> Target:
        sizes = np.array([len(store) for store in self._photos])
        return self._photos[rng.choice(len(sizes), p=sizes / sizes.sum())].draw(rng)

    def _draw_group(self, rng: Generator) -> list[Target]:
        count = self._exemplars + self._searches
        if self._sequences and rng.random() < self._sequence_share:
            return self._sequences[int(rng.integers(len(self._sequences)))].draw(count, rng)
        return [self._draw_photo(rng)] * count


def _draw_resolution(rng: Generator) -> float:
    """Camera pixels for each pixel of a group's views: half of all targets are small in a frame."""
    if rng.random() >= _LOW_RESOLUTION_SHARE:
        return 1.2  # no view of the group is reduced
    return float(np.exp(rng.uniform(np.log(_LOWEST_RESOLUTION), np.log(0.8))))


def _textured_box(
    image: NDArray[np.uint8], rng: Generator, aspects: float, tries: int = 6
) -> tuple[float, float, float, float]:
    """A random box on something: the first of ``tries`` with contrast, else the last."""
    height, width = image.shape[:2]
    for _ in range(tries):
        side = np.exp(rng.uniform(np.log(0.15), np.log(0.55))) * min(height, width)
        aspect = np.exp(rng.uniform(-aspects, aspects) / 2)
        w, h = min(side * aspect, width - 2.0), min(side / aspect, height - 2.0)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        patch = image[int(y) : int(y + h) : 2, int(x) : int(x + w) : 2]
        if patch.std() > 25:
            break
    return float(x), float(y), float(w), float(h)
