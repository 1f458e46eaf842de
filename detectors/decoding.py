"""From a detector's map of cells to boxes: scores, corners, suppression of doubles.

Nearly all cells hold nothing, so one comparison of the whole map with a threshold in logits finds
those that may hold an object, and sigmoids and exponentials are computed for these alone. With
score = sigmoid(c)^(1 - w) * sigmoid(q)^w and sigmoid(q) <= 1, a score of t or more needs

    sigmoid(c) >= t^(1 / (1 - w)),

which is a bound on the class logit c whatever the quality logit q.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.detections import Detections
from binvision.detectors.settings import DetectorSettings
from binvision.errors import ModelError

__all__ = ["Decoder", "Placement", "suppress"]

_BOX_LIMITS = (-10.0, 8.0)  # of the logarithm of a side in cells
_SLACK = 1e-3  # of the bound in logits: what float32 may round away
# What is worth suppressing, in multiples of what may remain: the best of so many cells. Every
# object answers in about ten of them.
_CANDIDATES_PER_DETECTION = 10
_BLOCK = 64  # boxes that are compared with each other at once
_EARLIER = np.triu(np.ones((_BLOCK, _BLOCK), np.bool_), 1)  # i < j


class Placement(NamedTuple):
    """Where a picture lies in the network's input: at its top left, scaled.

    Attributes:
        size_hw: Height and width of the picture, its own pixels.
        scale_xy: Pixels of the input for one of the picture, in x and in y.
    """

    size_hw: tuple[int, int]
    scale_xy: tuple[float, float]


class Decoder:
    """Decodes maps of one network; keeps what two maps of the same size share.

    Args:
        settings: The network's.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings
        self._least_logit = _least_class_logit(settings)
        self._bounds = np.empty(0, np.float32)
        self._passed = np.empty(0, np.bool_)

    def __call__(self, head: NDArray[np.float32], placement: Placement) -> Detections:
        """Decode the map of one picture.

        Args:
            head: (h, w, K + 5) float32: K class logits, a quality logit, and the logarithms of
                the distances in cells from a cell's centre to the left, top, right and bottom.
            placement: Where the picture lies in the network's input.

        Raises:
            ModelError: The map holds numbers that are not finite.
        """
        settings = self._settings
        channels = head.shape[2]
        cells = np.ascontiguousarray(head).reshape(-1, channels)
        flat = cells.reshape(-1)
        _check_finite(flat)
        np.greater_equal(flat, self._bounds_of(flat.size), out=self._passed)
        row, label = np.divmod(np.flatnonzero(self._passed), channels)
        if not len(row):
            return Detections(*_nothing(), settings.classes)
        found = cells[row]
        scores = _scores(found[np.arange(len(row)), label], found[:, -5], settings.quality_weight)
        chosen = self._best(scores)
        row, label, scores, sides = row[chosen], label[chosen], scores[chosen], found[chosen, -4:]
        corners = self._corners(row, sides, head.shape[1], placement)
        seen = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
        if not seen.all():  # what lies in the padding
            corners, scores, label = corners[seen], scores[seen], label[seen]
        kept = suppress(corners, label, settings.iou_threshold, settings.max_detections)
        boxes = corners[kept]
        boxes[:, 2:] -= boxes[:, :2]
        return Detections(boxes, scores[kept], label[kept], settings.classes)

    def _bounds_of(self, size: int) -> NDArray[np.float32]:
        """Return what each number of a map must reach to be a class that may be there."""
        if len(self._bounds) != size:
            count = len(self._settings.classes)
            channels = [self._least_logit] * count + [np.inf] * 5
            self._bounds = np.tile(np.array(channels, np.float32), size // len(channels))
            self._passed = np.empty(size, np.bool_)
        return self._bounds

    def _best(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Indices of the scores that reach the threshold, best first, not too many."""
        most = _CANDIDATES_PER_DETECTION * self._settings.max_detections
        reached = np.flatnonzero(scores >= np.float32(self._settings.score_threshold))
        order = np.argsort(-scores[reached], kind="stable")[:most]
        return reached[order]

    def _corners(
        self,
        row: NDArray[np.int64],
        sides: NDArray[np.float32],
        width: int,
        placement: Placement,
    ) -> NDArray[np.float32]:
        """Corners (N, 4) x0, y0, x1, y1 in the picture of cells in a map of ``width``."""
        reach = np.exp(np.clip(sides, *_BOX_LIMITS))
        y, x = np.divmod(row, width)
        corners = np.empty((len(row), 4), np.float32)
        centre = np.empty((len(row), 2), np.float32)
        centre[:, 0], centre[:, 1] = x, y
        centre += np.float32(0.5)
        np.subtract(centre, reach[:, :2], out=corners[:, :2])
        np.add(centre, reach[:, 2:], out=corners[:, 2:])
        stride = self._settings.stride
        corners *= np.array([stride / scale for scale in placement.scale_xy * 2], np.float32)
        height, width = placement.size_hw
        np.clip(corners, 0, np.array((width, height) * 2, np.float32), out=corners)
        return corners


def suppress(
    corners: NDArray[np.float32],
    labels: NDArray[np.int64],
    iou_threshold: float,
    most: int | None = None,
) -> NDArray[np.int64]:
    """Drop boxes that overlap a better one of their class (greedy non-maximum suppression).

    Args:
        corners: (N, 4) float32, x0, y0, x1, y1, best first.
        labels: (N,) int64; boxes of different labels do not touch each other.
        iou_threshold: Greatest intersection over union that two boxes may have.
        most: How many are wanted; None wants all.

    Returns:
        Indices of what is left, ascending.
    """
    boxes = _Boxes(corners, labels, iou_threshold)
    kept = np.empty(0, np.int64)
    for start in range(0, len(corners), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(corners)))
        if len(kept):
            block = block[~boxes.doubles(kept, block).any(0)]
        doubles = boxes.doubles(block, block) & _EARLIER[: len(block), : len(block)]
        kept = np.concatenate((kept, block[_greedy(doubles)]))
        if most is not None and len(kept) >= most:
            return kept[:most]
    return kept


def _greedy(doubles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of what remains where row i, if it remains, drops each j > i with doubles[i, j].

    Whether j remains depends on earlier ones alone, so that asking again and again settles the
    first, then the next, and ends when nothing changes: after as many rounds as the longest chain
    of boxes that drop each other, which is short.
    """
    remains = np.logical_not(doubles.any(0))
    while True:
        again = np.logical_not(doubles[remains].any(0))
        if np.array_equal(again, remains):
            return remains
        remains = again


class _Boxes:
    """Boxes of which pairs are compared.

    Of areas a and b, intersection > t * union is intersection * (1 + t) > t * a + t * b.
    """

    def __init__(
        self, corners: NDArray[np.float32], labels: NDArray[np.int64], iou_threshold: float
    ) -> None:
        self._sides = np.ascontiguousarray(corners.T)
        areas = (self._sides[2] - self._sides[0]) * (self._sides[3] - self._sides[1])
        self._bounds = areas * np.float32(iou_threshold)
        self._factor = np.float32(1 + iou_threshold)
        self._labels = labels

    def doubles(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each pair of boxes (by index, all of ``first`` with all of ``second``) is one."""
        a, b = self._sides[:, first, None], self._sides[:, None, second]
        width = np.minimum(a[2], b[2])
        width -= np.maximum(a[0], b[0])
        shared = np.minimum(a[3], b[3])
        shared -= np.maximum(a[1], b[1])
        np.maximum(shared, 0, out=shared)
        shared *= np.maximum(width, 0, out=width)
        shared *= self._factor
        overlap = shared > self._bounds[first, None] + self._bounds[second]
        return overlap & (self._labels[first, None] == self._labels[second])


def _scores(
    logits: NDArray[np.float32], quality: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Scores (N,) in 0..1 of class and quality logits; log sigmoid(x) = -log(1 + exp(-x))."""
    log_score = np.logaddexp(0, -logits)
    log_score *= weight - 1
    log_score -= np.logaddexp(0, -quality) * np.float32(weight)
    return np.exp(log_score, out=log_score)


def _nothing() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    return np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64)


def _least_class_logit(settings: DetectorSettings) -> float:
    least = settings.score_threshold ** (1 / (1 - settings.quality_weight))
    if least <= 0:
        return -math.inf
    return math.inf if least >= 1 else math.log(least / (1 - least)) - _SLACK


def _check_finite(values: NDArray[np.float32]) -> None:
    # One number that is not finite makes the sum so; adding is cheaper than looking at each.
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not np.isfinite(total):
        raise ModelError(
            "the network's output is not finite: the model's numbers are far beyond those of any "
            "trained network; fetch it again or export it again"
        )
