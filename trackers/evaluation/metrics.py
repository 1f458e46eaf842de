"""Scores of a track against its ground truth.

Overlap and centre distance come from the got10k toolkit, the field's common engine. What the
toolkit buries in its experiment classes (curves, thresholds, which frames count) is stated here.

First frame, where the tracker is handed the truth: GOT-10k leaves it out of AO and SR, OTB keeps
it in its curves. Each score follows its own protocol, so AO and the success AUC of one track
differ a little. Frames whose target is absent (`Sequence.visible`) count in neither.

References:
    Huang, Zhao, Huang: GOT-10k, TPAMI 2021, arXiv 1810.11981 (AO, SR).
    Wu, Lim, Yang: Object Tracking Benchmark, TPAMI 2015, doi 10.1109/TPAMI.2014.2388226
    (success and precision plots).
    Müller et al.: TrackingNet, ECCV 2018, arXiv 1803.10794, section 4.2 (normalised precision).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from binvision.errors import DataError, MissingExtraError

__all__ = [
    "TrackScores",
    "bootstrap_interval",
    "center_errors_px",
    "normalised_center_errors",
    "normalised_precision_curve",
    "overlaps",
    "precision_curve",
    "score_track",
    "success_curve",
]

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
PRECISION_THRESHOLDS_PX = np.arange(51)
NORMALISED_THRESHOLDS = np.linspace(0, 0.5, 51)
PRECISION_AT_PX = 20


@dataclass(frozen=True)
class TrackScores:
    """Scores of one track, each in 0..1, higher is better.

    Attributes:
        ao: Average overlap (GOT-10k), first frame left out.
        sr50: Share of frames with overlap above 0.5 (GOT-10k), first frame left out.
        sr75: The same above 0.75.
        success_auc: Mean of the success curve (OTB), first frame kept.
        precision: Share of frames whose centre is within 20 pixels (OTB), first frame kept.
        normalised_precision: Mean of the normalised precision curve (TrackingNet), first frame
            kept.
        frames: Number of frames that `ao` averages.
    """

    ao: float
    sr50: float
    sr75: float
    success_auc: float
    precision: float
    normalised_precision: float
    frames: int


def score_track(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> TrackScores:
    """Score the frames of one run, in the order in which they were tracked.

    Args:
        tracked_xywh: float ``[N, 4]``, pixels; row 0 is the start and counts as the truth itself.
        truth_xywh: float ``[N, 4]``, the same frames, every box with area; N >= 2.

    Raises:
        DataError: shapes differ, or fewer than two frames.
        MissingExtraError: the got10k toolkit is not installed.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    if len(truth) < 2:
        raise DataError(f"cannot score a track of {len(truth)} frames; expected at least 2")
    tracked = np.concatenate([truth[:1], tracked[1:]])
    overlap = overlaps(tracked, truth)
    followed = overlap[1:]
    return TrackScores(
        ao=float(followed.mean()),
        sr50=float((followed > 0.5).mean()),
        sr75=float((followed > 0.75).mean()),
        success_auc=float(success_curve(overlap).mean()),
        precision=float(precision_curve(center_errors_px(tracked, truth))[PRECISION_AT_PX]),
        normalised_precision=float(
            normalised_precision_curve(normalised_center_errors(tracked, truth)).mean()
        ),
        frames=len(followed),
    )


def overlaps(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair of boxes, not clipped to the image.

    A tracked box that is not finite overlaps nothing; the toolkit would answer NaN, and one NaN
    hides a whole sequence.

    Returns:
        float64 ``[N]`` in 0..1.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    lost = ~np.isfinite(tracked).all(axis=1)
    # The toolkit's `bound=` argument writes into the arrays it is given: it is never passed.
    overlap = _toolkit().rect_iou(np.where(lost[:, None], 0.0, tracked), truth)
    return np.where(lost, 0.0, overlap)


def center_errors_px(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> np.ndarray:
    """Distance between box centres in pixels, infinite where the tracked box is not finite.

    Returns:
        float64 ``[N]``, >= 0.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    errors = _toolkit().center_error(tracked, truth)
    return np.where(np.isfinite(tracked).all(axis=1), errors, np.inf)


def normalised_center_errors(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> np.ndarray:
    """Distance between box centres, x in widths and y in heights of the true box.

    Returns:
        float64 ``[N]``, >= 0, infinite where the tracked box is not finite.
    """
    tracked, truth = _as_pair(tracked_xywh, truth_xywh)
    offset = (tracked[:, :2] + tracked[:, 2:] / 2) - (truth[:, :2] + truth[:, 2:] / 2)
    errors = np.sqrt(np.square(offset / truth[:, 2:]).sum(axis=1))
    return np.where(np.isfinite(tracked).all(axis=1), errors, np.inf)


def success_curve(overlap: np.ndarray) -> np.ndarray:
    """Share of frames whose overlap is above 0, 0.05, ..., 1.

    Above, not at least: a perfect track scores 0 at the last threshold and an AUC of 20/21, in
    the toolkit as in the official code.

    Returns:
        float64 ``[21]``.
    """
    return (overlap[:, None] > SUCCESS_THRESHOLDS).mean(axis=0)


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


def bootstrap_interval(values: Iterable[float], *, resamples: int = 10_000) -> tuple[float, float]:
    """95 % percentile interval of the mean over sequences, by resampling sequences.

    It answers how far the mean would move with other sequences of the same kind. The seed is
    fixed: the same values give the same interval.
    """
    sample = np.array(list(values), dtype=np.float64)
    picks = np.random.default_rng(0).integers(len(sample), size=(resamples, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _as_pair(tracked_xywh: np.ndarray, truth_xywh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tracked = np.asarray(tracked_xywh, dtype=np.float64)
    truth = np.asarray(truth_xywh, dtype=np.float64)
    if tracked.shape != truth.shape or tracked.ndim != 2 or tracked.shape[1] != 4:
        raise DataError(
            f"tracked and true boxes must both be [N, 4], found {list(tracked.shape)} and "
            f"{list(truth.shape)}"
        )
    return tracked, truth


def _toolkit() -> ModuleType:
    try:
        from got10k.utils import metrics
    except ImportError as error:
        raise MissingExtraError(
            f'evaluation needs the got10k toolkit ({error}); pip install "binvision[eval]"'
        ) from error
    return metrics
