"""Pictures with boxes for training and evaluation, read from the usual formats and checked.

What cannot be used is left out and named in ``DetectionSet.problems``, a line each; a set of which
nothing is left is an error.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.formats.coco import read_coco
from binvision.detectors.formats.voc import is_voc, read_voc
from binvision.detectors.formats.written import WrittenBox, WrittenPicture, WrittenSet
from binvision.detectors.formats.yolo import is_yolo, read_yolo
from binvision.errors import DataError, SourceError, UsageError
from binvision.media.image_size import read_size_hw
from binvision.media.images import read_image

__all__ = [
    "SIZE_LIMITS",
    "DetectionSet",
    "Picture",
    "SummaryRow",
    "read_detection_set",
    "read_picture",
    "summary",
]

SIZE_LIMITS = (32**2, 96**2)  # pixels of COCO's small and medium objects
_ROUNDING = 1.0  # pixels by which a box may reach beyond its picture without a word


@dataclass(frozen=True)
class Picture:
    """A picture and the objects in it; no box reaches beyond it or is without area.

    Attributes:
        path: The file; it is read when it is needed.
        size_hw: Height and width, pixels.
        boxes: (N, 4) float32, x, y, w, h in pixels counted from 0.
        labels: (N,) int64, indices into the classes of the set.
        ignore: (N,) bool, crowds and difficult objects: neither to be found nor to be missed.
        identifier: What the annotations call the picture.
        areas: (N,) float32, pixels of each object as COCO's annotations have them; None where
            those of the boxes stand for them.
    """

    path: Path
    size_hw: tuple[int, int]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    identifier: int | str
    areas: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class DetectionSet:
    """Annotated pictures.

    Attributes:
        classes: Names; labels are indices into them.
        pictures: In the order of the annotations; those without objects are among them.
        problems: What was left out or changed, a line each.
        class_ids: Numbers of the classes in the annotations, where COCO's results need them; those
            of Pascal VOC, which has none, count from 1.
    """

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    problems: tuple[str, ...] = ()
    class_ids: tuple[int | str, ...] = ()


class SummaryRow(NamedTuple):
    """What a set holds of one class.

    Attributes:
        name: The class, or ``"all"``.
        pictures: Pictures with at least one box; for all classes also those without any.
        boxes: Boxes that count.
        small: Of these, those of less than 32 x 32 pixels.
        medium: Less than 96 x 96.
        large: The others.
        ignored: Boxes of crowds and difficult objects, not among ``boxes``.
    """

    name: str
    pictures: int
    boxes: int
    small: int
    medium: int
    large: int
    ignored: int


def read_detection_set(
    data: Path,
    images: Path | None = None,
    classes: Sequence[str] | None = None,
    *,
    split: str = "train",
) -> DetectionSet:
    """Read COCO JSON, Pascal VOC XML or YOLO text, whichever ``data`` is.

    Args:
        data: A COCO JSON or the folder of one; a folder of VOC XML, VOC's root or one of its lists;
            a YOLO data.yaml, its folder, or a folder of labels or pictures below it.
        images: Folder of the pictures; None looks where the format has them.
        classes: Which classes to keep, in this order; None keeps all, in the order of their
            numbers, or for VOC of the alphabet.
        split: Which part to read where ``data`` names several: of data.yaml, or of VOC's lists.

    Raises:
        DataError: There is nothing of these formats, it is damaged, or no picture can be used.
        UsageError: ``classes`` names one twice, or one that the set does not have.
    """
    data = Path(data)
    if images is not None and not Path(images).is_dir():
        raise DataError(f"{images}: no such folder of pictures")
    written = _read(data, Path(images) if images is not None else None, split)
    names = _chosen(classes, written) if classes is not None else written.classes
    if not names:
        raise DataError(f"{written.where}: no class and no box in {data}{_first(written.problems)}")
    problems = list(written.problems)
    pictures = _checked_pictures(written, names, problems)
    if not pictures:
        raise DataError(f"{data}: no picture can be used{_first(problems)}")
    counts = Counter(int(label) for picture in pictures for label in picture.labels)
    problems += [
        f"{written.where}: class {name!r} has no box"
        for index, name in enumerate(names)
        if not counts[index]
    ]
    numbers = dict(zip(written.classes, written.class_ids, strict=True))
    ids = tuple(numbers[name] for name in names)
    return DetectionSet(names, tuple(pictures), tuple(problems), ids)


def read_picture(picture: Picture) -> NDArray[np.uint8]:
    """Read the pixels of a picture, (H, W, 3) BGR, as its boxes count them.

    Raises:
        SourceError: The picture cannot be read.
        DataError: It has another size than its header says.
    """
    image = read_image(picture.path)
    if image.shape[:2] != picture.size_hw:
        raise DataError(
            f"{picture.path}: is decoded to {image.shape[1]}x{image.shape[0]} pixels, but its "
            f"header says {picture.size_hw[1]}x{picture.size_hw[0]}; save it again"
        )
    return image


def summary(data: DetectionSet) -> tuple[SummaryRow, ...]:
    """Count pictures, boxes and their sizes: a row for each class, and one for all."""
    boxes = [np.zeros((0, 4), np.float32), *(picture.boxes for picture in data.pictures)]
    areas = np.concatenate(boxes)[:, 2:].astype(np.float64).prod(1)
    labels = np.concatenate([np.zeros(0, np.int64), *(p.labels for p in data.pictures)])
    ignore = np.concatenate([np.zeros(0, bool), *(p.ignore for p in data.pictures)])
    sizes = np.digitize(areas, SIZE_LIMITS)
    rows = []
    for index, name in enumerate(data.classes):
        holding = sum(bool((picture.labels == index).any()) for picture in data.pictures)
        rows.append(_row(name, holding, sizes, ignore, labels == index))
    everything = np.ones(len(labels), bool)
    return (*rows, _row("all", len(data.pictures), sizes, ignore, everything))


def _row(
    name: str,
    pictures: int,
    sizes: NDArray[np.int64],
    ignore: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
) -> SummaryRow:
    small, medium, large = np.bincount(sizes[chosen & ~ignore], minlength=3).tolist()
    ignored = int((chosen & ignore).sum())
    return SummaryRow(name, pictures, small + medium + large, small, medium, large, ignored)


def _read(data: Path, images: Path | None, split: str) -> WrittenSet:
    """Tell the format by looking, and read it."""
    if data.is_file():
        suffix = data.suffix.lower()
        if suffix in (".yaml", ".yml"):
            return read_yolo(data, images, split)
        if suffix == ".txt" and data.absolute().parts[-3:-1] == ("ImageSets", "Main"):
            return read_voc(data.absolute(), images, split)
        if suffix == ".json":
            return read_coco(data, images)
    elif data.is_dir():
        if is_voc(data):
            return read_voc(data, images, split)
        documents = sorted(path for path in data.glob("*.json") if not path.name.startswith("."))
        if len(documents) == 1:
            return read_coco(documents[0], images)
        if len(documents) > 1:
            names = ", ".join(path.name for path in documents)
            raise DataError(f"{data}: holds several JSON files ({names}); name one of them")
        if is_yolo(data):
            return read_yolo(data, images, split)
    else:
        raise DataError(f"{data}: no such file or folder of annotations")
    raise DataError(
        f"{data}: no known annotations; expected a COCO .json, a folder of Pascal VOC .xml or its "
        f"ImageSets/Main/PART.txt, or a YOLO data.yaml or folder with classes.txt and labels"
    )


def _chosen(classes: Sequence[str], written: WrittenSet) -> tuple[str, ...]:
    names = tuple(classes)
    for name in names:
        if name not in written.classes:
            close = difflib.get_close_matches(name, written.classes, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(
                f"{written.where}: no class {name!r}; there are "
                f"{', '.join(written.classes) or 'none'}{hint}"
            )
        if names.count(name) > 1:
            raise UsageError(f"class {name!r} is named twice; name each once")
    return names


def _first(problems: Sequence[str]) -> str:
    count = f" (of {len(problems)} problems)" if len(problems) > 1 else ""
    return f"; the first problem{count}: {problems[0]}" if problems else ""


def _checked_pictures(
    written: WrittenSet, names: tuple[str, ...], problems: list[str]
) -> list[Picture]:
    numbers = {name: index for index, name in enumerate(names)}
    pictures, seen = [], set()
    for picture in written.pictures:
        if picture.path in seen:
            problems.append(
                f"{written.where}: {picture.path.name}: is annotated twice; the boxes of "
                f"{picture.identifier} are left out"
            )
            continue
        seen.add(picture.path)
        try:
            size_hw = read_size_hw(picture.path)
        except SourceError as error:
            problems.append(f"{written.where}: {error}")
            continue
        if picture.size_hw and picture.size_hw != size_hw:
            (height, width), (stated_height, stated_width) = size_hw, picture.size_hw
            problems.append(
                f"{written.where}: {picture.path.name}: is {width}x{height} pixels, but its "
                f"annotation is for {stated_width}x{stated_height}; it is left out"
            )
            continue
        kept = [box for box in picture.boxes if box.class_name in numbers]
        where = f"{written.where}: {picture.path.name}"
        pictures.append(_checked(picture, kept, size_hw, numbers, where, problems))
    return pictures


def _checked(
    picture: WrittenPicture,
    kept: list[WrittenBox],
    size_hw: tuple[int, int],
    numbers: dict[str, int],
    where: str,
    problems: list[str],
) -> Picture:
    """Clip the boxes of a picture and leave out those of which nothing is left."""
    boxes = np.array([box.box_xywh for box in kept], np.float64).reshape(-1, 4)
    labels = np.array([numbers[box.class_name] for box in kept], np.int64)
    ignore = np.array([box.ignore for box in kept], bool)
    size_wh = np.array(size_hw[::-1], np.float64)
    if picture.relative:
        boxes *= np.tile(size_wh, 2)

    flat = (boxes[:, 2:] <= 0).any(1)
    start = np.clip(boxes[:, :2], 0, size_wh)
    end = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size_wh)
    cut = np.abs(np.hstack([start - boxes[:, :2], end - boxes[:, :2] - boxes[:, 2:]])).max(
        1, initial=0
    )
    clipped = np.hstack([start, end - start]).astype(np.float32)
    outside = ~flat & (clipped[:, 2:] <= 0).any(1)
    rows = np.column_stack([boxes, labels, ignore])
    repeated = np.ones(len(rows), bool)
    repeated[np.unique(rows, axis=0, return_index=True)[1]] = False
    left = ~(flat | outside | repeated)

    for fault, words in (
        (flat, "without area left out"),
        (outside, "outside the picture left out"),
        (repeated & ~flat & ~outside, "given twice; one is kept"),
        (left & (cut > _ROUNDING), "reaching beyond the picture clipped"),
    ):
        if fault.any():
            first = boxes[np.flatnonzero(fault)[0]]
            numbers_text = ", ".join(f"{value:.4g}" for value in first)
            count = int(fault.sum())
            noun = "box" if count == 1 else "boxes"
            problems.append(f"{where}: {count} {noun} {words} (x, y, w, h {numbers_text})")

    stated = [box.area for box in kept]
    areas = None
    if any(area is not None for area in stated):
        of_box = clipped[:, 2:].prod(1)
        areas = np.array(
            [size if area is None else area for area, size in zip(stated, of_box, strict=True)],
            np.float32,
        )[left]
    return Picture(
        picture.path,
        size_hw,
        clipped[left],
        labels[left],
        ignore[left],
        picture.identifier,
        areas,
    )
