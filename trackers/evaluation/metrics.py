"""Measures of a track against its ground truth, frame by frame, and the curves made of them.

Overlap and centre distance come from the got10k toolkit, the field's common engine; it buries the
curves in its experiment classes, so they are stated here. Which frames count, and how sequences
are averaged, differs between the benchmarks: see `scoring`.

References:
    Huang, Zhao, Huang: GOT-10k, TPAMI 2021, arXiv 1810.11981 (average overlap).
    Wu, Lim, Yang: Object Tracking Benchmark, TPAMI 2015, doi 10.1109/TPAMI.2014.2388226
    (success and precision plots).
    Müller et al.: TrackingNet, ECCV 2018, arXiv 1803.10794, section 4.2 (normalised precision).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np

from binvision.errors import DataError, MissingExtraError

__all__ = [
    "NORMALISED_THRESHOLDS",
    "PRECISION_AT_PX",
    "PRECISION_THRESHOLDS_PX",
    "SUCCESS_THRESHOLDS",
    "bootstrap_interval",
    "center_errors_px",
    "load_toolkit",
    "normalised_center_errors",
    "normalised_precision_curve",
    "overlaps",
    "precision_curve",
    "success_curve",
]

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
PRECISION_THRESHOLDS_PX = np.arange(51)
NORMALISED_THRESHOLDS = np.linspace(0, 0.5, 51)
PRECISION_AT_PX = 20

_PICKS_AT_ONCE = 1_000_000  # keeps a bootstrap over thousands of sequences within some megabytes


def overlaps(
    tracked_xywh: np.ndarray, truth_xywh: np.ndarray, bound_wh: tuple[int, int] | None = None
) -> np.ndarray:
    """Intersection over union of each pair of boxes.

    A box that is not finite overlaps nothing; the toolkit would answer NaN, and one NaN hides a
    whole sequence.

    Args:
        tracked_xywh: float ``[N, 4]``, pixels.
        truth_xywh: float ``[N, 4]``, pixels.
        bound_wh: Picture size to which both boxes are clipped first (GOT-10k); None: not clipped.

    Returns:
        float64 ``[N]`` in 0..1.

    Raises:
        DataError: the shapes differ or are not ``[N, 4]``.
        MissingExtraError: the got10k toolkit is not installed.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    lost = ~np.isfinite(np.concatenate([tracked, truth], axis=1)).all(axis=1)
    # The toolkit clips into the arrays that it is given; these are new.
    pair = [np.where(lost[:, None], 0.0, boxes) for boxes in (tracked, truth)]
    with np.errstate(invalid="ignore", over="ignore"):  # areas that no float holds
        overlap = load_toolkit().rect_iou(*pair, bound=bound_wh)
    return np.where(lost | np.isnan(overlap), 0.0, overlap)


def center_errors_px(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> np.ndarray:
    """Distance between box centres in pixels, infinite where a box is not finite.

    Returns:
        float64 ``[N]``, >= 0.

    Raises:
        DataError: the shapes differ or are not ``[N, 4]``.
        MissingExtraError: the got10k toolkit is not installed.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    return _infinite_where_undefined(load_toolkit().center_error, tracked, truth)


def normalised_center_errors(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> np.ndarray:
    """Distance between box centres, x in widths and y in heights of the true box.

    Returns:
        float64 ``[N]``, >= 0, infinite where a box is not finite or the true one has no area.

    Raises:
        DataError: the shapes differ or are not ``[N, 4]``.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    sizeless = (truth[:, 2:] <= 0).any(axis=1)
    errors = _infinite_where_undefined(_normalised_distance, tracked, truth)
    return np.where(sizeless, np.inf, errors)


def success_curve(overlap: np.ndarray, thresholds: np.ndarray = SUCCESS_THRESHOLDS) -> np.ndarray:
    """Share of frames whose overlap is above each threshold: OTB's 0, 0.05, ..., 1, or others.

    Above, not at least: a perfect track scores 0 at the last threshold and an AUC of 20/21, in
    the toolkit as in the official code.

    Returns:
        float64 ``[len(thresholds)]``.
    """
    return (overlap[:, None] > thresholds).mean(axis=0)


def precision_curve(errors_px: np.ndarray) -> np.ndarray:
    """Share of frames whose centre error is at most 0, 1, ..., 50 pixels.

    Returns:
        float64 ``[51]``; element 20 is the number that papers report.
    """
    return (errors_px[:, None] <= PRECISION_THRESHOLDS_PX).mean(axis=0)


def normalised_precision_curve(errors: np.ndarray) -> np.ndarray:
    """Share of frames whose normalised centre error is at most 0, 0.01, ..., 0.5.

    Returns:
        float64 ``[51]``.
    """
    return (errors[:, None] <= NORMALISED_THRESHOLDS).mean(axis=0)


def bootstrap_interval(
    values: Iterable[float], weights: Iterable[float] | None = None, *, resamples: int = 10_000
) -> tuple[float, float]:
    """95 % percentile interval of the mean over sequences, by resampling sequences.

    It answers how far the mean would move with other sequences of the same kind. The seed is
    fixed: the same values give the same interval.

    Args:
        values: One score a sequence.
        weights: What each counts in the mean; None: all the same.
        resamples: How often to resample.
    """
    sample = np.array(list(values), dtype=np.float64)
    weight = np.ones(len(sample)) if weights is None else np.array(list(weights), np.float64)
    draw = np.random.default_rng(0).integers
    means = np.empty(resamples)
    rows = max(1, _PICKS_AT_ONCE // len(sample))
    for start in range(0, resamples, rows):
        picks = draw(len(sample), size=(min(rows, resamples - start), len(sample)))
        totals = (sample * weight)[picks].sum(axis=1)
        means[start : start + rows] = totals / weight[picks].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _normalised_distance(tracked: np.ndarray, truth: np.ndarray) -> np.ndarray:
    offset = (tracked[:, :2] + tracked[:, 2:] / 2) - (truth[:, :2] + truth[:, 2:] / 2)
    return np.hypot(*(offset / truth[:, 2:]).T)


def _infinite_where_undefined(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray], tracked: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        errors = np.asarray(measure(tracked, truth), np.float64)
    return np.where(np.isnan(errors), np.inf, errors)


def _as_pair(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tracked = np.asarray(tracked_xywh, dtype=np.float64)
    truth = np.asarray(truth_xywh, dtype=np.float64)
    if tracked.shape != truth.shape or tracked.ndim != 2 or tracked.shape[1] != 4:
        raise DataError(
            f"tracked and true boxes must both be [N, 4], found {list(tracked.shape)} and "
            f"{list(truth.shape)}"
        )
    return tracked, truth


def load_toolkit() -> ModuleType:
    """The got10k toolkit's measures.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from got10k.utils import metrics
    except ImportError as error:
        raise MissingExtraError(
            f'evaluation needs the got10k toolkit ({error}); pip install "binvision[eval]"'
        ) from error
    return metrics
