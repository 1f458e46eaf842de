"""Large pictures tile by tile: where the tiles lie, and how what they show is joined.

An object at the border of a tile is seen in part there, and whole in the neighbouring tile if it
is smaller than what both share. Its part overlaps the whole by little of the whole's area, so that
the usual measure, intersection over union, would keep both: a part is dropped where most *of it*
lies in a box of its class that no border cuts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.decoding import suppress
from binvision.detectors.detections import Detections
from binvision.detectors.settings import MAX_SIDE, DetectorSettings
from binvision.errors import UsageError

__all__ = ["join_tiles", "tile_places"]

MAX_OVERLAP = 0.9
_COVERED = 0.6  # of a part that lies in a whole box


def tile_places(size_hw: tuple[int, int], tile: int, overlap: float) -> list[tuple[int, int]]:
    """Left and top of tiles that cover a picture, evenly spaced, row by row.

    Args:
        size_hw: Height and width of the picture.
        tile: Side of a tile, pixels.
        overlap: Least part that neighbouring tiles share, in 0..0.9.

    Raises:
        UsageError: The tile's side or the overlap is out of range.
    """
    if not 1 <= tile <= MAX_SIDE:
        raise UsageError(f"tile {tile}: expected 1 to {MAX_SIDE} pixels")
    if not 0 <= overlap <= MAX_OVERLAP:
        raise UsageError(f"overlap {overlap:g}: expected 0 to {MAX_OVERLAP}, a part of a tile")
    tops, lefts = (_starts(side, tile, overlap) for side in size_hw)
    return [(left, top) for top in tops for left in lefts]


def join_tiles(
    found: Sequence[Detections],
    places: Sequence[tuple[int, int]],
    tile: int,
    size_hw: tuple[int, int],
    settings: DetectorSettings,
) -> Detections:
    """Join what was found in the tiles of a picture.

    Args:
        found: Detections of each tile, in the tile's own pixels.
        places: Left and top of each tile.
        tile: Side of a tile, pixels.
        size_hw: Height and width of the picture.
        settings: Threshold, and the stride: by half of it a box may miss a border that cuts it.

    Returns:
        Detections in the picture's pixels.
    """
    corners, cut = [], []
    for detections, (left, top) in zip(found, places, strict=True):
        box = detections.boxes + np.array([left, top, 0, 0], np.float32)
        box[:, 2:] += box[:, :2]
        corners.append(box)
        cut.append(_is_cut(box, (left, top), tile, size_hw, settings.stride / 2))
    scores = np.concatenate([detections.scores for detections in found])
    order = np.argsort(-scores, kind="stable")
    boxes = np.concatenate(corners)[order]
    labels = np.concatenate([detections.labels for detections in found])[order]
    is_part = np.concatenate(cut)[order]

    wholes, parts = np.flatnonzero(~is_part), np.flatnonzero(is_part)
    wholes = wholes[suppress(boxes[wholes], labels[wholes], settings.iou_threshold)]
    parts = parts[~_lies_in(boxes, labels, parts, wholes)]
    parts = parts[suppress(boxes[parts], labels[parts], settings.iou_threshold)]
    kept = np.sort(np.concatenate((wholes, parts)))
    xywh = boxes[kept]
    xywh[:, 2:] -= xywh[:, :2]
    return Detections(xywh, scores[order[kept]], labels[kept], settings.classes)


def _starts(side: int, tile: int, overlap: float) -> list[int]:
    """First pixels of the tiles along a side; the last tile ends with the picture."""
    span = max(0, side - tile)
    step = max(1, int(tile * (1 - overlap)))
    count = -(-span // step)
    return [round(number * span / count) for number in range(count + 1)] if count else [0]


def _is_cut(
    corners: NDArray[np.float32],
    place: tuple[int, int],
    tile: int,
    size_hw: tuple[int, int],
    margin: float,
) -> NDArray[np.bool_]:
    """Whether boxes (N, 4) end at a border of the tile that is no border of the picture."""
    cut = np.zeros(len(corners), np.bool_)
    for axis, (start, side) in enumerate(zip(place, size_hw[::-1], strict=True)):
        if start > 0:
            cut |= corners[:, axis] < start + margin
        if start + tile < side:
            cut |= corners[:, axis + 2] > start + tile - margin
    return cut


def _lies_in(
    corners: NDArray[np.float32],
    labels: NDArray[np.int64],
    parts: NDArray[np.int64],
    wholes: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether each of ``parts`` lies for the most part in one of ``wholes`` of its class."""
    a, b = corners[parts].T[:, :, None], corners[wholes].T[:, None, :]
    shared = np.maximum(np.minimum(a[2], b[2]) - np.maximum(a[0], b[0]), 0)
    shared *= np.maximum(np.minimum(a[3], b[3]) - np.maximum(a[1], b[1]), 0)
    area = (a[2] - a[0]) * (a[3] - a[1])
    same = labels[parts][:, None] == labels[wholes][None, :]
    return np.logical_and(same, shared > _COVERED * area).any(1)
