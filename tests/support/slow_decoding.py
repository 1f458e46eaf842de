"""Decoding of a detector's map with plain loops: the truth that the fast one is held against."""

from __future__ import annotations

import math

import numpy as np

from binvision.detectors.settings import DetectorSettings

__all__ = ["iou", "slow_candidates", "slow_decode", "slow_suppress"]

Found = tuple[float, int, tuple[float, float, float, float]]  # score, label, corners


def slow_decode(
    head: np.ndarray, settings: DetectorSettings, size_hw: tuple[int, int], scale: float
) -> list[Found]:
    """Objects in a map (h, w, K + 5) of a picture of ``size_hw``, best first."""
    candidates = slow_candidates(head, settings, size_hw, scale)
    return slow_suppress(candidates, settings.iou_threshold)[: settings.max_detections]


def slow_candidates(
    head: np.ndarray, settings: DetectorSettings, size_hw: tuple[int, int], scale: float
) -> list[Found]:
    """The same before suppression."""
    height, width = size_hw
    candidates: list[Found] = []
    for i in range(head.shape[0]):
        for j in range(head.shape[1]):
            numbers = [float(number) for number in head[i, j]]
            centre = ((j + 0.5) * settings.stride, (i + 0.5) * settings.stride)
            left, top, right, bottom = (
                settings.stride * math.exp(min(max(number, -10), 8)) for number in numbers[-4:]
            )
            corners = (
                min(max((centre[0] - left) / scale, 0), width),
                min(max((centre[1] - top) / scale, 0), height),
                min(max((centre[0] + right) / scale, 0), width),
                min(max((centre[1] + bottom) / scale, 0), height),
            )
            quality = _sigmoid(numbers[-5]) ** settings.quality_weight
            for label in range(len(settings.classes)):
                score = _sigmoid(numbers[label]) ** (1 - settings.quality_weight) * quality
                if (
                    score >= settings.score_threshold
                    and corners[0] < corners[2]
                    and corners[1] < corners[3]
                ):
                    candidates.append((score, label, corners))
    return sorted(candidates, key=lambda found: -found[0])


def slow_suppress(candidates: list[Found], iou_threshold: float) -> list[Found]:
    """Greedy suppression of what overlaps a better one of its class."""
    kept: list[Found] = []
    for candidate in candidates:
        for other in kept:
            if other[1] == candidate[1] and iou(other[2], candidate[2]) > iou_threshold:
                break
        else:
            kept.append(candidate)
    return kept


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
