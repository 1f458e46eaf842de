"""Random truth and random detections of it, some near the objects and some not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from binvision.detectors.annotations import Picture
from binvision.detectors.detections import Detections

__all__ = ["random_detections", "random_pictures"]


def random_pictures(
    rng: np.random.Generator, count: int, classes: int, most: int = 8
) -> list[Picture]:
    """Pictures of 300 x 400 pixels with objects of all three sizes, some to be ignored."""
    pictures = []
    for number in range(count):
        objects = int(rng.integers(0, most + 1))
        sizes = np.exp(rng.uniform(np.log(8), np.log(180), (objects, 2)))
        corners = rng.uniform(0, 1, (objects, 2)) * (np.array([400, 300]) - sizes)
        pictures.append(
            Picture(
                Path(f"{number}.jpg"),
                (300, 400),
                np.hstack([corners, sizes]).astype(np.float32),
                rng.integers(0, classes, objects),
                rng.random(objects) < 0.15,
                f"p{number}",
            )
        )
    return pictures


def random_detections(
    rng: np.random.Generator, picture: Picture, classes: tuple[str, ...], extra: int = 5
) -> Detections:
    """Objects moved a little, some of them twice or not at all, and boxes out of nowhere.

    Scores have one decimal, so that many are equal.
    """
    chosen = rng.integers(0, max(len(picture.boxes), 1), len(picture.boxes))
    near = picture.boxes[chosen] * rng.uniform(0.85, 1.15, (len(chosen), 4))
    labels = np.where(rng.random(len(chosen)) < 0.9, picture.labels[chosen], 0)
    count = int(rng.integers(0, extra + 1))
    nowhere = np.hstack([rng.uniform(0, 200, (count, 2)), rng.uniform(5, 100, (count, 2))])
    boxes = np.vstack([near.reshape(-1, 4), nowhere]).astype(np.float32)
    labels = np.concatenate([labels, rng.integers(0, len(classes), count)]).astype(np.int64)
    scores = np.round(rng.uniform(0, 1, len(boxes)), 1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], scores[order], labels[order], classes)
