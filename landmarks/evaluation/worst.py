"""The subjects with the greatest errors, drawn with what is true and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.crop import box_of, crop_matrix, crop_of_box, take_crop, to_crop
from binvision.landmarks.evaluation.lengths import BOX, lengths_of
from binvision.landmarks.evaluation.scores import Finding, distances
from binvision.landmarks.formats.points import PointPicture, PointSet
from binvision.media.drawing import annotate
from binvision.media.ranked_pictures import RANKED, write_ranked

__all__ = ["write_worst"]

_SIDE = 512  # of a drawn crop, pixels
_MARGIN = 1.4  # of the crop around all points that are drawn
_TRUE, _FOUND = (80, 220, 120), (60, 60, 245)  # BGR
_SHIFT = 3  # OpenCV draws at 1/8 pixel with this many fractional bits


def write_worst(folder: Path, data: PointSet, found: Sequence[Finding]) -> tuple[Path, ...]:
    """Write ``01.jpg`` and on, the subject with the greatest error in sizes of its box first.

    True points are green, found ones red, with a line between them.

    Args:
        folder: Where; of earlier pictures there none is left.
        data: The set.
        found: Of each subject; those that were missed are left out.

    Raises:
        SourceError: A picture cannot be read.
        SinkError: One cannot be written.
    """
    errors = np.nanmean(distances(data.pictures, found), 1)
    lengths = lengths_of(BOX, data.scheme, data.pictures)
    if lengths is not None:
        errors = errors / lengths
    errors = np.where(np.isfinite(errors), errors, -1)
    order = [index for index in np.argsort(-errors, kind="stable")[:RANKED] if errors[index] > 0]
    return write_ranked(
        folder,
        (_draw(data.pictures[index], found[index].points, errors[index]) for index in order),
    )


def _draw(
    picture: PointPicture, found: NDArray[np.float32] | None, error: float
) -> NDArray[np.uint8]:
    assert found is not None  # missed ones are not drawn
    labelled = ~np.isnan(picture.points).any(1)
    true, found = picture.points[labelled], found[labelled]
    centre, side = crop_of_box(box_of(np.concatenate([true, found])), _MARGIN)
    matrix = crop_matrix(centre, side, _SIDE)
    canvas = take_crop(picture.read(), matrix, _SIDE)
    for start, end in zip(
        _fixed(to_crop(true, matrix)), _fixed(to_crop(found, matrix)), strict=True
    ):
        cv2.line(canvas, start, end, _FOUND, 1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, start, 3 << _SHIFT, _TRUE, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, end, 3 << _SHIFT, _FOUND, -1, cv2.LINE_AA, _SHIFT)
    return annotate(canvas, [], f"{picture.name}: {100 * error:.1f} % of the box")


def _fixed(points: NDArray[np.float32]) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in np.rint(points * 2**_SHIFT)]
