"""From tracks to scores, by the rules of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from binvision.errors import DataError
from binvision.trackers.evaluation import metrics
from binvision.trackers.evaluation.campaign import Campaign, Tracks
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.protocols import Track, plan_runs
from binvision.trackers.evaluation.rules import Rules
from binvision.trackers.evaluation.scores import (
    SequenceScores,
    TrackerScores,
    TrackScores,
    mean_scores,
    pooled_scores,
    rank,
)
from binvision.trackers.evaluation.sequences import Sequence

__all__ = ["RunScores", "score_boxes", "score_campaign", "score_run"]


@dataclass(frozen=True)
class RunScores:
    """One run: its scores, and the curves that the rules ask for by name."""

    scores: TrackScores
    curves: dict[str, np.ndarray] = field(compare=False)


def score_campaign(campaign: Campaign, tracks: Tracks, rules: Rules) -> tuple[TrackerScores, ...]:
    """Score everything that `campaign.run_campaign` returned, the best tracker first.

    Raises:
        DataError: a stored track does not fit its sequence, or a sequence has nothing to score.
        MissingExtraError: the got10k toolkit is not installed.
    """
    scores = [_score_tracker(entrant, campaign, tracks, rules) for entrant in campaign.entrants]
    return rank(scores, rules)


def score_run(track: Track, sequence: Sequence, run: range, rules: Rules) -> RunScores:
    """Score one run on the frames that it visited and that the benchmark counts.

    Args:
        track: What the tracker answered.
        sequence: Where it ran.
        run: Frames in the order in which it saw them; the first one counts as the truth itself.
        rules: Which frames count and which curves are wanted.

    Raises:
        DataError: the track has another length, or no frame but the first one counts.
        MissingExtraError: the got10k toolkit is not installed.
    """
    if len(track.boxes_xywh) != len(sequence):
        raise DataError(
            f"{sequence.name}: {len(track.boxes_xywh)} tracked boxes for {len(sequence)} frames"
        )
    counted = rules.counted(sequence)
    frames = np.array([run[0], *(index for index in run[1:] if counted[index])])
    if len(frames) < 2:
        raise DataError(
            f"{sequence.name}: no frame after frame {run[0] + 1} has a visible target; expected "
            f"at least one to score"
        )
    bound_wh = sequence.resolution_wh if rules.clips_boxes else None
    truth = sequence.truth_xywh[frames]
    tracked = np.concatenate([truth[:1], track.boxes_xywh[frames[1:]]])
    return score_boxes(tracked, truth, rules, bound_wh)


def score_boxes(
    tracked_xywh: np.ndarray,
    truth_xywh: np.ndarray,
    rules: Rules,
    bound_wh: tuple[int, int] | None = None,
) -> RunScores:
    """Score boxes of which every row counts; row 0 is the start.

    Args:
        tracked_xywh: float ``[N, 4]``, pixels, N >= 2.
        truth_xywh: float ``[N, 4]``, pixels.
        rules: Which curves are wanted.
        bound_wh: Picture size to which boxes are clipped before they are overlapped, or None.
    """
    overlap = metrics.overlaps(tracked_xywh, truth_xywh, bound_wh)
    followed = overlap[1:]
    precision = metrics.precision_curve(metrics.center_errors_px(tracked_xywh, truth_xywh))
    normalised = metrics.normalised_precision_curve(
        metrics.normalised_center_errors(tracked_xywh, truth_xywh)
    )
    scores = TrackScores(
        ao=float(followed.mean()),
        sr50=float((followed > 0.5).mean()),
        sr75=float((followed > 0.75).mean()),
        success_auc=float(metrics.success_curve(overlap).mean()),
        precision=float(precision[metrics.PRECISION_AT_PX]),
        normalised_precision=float(normalised.mean()),
        frames=len(followed),
    )
    plotted = overlap if rules.plots_first else followed
    success = metrics.success_curve(plotted, rules.curves["success"])
    curves = {"success": success, "precision": precision, "normalised_precision": normalised}
    return RunScores(scores, {name: curves[name] for name in rules.curves})


def _score_tracker(
    entrant: Entrant, campaign: Campaign, tracks: Tracks, rules: Rules
) -> TrackerScores:
    runs: dict[str, list[RunScores]] = {}
    sequences: dict[str, SequenceScores] = {}
    for sequence in campaign.sequences:
        plan = plan_runs(sequence.visible, campaign.starts)
        pairs = list(zip(tracks[entrant.name, sequence.name], plan, strict=True))
        runs[sequence.name] = [score_run(track, sequence, run, rules) for track, run in pairs]
        sequences[sequence.name] = _summary(runs[sequence.name], pairs)
    seconds = sum(sequence.seconds for sequence in sequences.values())
    attributes = sorted({name for sequence in campaign.sequences for name in sequence.attributes})
    return TrackerScores(
        name=entrant.name,
        identity=entrant.identity(),
        mean=mean_scores([sequence.mean for sequence in sequences.values()]),
        pooled=pooled_scores(_all_runs(sequences.values())),
        interval=_interval(list(sequences.values()), rules),
        fps=sum(sequence.updates for sequence in sequences.values()) / max(seconds, 1e-9),
        curves=_mean_curves(list(runs.values()), rules),
        sequences=sequences,
        attributes={
            name: _average(
                [sequences[s.name] for s in campaign.sequences if name in s.attributes], rules
            )
            for name in attributes
        },
    )


def _summary(runs: list[RunScores], pairs: list[tuple[Track, range]]) -> SequenceScores:
    scores = tuple(run.scores for run in runs)
    seconds = [track.seconds[run[1:]] for track, run in pairs]
    return SequenceScores(
        mean=mean_scores(scores),
        runs=scores,
        updates=sum(map(len, seconds)),
        seconds=float(sum(map(np.sum, seconds))),
    )


# Averages


def _average(sequences: list[SequenceScores], rules: Rules) -> TrackScores:
    if rules.average == "pooled":
        return pooled_scores(_all_runs(sequences))
    return mean_scores([sequence.mean for sequence in sequences])


def _all_runs(sequences: Iterable[SequenceScores]) -> list[TrackScores]:
    return [run for sequence in sequences for run in sequence.runs]


def _interval(sequences: list[SequenceScores], rules: Rules) -> tuple[float, float]:
    if rules.average == "pooled":
        pooled = [pooled_scores(sequence.runs) for sequence in sequences]
        values = [getattr(scores, rules.ranked_by) for scores in pooled]
        return metrics.bootstrap_interval(values, [scores.frames for scores in pooled])
    return metrics.bootstrap_interval([getattr(s.mean, rules.ranked_by) for s in sequences])


def _mean_curves(sequences: list[list[RunScores]], rules: Rules) -> dict[str, tuple[float, ...]]:
    """Curves of all runs, averaged as the benchmark's figures are."""
    runs = [run for sequence in sequences for run in sequence]
    if rules.average == "pooled":
        weights = [float(run.scores.frames) for run in runs]
    else:
        weights = [1 / len(sequence) for sequence in sequences for _ in sequence]
    return {
        name: tuple(map(float, np.average([r.curves[name] for r in runs], 0, weights)))
        for name in rules.curves
    }
