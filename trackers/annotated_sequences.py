"""Sequences of frames with the box of one object in each, as annotations on disk give them."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError

__all__ = ["AnnotatedSequence", "read_sequences"]

AnnotatedSequence = tuple[list[Path], NDArray[np.float64]]
"""Pictures in order, and (N, 4) boxes x, y, w, h in them; NaN or empty where there is none."""


def read_sequences(path: str | Path) -> list[AnnotatedSequence]:
    """Read sequences from a folder, or from a file of detection annotations.

    Args:
        path: A folder in the GOT-10k layout, ``NAME/*.jpg`` with ``NAME/groundtruth.txt``; or a
            COCO file whose images have ``video`` and ``frame``, beside a folder of its name (or the
            pictures). Of its videos those count that have one object in each annotated frame:
            where there are more, nobody says which is which.

    Raises:
        DataError: There is no sequence, or the annotations cannot be used.
    """
    path = Path(path)
    found = _read_coco(path) if path.is_file() else _read_folder(path)
    if not found:
        raise DataError(
            f"{path}: no sequence with a visible target found "
            f"(expected NAME/*.jpg and NAME/groundtruth.txt, or a COCO file of videos)"
        )
    return found


def _read_folder(root: Path) -> list[AnnotatedSequence]:
    found = []
    for truth in sorted(root.glob("*/groundtruth.txt")):
        frames = sorted(truth.parent.glob("*.jpg"))
        boxes = np.loadtxt(truth, delimiter=",", ndmin=2)
        if len(boxes) < len(frames) or not frames:
            raise DataError(f"{truth}: {len(boxes)} boxes for {len(frames)} frames")
        found.append((frames, boxes[: len(frames)]))
    return found


def _read_coco(path: Path) -> list[AnnotatedSequence]:
    try:
        content = json.loads(path.read_bytes())
        images = {image["id"]: image for image in content["images"]}
        boxes = defaultdict(list)
        for annotation in content["annotations"]:
            boxes[annotation["image_id"]].append([float(value) for value in annotation["bbox"]])
        videos = defaultdict(list)
        for number, image in images.items():
            videos[str(image["video"])].append((int(image["frame"]), number))
        folder = path.with_suffix("") if path.with_suffix("").is_dir() else path.parent
        found = []
        for frames in videos.values():
            numbers = [number for _, number in sorted(frames)]
            if all(len(boxes[number]) == 1 for number in numbers):
                pictures = [folder / images[number]["file_name"] for number in numbers]
                found.append((pictures, np.array([boxes[number][0] for number in numbers])))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{path}: not the annotations of videos ({error!r}); expected COCO's JSON, each image "
            f"with 'video' and 'frame'"
        ) from error
    return found
