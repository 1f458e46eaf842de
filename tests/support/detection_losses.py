"""What the losses of detectors are made of, for one number or one box at a time."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["STRIDE", "corners_by_hand", "entropy", "overlap_by_hand", "sigmoid"]

STRIDE = 8


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def entropy(logit: float, target: float) -> float:
    """Binary cross-entropy, nats."""
    p = sigmoid(logit)
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


def corners_by_hand(logs: np.ndarray, row: int, column: int, stride: int = STRIDE) -> list[float]:
    """x1, y1, x2, y2 of a cell's box."""
    left, top, right, bottom = (stride * math.exp(min(max(v, -10), 8)) for v in logs)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    return [x - left, y - top, x + right, y + bottom]


def overlap_by_hand(a: list[float], b: list[float]) -> tuple[float, float]:
    """IoU and GIoU."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    union = sum(areas) - width * height
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    iou = width * height / union
    return iou, iou - (hull - union) / hull
