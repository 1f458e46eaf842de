"""What each benchmark counts, and how it averages.

From the official reports (the got10k toolkit's `ExperimentGOT10k`, `ExperimentOTB` and
`ExperimentUAV123`, against which tests hold these figures):

    rules    frames                       boxes               averaged over
    got10k   cover above 0                clipped to picture  frames of all sequences
    otb      all from the first true box  as they are         sequences
    uav      those with a true box        as they are         sequences
    folder   those with a true box        as they are         sequences

``folder``, for sequences of one's own, has no official report: each figure is counted as the
benchmark that it comes from does. The first frame, where the tracker was told the truth, is left
out of AO, SR and GOT-10k's success curve; it counts as a hit in OTB's and UAV123's curves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from binvision.errors import DataError
from binvision.trackers.evaluation import metrics
from binvision.trackers.evaluation.sequences import Sequence

__all__ = ["OVERLAP_FIGURES", "PLOT_FIGURES", "RULES", "Rules", "rules_for"]


@dataclass(frozen=True)
class Rules:
    """How a benchmark counts.

    Attributes:
        name: Key in `RULES`.
        figures: Fields of `TrackScores` in the order of its tables; the first one ranks.
        average: ``"mean"`` over sequences or ``"pooled"`` over frames: the official one of the
            two in `TrackerScores`.
        curves: Names of its plots and the thresholds of their curves.
        clips_boxes: Whether boxes are clipped to the picture before they are overlapped.
        plots_first: Whether the success curve counts the first frame.
    """

    name: str
    figures: tuple[str, ...]
    average: str
    curves: dict[str, np.ndarray] = field(compare=False)
    clips_boxes: bool = False
    plots_first: bool = True

    @property
    def ranked_by(self) -> str:
        """The field of `TrackScores` that ranks."""
        return self.figures[0]

    def counted(self, sequence: Sequence) -> np.ndarray:
        """bool ``[len(sequence)]``: the frames that count; the start of a run is apart."""
        if self.name == "got10k" and sequence.cover is not None:
            return sequence.cover > 0
        if self.name == "otb":
            return np.logical_or.accumulate(sequence.visible)  # Tiger1 begins later
        if self.name == "uav":
            return ~np.isnan(sequence.truth_xywh).any(axis=1)
        return sequence.visible


OVERLAP_FIGURES = ("ao", "sr50", "sr75")
PLOT_FIGURES = ("success_auc", "precision", "normalised_precision")
_OTB_CURVES = {
    "success": metrics.SUCCESS_THRESHOLDS,
    "precision": metrics.PRECISION_THRESHOLDS_PX,
    "normalised_precision": metrics.NORMALISED_THRESHOLDS,
}

RULES = {
    rules.name: rules
    for rules in (
        Rules("folder", OVERLAP_FIGURES + PLOT_FIGURES, "mean", _OTB_CURVES),
        Rules(
            "got10k",
            OVERLAP_FIGURES,
            "pooled",
            {"success": np.linspace(0, 1, 101)},
            clips_boxes=True,
            plots_first=False,
        ),
        Rules("otb", PLOT_FIGURES + OVERLAP_FIGURES, "mean", _OTB_CURVES),
        Rules("uav", PLOT_FIGURES + OVERLAP_FIGURES, "mean", _OTB_CURVES),
    )
}


def rules_for(benchmark: str, protocol: str) -> Rules:
    """Rules of a benchmark: its protocol's, unless it has its own as ``folder`` has.

    Raises:
        DataError: neither has rules.
    """
    try:
        return RULES[benchmark if benchmark in RULES else protocol]
    except KeyError:
        raise DataError(
            f"unknown protocol {protocol!r}; expected one of {', '.join(RULES)}"
        ) from None
