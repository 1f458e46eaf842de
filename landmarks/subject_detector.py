"""The detector that finds faces or people before their points are sought."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from binvision.detectors.detector import Detector
from binvision.errors import UsageError
from binvision.landmarks.settings import LandmarkSettings

if TYPE_CHECKING:
    from binvision.trackers.multi import ObjectDetector

__all__ = ["open_detector"]


def open_detector(
    settings: LandmarkSettings,
    detector: str | Path | ObjectDetector | None,
    threads: int,
    score_threshold: float | None,
) -> ObjectDetector | None:
    """Load a detector by its name or file, unless it is one, or nobody wants any.

    Args:
        settings: Those of the points' model, which name a detector for ``None``.
        detector: Name, path or the detector itself.
        threads: Threads of its network.
        score_threshold: Least score of a detection; None for the detector's own.

    Raises:
        ModelFileError: There is no such model, or its file is damaged.
        ModelTaskError: It is a model of another task.
        UsageError: The threshold is out of range, or there is no detector to load for it.
    """
    chosen = detector if detector is not None else settings.detector
    if isinstance(chosen, (str, Path)) and str(chosen):
        return Detector(chosen, threads=threads, score_threshold=score_threshold)
    if score_threshold is not None:
        raise UsageError(
            f"score threshold {score_threshold:g}: no detector is loaded here that could have it; "
            f"give the threshold to the detector itself"
        )
    return None if isinstance(chosen, (str, Path)) else chosen
