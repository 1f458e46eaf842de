"""From tracks to numbers and tables.

Every mean is taken over sequences, each counting the same however long it is (OTB's way); within
a sequence a score is first averaged over its runs. `ao_pooled` alone averages over all frames of
all sequences, as GOT-10k's server does.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from binvision.trackers.evaluation.campaign import Campaign, Tracks
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.metrics import TrackScores, bootstrap_interval
from binvision.trackers.evaluation.protocols import Track, plan_runs, score_run
from binvision.trackers.evaluation.sequences import Sequence

__all__ = [
    "SequenceScores",
    "TrackerScores",
    "machine",
    "markdown",
    "score_campaign",
    "table",
    "to_json",
]


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
        identity: What exactly was measured, see `entrants.Entrant.identity`.
        mean: Mean over the sequences.
        ao_interval: 95 % bootstrap interval of ``mean.ao`` over sequences.
        ao_pooled: Average overlap over all scored frames of all sequences.
        fps: Frames a second inside the tracker over everything.
    """

    name: str
    identity: dict[str, object]
    mean: TrackScores
    ao_interval: tuple[float, float]
    ao_pooled: float
    fps: float
    sequences: dict[str, SequenceScores]


def score_campaign(campaign: Campaign, tracks: Tracks) -> tuple[TrackerScores, ...]:
    """Score everything that `campaign.run_campaign` returned, best AO first.

    Raises:
        DataError: a stored track does not fit its sequence.
        MissingExtraError: the got10k toolkit is not installed.
    """
    scores = (_score_tracker(entrant, campaign, tracks) for entrant in campaign.entrants)
    return tuple(sorted(scores, key=lambda score: -score.mean.ao))


def to_json(campaign: Campaign, scores: tuple[TrackerScores, ...], benchmark: str) -> dict:
    """Everything a reader needs to judge and repeat the figures, as JSON-able values."""
    return {
        "format": 1,
        "benchmark": benchmark,
        "starts": campaign.starts,
        "date": date.today().isoformat(),
        "machine": machine(),
        "sequences": {
            sequence.name: {"layout": sequence.layout, "frames": len(sequence)}
            for sequence in campaign.sequences
        },
        "trackers": [asdict(score) for score in scores],
    }


def machine() -> dict[str, str]:
    """CPU and library versions; a figure without its machine is a rumour."""
    return {
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


_COLUMNS = (
    ("AO", "ao"),
    ("SR.50", "sr50"),
    ("SR.75", "sr75"),
    ("AUC", "success_auc"),
    ("P20", "precision"),
    ("NP", "normalised_precision"),
)


def table(scores: tuple[TrackerScores, ...], title: str) -> Table:
    """Ranked table for the terminal."""
    header, rows = _cells(scores)
    result = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        result.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        result.add_row(*row)
    return result


def markdown(scores: tuple[TrackerScores, ...], title: str) -> str:
    """Ranked table, then AO by sequence."""
    header, rows = _cells(scores)
    by_sequence = [
        [sequence, *(f"{score.sequences[sequence].mean.ao:.3f}" for score in scores)]
        for sequence in scores[0].sequences
    ]
    return (
        f"# {title}\n\n{_markdown_table(header, rows)}\n"
        f"## AO by sequence\n\n"
        f"{_markdown_table(['sequence', *(score.name for score in scores)], by_sequence)}"
    )


def _score_tracker(entrant: Entrant, campaign: Campaign, tracks: Tracks) -> TrackerScores:
    sequences = {
        sequence.name: _score_sequence(sequence, campaign, tracks[entrant.name, sequence.name])
        for sequence in campaign.sequences
    }
    runs = [run for sequence in sequences.values() for run in sequence.runs]
    seconds = sum(sequence.seconds for sequence in sequences.values())
    return TrackerScores(
        name=entrant.name,
        identity=entrant.identity(),
        mean=_mean([sequence.mean for sequence in sequences.values()]),
        ao_interval=bootstrap_interval([sequence.mean.ao for sequence in sequences.values()]),
        ao_pooled=float(np.average([r.ao for r in runs], weights=[r.frames for r in runs])),
        fps=sum(sequence.updates for sequence in sequences.values()) / max(seconds, 1e-9),
        sequences=sequences,
    )


def _score_sequence(
    sequence: Sequence, campaign: Campaign, tracks: tuple[Track, ...]
) -> SequenceScores:
    runs = plan_runs(sequence.visible, campaign.starts)
    scores = tuple(score_run(track, sequence, run) for track, run in zip(tracks, runs, strict=True))
    seconds = [track.seconds[run[1:]] for track, run in zip(tracks, runs, strict=True)]
    return SequenceScores(
        mean=_mean(scores),
        runs=scores,
        updates=sum(map(len, seconds)),
        seconds=float(sum(map(np.sum, seconds))),
    )


def _mean(scores: Iterable[TrackScores]) -> TrackScores:
    """Mean of each score with equal weights; frames are added up."""
    rows = [asdict(score) for score in scores]
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return TrackScores(**means | {"frames": sum(row["frames"] for row in rows)})


def _cells(scores: tuple[TrackerScores, ...]) -> tuple[list[str], list[list[str]]]:
    header = ["tracker", *(title for title, _ in _COLUMNS), "95 % of AO", "fps"]
    rows = [
        [
            score.name,
            *(f"{getattr(score.mean, key):.3f}" for _, key in _COLUMNS),
            "{:.3f} - {:.3f}".format(*score.ao_interval),
            f"{score.fps:.1f}",
        ]
        for score in scores
    ]
    return header, rows


def _markdown_table(header: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rows))


def _cpu_name() -> str:
    """The model that Linux names; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
