"""The pictures with the most mistakes, drawn with what is there and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.detectors.annotations import DetectionSet, Picture
from binvision.detectors.detections import Detections
from binvision.detectors.evaluation.coco_metric import CocoScores, PictureMatches
from binvision.media.boxes import BoxXYWH
from binvision.media.drawing import Mark, annotate
from binvision.media.images import read_image
from binvision.media.ranked_pictures import RANKED, write_ranked

__all__ = ["mistakes", "write_worst"]

_SMALLEST_PX = 640  # longest side below which a picture is enlarged, so that words can be read
_HIT, _MISSED, _FALSE = 0, 1, 3  # colours


def mistakes(
    found: Sequence[Detections], matches: Sequence[PictureMatches], threshold: float
) -> NDArray[np.int64]:
    """Count missed objects and false detections of each picture with a threshold on the score."""
    return np.array(
        [
            int((match.found_with < threshold).sum())
            + int((match.counts & ~match.hit & (boxes.scores >= threshold)).sum())
            for boxes, match in zip(found, matches, strict=True)
        ],
        np.int64,
    )


def write_worst(
    folder: Path, data: DetectionSet, found: Sequence[Detections], scores: CocoScores
) -> tuple[Path, ...]:
    """Write ``01.jpg`` and on, the picture with the most mistakes first.

    The threshold is that of the best F1. Objects are dashed, missed ones in another colour;
    detections are solid, false ones in another colour.

    Args:
        folder: Where; of earlier pictures there none is left.
        data: The set.
        found: Of each picture, labels in the set's classes.
        scores: Of the whole set.

    Raises:
        SourceError: A picture cannot be read.
        SinkError: One cannot be written.
    """
    threshold = scores.best.score if scores.best else 0.5
    counts = mistakes(found, scores.matches, threshold)
    order = [index for index in np.argsort(-counts, kind="stable")[:RANKED] if counts[index]]
    return write_ranked(
        folder,
        (
            _draw(
                data.pictures[index], found[index], scores.matches[index], data.classes, threshold
            )
            for index in order
        ),
    )


def _draw(
    picture: Picture,
    found: Detections,
    match: PictureMatches,
    classes: tuple[str, ...],
    threshold: float,
) -> NDArray[np.uint8]:
    image = read_image(picture.path)
    scale = max(1, math.ceil(_SMALLEST_PX / max(image.shape[:2])))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    marks, missed, false = [], 0, 0
    for box, label, score in zip(picture.boxes, picture.labels, match.found_with, strict=True):
        is_missed = score < threshold
        missed += is_missed
        words = f"missed {classes[label]}" if is_missed else ""
        colour = _MISSED if is_missed else _HIT
        marks.append(Mark(_scaled(box, scale), words, dashed=True, colour=colour))
    for index in np.flatnonzero(found.scores >= threshold):
        is_false = bool(match.counts[index] and not match.hit[index])
        false += is_false
        name = classes[found.labels[index]]
        words, colour = (f"false {name}", _FALSE) if is_false else (name, _HIT)
        score = float(found.scores[index])
        marks.append(Mark(_scaled(found.boxes[index], scale), words, score, colour=colour))
    caption = f"{picture.path.name}: {missed} missed, {false} false, score from {threshold:.2f}"
    return annotate(image, marks, caption)


def _scaled(box: NDArray[np.float32], scale: int) -> BoxXYWH:
    x, y, w, h = (float(value) * scale for value in box)
    return x, y, w, h
