"""How honest confidences are, and the two numbers that make them so.

References:
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017,
    arXiv 1706.04599 (reliability diagram; ECE, eq. 3).
    Platt: Probabilistic Outputs for Support Vector Machines, 1999; Lin, Lin, Weng: A Note on
    Platt's Probabilistic Outputs, 2007, doi 10.1007/s10994-007-5018-6 (smoothed targets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "Platt", "brier", "calibration_error", "fit_held_out", "fit_platt", "reliability"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BINS = 10
_FINEST = 1e-6  # nearest to 0 and 1 that a confidence may lie
_PULL = 1e-3  # of the numbers to 1 and 0, where the data leave them open
_STEPS = 100


@dataclass(frozen=True)
class Bin:
    """Frames whose confidence lies in a tenth of 0..1.

    Attributes:
        low: Least confidence.
        frames: Number of frames.
        confidence: Their mean confidence; None of no frame.
        right: Part of them that is right; None of no frame.
    """

    low: float
    frames: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True)
class Platt:
    """New confidence = sigmoid(scale * logit(confidence) + bias)."""

    scale: float
    bias: float

    def __call__(self, confidence: Floats) -> Floats:
        """Confidences of the same shape."""
        return _sigmoid(self.scale * _logit(confidence) + self.bias)


def reliability(confidence: Floats, right: Flags) -> list[Bin]:
    """Ten bins of equal width, the last one with 1 in it.

    Args:
        confidence: (N,) in 0..1.
        right: (N,), whether what is believed so much is true.
    """
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = []
    for place in range(_BINS):
        inside = places == place
        some = bool(inside.any())
        bins.append(
            Bin(
                place / _BINS,
                int(inside.sum()),
                float(confidence[inside].mean()) if some else None,
                float(right[inside].mean()) if some else None,
            )
        )
    return bins


def calibration_error(confidence: Floats, right: Flags) -> float:
    """ECE, the mean over frames of |confidence - part that is right| of their bins."""
    return sum(
        one.frames * abs(one.confidence - one.right)
        for one in reliability(confidence, right)
        if one.confidence is not None and one.right is not None
    ) / len(confidence)


def brier(confidence: Floats, right: Flags) -> float:
    """Mean squared distance of confidences from 0 and 1: small needs honesty and knowledge."""
    return float(((confidence - right) ** 2).mean())


def fit_platt(confidence: Floats, right: Flags) -> Platt:
    """Fit by Newton's method on the likelihood, with Platt's smoothed targets."""
    hits = int(right.sum())
    misses = len(right) - hits
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    x = np.stack([_logit(confidence), np.ones(len(confidence))], axis=1)
    start = np.array([1.0, 0.0])

    def loss(theta: Floats) -> float:
        z = x @ theta
        return float(
            (np.logaddexp(0, z) - target * z).sum() + _PULL / 2 * ((theta - start) ** 2).sum()
        )

    theta = start
    for _ in range(_STEPS):
        p = _sigmoid(x @ theta)
        slope = x.T @ (p - target) + _PULL * (theta - start)
        curve = (x * (p * (1 - p))[:, None]).T @ x + _PULL * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while loss(theta - step) > loss(theta) and np.abs(step).max() > 1e-9:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() < 1e-9:
            break
    return Platt(float(theta[0]), float(theta[1]))


def fit_held_out(confidence: Floats, right: Flags, groups: Sequence[str]) -> Floats:
    """New confidences of each group by numbers that were fitted on all other groups.

    Returns:
        (N,); with one group only, what it was.
    """
    names = np.array(groups)
    fitted = confidence.copy()
    for name in dict.fromkeys(groups):
        inside = names == name
        if not inside.all():
            fitted[inside] = fit_platt(confidence[~inside], right[~inside])(confidence[inside])
    return fitted


def _logit(confidence: Floats) -> Floats:
    clipped = np.clip(confidence, _FINEST, 1 - _FINEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(logit / 2)), np.float64)
