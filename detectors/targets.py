"""What a detector should answer for a picture: centre maps, and the box of each cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Targets", "encode"]

_CENTRAL = 0.54  # share of a box that votes for it (TTFNet, AAAI 2020, section 3.1)


@dataclass(frozen=True)
class Targets:
    """Targets of one picture of h x w cells.

    Attributes:
        centres: (K, h, w) float32, 1 at each object's centre cell, -1 where nothing is judged.
        boxes: (4, h, w) float32 corners in pixels of the object of each cell.
        weights: (h, w) float32 weight of each cell's box; 0 for cells of no object.
    """

    centres: NDArray[np.float32]
    boxes: NDArray[np.float32]
    weights: NDArray[np.float32]


def encode(
    boxes_xywh: NDArray[np.float32],
    labels: NDArray[np.int64],
    ignore: NDArray[np.bool_],
    classes: int,
    size_hw: tuple[int, int],
    stride: int,
) -> Targets:
    """Return the targets of a picture (TTFNet, AAAI 2020, section 3.1 and eq. 6).

    Every object has a Gaussian around its centre cell, as long and wide as the middle half of its
    box. Cells under it learn its box, with the Gaussian as weight; where objects overlap, cells
    belong to the smallest. Each object's weights sum to the logarithm of its area in cells, plus
    1, so that large objects count more but do not rule. Where an object is not to be judged, cells
    are judged only under the Gaussians of others.

    Args:
        boxes_xywh: (N, 4) pixels of the picture, within it.
        labels: (N,) classes.
        ignore: (N,) objects that are not to be judged.
        classes: Number of classes K.
        size_hw: Picture in pixels, multiples of the stride.
        stride: Pixels between two cells.
    """
    rows, columns = size_hw[0] // stride, size_hw[1] // stride
    centres = np.zeros((classes, rows, columns), np.float32)
    boxes = np.zeros((4, rows, columns), np.float32)
    weights = np.zeros((rows, columns), np.float32)
    y, x = np.arange(rows)[:, None], np.arange(columns)[None, :]
    for index in np.argsort(-boxes_xywh[:, 2] * boxes_xywh[:, 3], kind="stable"):
        if ignore[index]:
            continue
        left, top, width, height = boxes_xywh[index].tolist()
        column = min(int((left + width / 2) / stride), columns - 1)
        row = min(int((top + height / 2) / stride), rows - 1)
        reach_x = int(width / 2 * _CENTRAL / stride)
        reach_y = int(height / 2 * _CENTRAL / stride)
        gaussian = _bell(x - column, reach_x) * _bell(y - row, reach_y)
        label = int(labels[index])
        np.maximum(centres[label], gaussian, out=centres[label])
        owned = gaussian > 0
        share = gaussian / gaussian.sum() * (1 + np.log(1 + width * height / stride**2))
        weights[owned] = share[owned]
        boxes[:, owned] = np.array([[left], [top], [left + width], [top + height]], np.float32)
    for left, top, width, height in boxes_xywh[ignore].tolist():
        region = centres[:, _cells(top, height, rows, stride), _cells(left, width, columns, stride)]
        region[region == 0] = -1
    return Targets(centres, boxes, weights)


def _bell(distance: NDArray[np.int64], reach: int) -> NDArray[np.float32]:
    """Gaussian whose three standard deviations end half a cell beyond ``reach``, then 0."""
    sigma = (2 * reach + 1) / 6
    bell = np.exp(-(distance**2) / (2 * sigma**2))
    return np.where(np.abs(distance) <= reach, bell, 0.0).astype(np.float32)


def _cells(start: float, length: float, count: int, stride: int) -> slice:
    first = max(0, int(start / stride))
    return slice(first, min(count, int(np.ceil((start + length) / stride))))
