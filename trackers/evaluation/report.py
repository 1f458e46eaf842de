"""The report of an evaluation: what was measured, on what, with which result; as JSON on disk.

``report.json`` holds all that tables, plots and ``binvision compare`` show. Format 2 added curves,
attributes, skipped sequences and averages over frames to format 1.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from binvision.errors import DataError
from binvision.media.records import decode
from binvision.runtime.host import machine
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.campaign import Campaign, Tracks
from binvision.trackers.evaluation.rules import OVERLAP_FIGURES, PLOT_FIGURES, Rules, rules_for
from binvision.trackers.evaluation.scores import TrackerScores, TrackScores
from binvision.trackers.evaluation.scoring import score_campaign

__all__ = ["FORMAT", "Report", "SequenceFacts", "Skipped", "make_report", "read_report"]

FORMAT = 2


@dataclass(frozen=True)
class SequenceFacts:
    """What a reader needs to know of a sequence.

    Attributes:
        layout: Layout of its folder.
        frames: Pictures.
        attributes: Names of what makes it hard; empty where the benchmark has none.
    """

    layout: str
    frames: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Skipped:
    """A sequence that was left out, and why."""

    sequence: str
    reason: str


@dataclass(frozen=True)
class Report:
    """Result of an evaluation, or several of them put side by side.

    Attributes:
        benchmark: Name of the benchmark, as ``binvision eval`` takes it.
        protocol: Whose official report the figures follow: ``"got10k"``, ``"otb"``, ``"uav"``.
        starts: Runs a sequence, 1 or 4.
        date: Day of the report, ISO 8601.
        machine: CPU and library versions.
        sequences: What was tracked.
        skipped: What was left out.
        trackers: Scores, the best tracker first.
    """

    benchmark: str
    protocol: str
    starts: int
    date: str
    machine: dict[str, str]
    sequences: dict[str, SequenceFacts]
    skipped: tuple[Skipped, ...]
    trackers: tuple[TrackerScores, ...]

    @property
    def rules(self) -> Rules:
        """How its figures were counted."""
        return rules_for(self.benchmark, self.protocol)

    @property
    def heading(self) -> str:
        """Name of the benchmark for people; sets of one's own are counted."""
        title = BENCHMARKS[self.benchmark].title if self.benchmark in BENCHMARKS else self.benchmark
        return f"{len(self.sequences)} {title}" if title.startswith("sequences") else title

    @property
    def title(self) -> str:
        """What was done, in a line."""
        runs = "one pass" if self.starts == 1 else f"{self.starts} starts"
        scored = self.trackers[0].mean.frames
        return f"{len(self.sequences)} sequences, {runs}, {scored} scored frames"

    def to_json(self) -> str:
        """The content of ``report.json``; numbers keep all their digits."""
        thresholds = {name: values.tolist() for name, values in self.rules.curves.items()}
        head = {"format": FORMAT, "average": self.rules.average, "ranked_by": self.rules.ranked_by}
        document = head | asdict(self)
        trackers = document.pop("trackers")
        document |= {"thresholds": thresholds, "trackers": trackers}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def make_report(
    campaign: Campaign,
    tracks: Tracks,
    *,
    benchmark: str,
    protocol: str,
    skipped: tuple[tuple[str, str], ...] = (),
) -> Report:
    """Score a finished campaign.

    Args:
        campaign: What was run.
        tracks: What `campaign.run_campaign` returned.
        benchmark: Name of the benchmark.
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``.
        skipped: Names of sequences that were left out, and why.

    Raises:
        DataError: a track does not fit its sequence, or a sequence has nothing to score.
        MissingExtraError: the got10k toolkit is not installed.
    """
    return Report(
        benchmark=benchmark,
        protocol=protocol,
        starts=campaign.starts,
        date=date.today().isoformat(),
        machine=machine(),
        sequences={
            sequence.name: SequenceFacts(sequence.layout, len(sequence), sequence.attributes)
            for sequence in campaign.sequences
        },
        skipped=tuple(Skipped(name, reason) for name, reason in skipped),
        trackers=score_campaign(campaign, tracks, rules_for(benchmark, protocol)),
    )


def read_report(path: Path) -> Report:
    """Read a ``report.json``.

    Raises:
        DataError: it is missing, damaged, or of another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: cannot read a report: {error}; expected the report.json of binvision eval"
        ) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{path}: report of format {found!r}, expected {FORMAT}; run its binvision eval again: "
            f"finished sequences are not run again"
        )
    report = decode(Report, document, str(path))
    _check(report, path)
    return report


def _check(report: Report, path: Path) -> None:
    """What types do not say: every tracker has every sequence, attribute and point of a curve."""
    for what, several in (("tracker", report.trackers), ("sequence", report.sequences)):
        if not several:
            raise DataError(f"{path}: no {what} in it; expected at least one")
    names = [tracker.name for tracker in report.trackers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: two trackers are called {twice[0]}")
    attributes = {name for facts in report.sequences.values() for name in facts.attributes}
    wanted = {name: len(values) for name, values in report.rules.curves.items()}
    for tracker in report.trackers:
        for what, found, expected in (
            ("sequences", tracker.sequences.keys(), report.sequences.keys()),
            ("attributes", tracker.attributes.keys(), attributes),
        ):
            if found != expected:
                odd = ", ".join(sorted(found ^ expected))
                raise DataError(f"{path}: {what} of {tracker.name} and of the report differ: {odd}")
        for scores in (tracker.mean, tracker.pooled, *(s.mean for s in tracker.sequences.values())):
            _check_scores(scores, f"{path}: {tracker.name}")
        points = {name: len(curve) for name, curve in tracker.curves.items()}
        if points != wanted:
            raise DataError(f"{path}: curves of {tracker.name}: expected {wanted}, found {points}")


def _check_scores(scores: TrackScores, where: str) -> None:
    for name in (*OVERLAP_FIGURES, *PLOT_FIGURES):
        value = getattr(scores, name)
        if not 0 <= value <= 1:
            raise DataError(f"{where}: {name}: expected 0 to 1, found {value}")
