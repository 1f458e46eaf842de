"""Scores of a run, a sequence and a tracker, and their averages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from binvision.trackers.evaluation.rules import OVERLAP_FIGURES, PLOT_FIGURES, Rules

__all__ = [
    "SequenceScores",
    "TrackScores",
    "TrackerScores",
    "mean_scores",
    "pooled_scores",
    "rank",
]


@dataclass(frozen=True)
class TrackScores:
    """Scores of one track or averages of several, each in 0..1, higher is better.

    Attributes:
        ao: Average overlap (GOT-10k), first frame left out.
        sr50: Share of frames with overlap above 0.5 (GOT-10k), first frame left out.
        sr75: The same above 0.75.
        success_auc: Mean of the success curve over 21 thresholds (OTB), first frame kept.
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


@dataclass(frozen=True)
class SequenceScores:
    """Scores of one tracker on one sequence.

    Attributes:
        mean: Mean over the runs.
        runs: Each run, in the order of `protocols.plan_runs`.
        updates: Frames tracked in all runs, first frames (initialisation) left out.
        seconds: Time inside the tracker for those; decoding is not in it.
    """

    mean: TrackScores
    runs: tuple[TrackScores, ...]
    updates: int
    seconds: float


@dataclass(frozen=True)
class TrackerScores:
    """Scores of one tracker on all sequences.

    Attributes:
        name: Unique in the comparison.
        identity: What exactly was measured, see `entrants.Entrant.identity`.
        mean: Mean over the sequences, each counting the same.
        pooled: Mean over the frames of all runs, each counting the same.
        interval: 95 % bootstrap interval of the ranking figure over sequences.
        fps: Frames a second inside the tracker over everything.
        curves: Success 0..1 at each threshold of the rules' curves.
        sequences: By name of the sequence.
        attributes: By name of the attribute, averaged as the benchmark does over the sequences
            that have it; empty where no sequence has attributes.
    """

    name: str
    identity: dict[str, object]
    mean: TrackScores
    pooled: TrackScores
    interval: tuple[float, float]
    fps: float
    curves: dict[str, tuple[float, ...]]
    sequences: dict[str, SequenceScores]
    attributes: dict[str, TrackScores]

    def official(self, rules: Rules) -> TrackScores:
        """The average that the benchmark reports."""
        return self.pooled if rules.average == "pooled" else self.mean


def rank(trackers: Iterable[TrackerScores], rules: Rules) -> tuple[TrackerScores, ...]:
    """Best first by the benchmark's ranking figure; equal ones stay in order."""
    return tuple(sorted(trackers, key=lambda t: -getattr(t.official(rules), rules.ranked_by)))


def mean_scores(scores: Sequence[TrackScores]) -> TrackScores:
    """Mean of each score with equal weights; frames are added up."""
    rows = [asdict(score) for score in scores]
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return TrackScores(**means | {"frames": sum(row["frames"] for row in rows)})


def pooled_scores(runs: Sequence[TrackScores]) -> TrackScores:
    """Mean of each score over frames: the start of a run counts in the curves' figures alone."""
    rows = [asdict(run) for run in runs]
    frames = np.array([row["frames"] for row in rows])
    means = {
        key: float(
            np.average(
                [row[key] for row in rows],
                weights=frames if key in OVERLAP_FIGURES else frames + 1,
            )
        )
        for key in OVERLAP_FIGURES + PLOT_FIGURES
    }
    return TrackScores(**means, frames=int(frames.sum()))
