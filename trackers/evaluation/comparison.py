"""Several reports of one benchmark side by side, as one report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from binvision.errors import UsageError
from binvision.media.report_tables import markdown_table, path_labels
from binvision.trackers.evaluation import tables
from binvision.trackers.evaluation.differences import differences
from binvision.trackers.evaluation.report import Report, SequenceFacts, read_report
from binvision.trackers.evaluation.scores import rank

__all__ = ["Comparison", "Source", "compare"]


@dataclass(frozen=True)
class Source:
    """Where some of the trackers come from: a report, its day and its machine."""

    path: str
    date: str
    machine: dict[str, str]
    trackers: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Reports put together.

    Attributes:
        report: All trackers ranked; its ``date`` and ``machine`` are those of the first report.
        sources: The reports in the given order, with the names that their trackers have here.
    """

    report: Report
    sources: tuple[Source, ...]

    def to_json(self, against: str | None = None) -> str:
        """As ``report.json``, with the sources in place of one date and one machine.

        Args:
            against: Tracker whose differences to the others are put in as well.

        Raises:
            UsageError: There is no such tracker.
        """
        document = json.loads(self.report.to_json())
        del document["date"], document["machine"]
        sources = [vars(source) for source in self.sources]
        if against is not None:
            document["against"] = against
            document["differences"] = [asdict(d) for d in differences(self.report, against)]
        return json.dumps({"sources": sources} | document, indent=2) + "\n"

    def to_markdown(self) -> str:
        """The report's tables, then where each tracker was measured."""
        rows = [
            [", ".join(source.trackers), source.path, source.date, source.machine.get("cpu", "")]
            for source in self.sources
        ]
        header = ["trackers", "report", "date", "CPU"]
        return (
            f"{tables.markdown(self.report)}\n## Reports\n\n"
            f"{markdown_table(header, rows, numbers=False)}"
        )


def compare(paths: Sequence[Path]) -> Comparison:
    """Read reports and put their trackers into one ranking.

    A tracker whose name is in several reports gets the part of the path that tells them apart.

    Raises:
        DataError: a report cannot be read.
        UsageError: a report is given twice, or they do not measure the same thing.
    """
    twice = [path for path, count in Counter(map(Path.resolve, paths)).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]}: given twice; name each report once")
    reports = [read_report(path) for path in paths]
    for path, report in zip(paths[1:], reports[1:], strict=True):
        _check_alike(paths[0], reports[0], path, report)
    names = Counter(tracker.name for report in reports for tracker in report.trackers)
    renamed = [
        tuple(
            replace(tracker, name=f"{tracker.name} ({label})")
            if names[tracker.name] > 1
            else tracker
            for tracker in report.trackers
        )
        for label, report in zip(path_labels(paths), reports, strict=True)
    ]
    ranked = rank([tracker for trackers in renamed for tracker in trackers], reports[0].rules)
    return Comparison(
        report=replace(reports[0], trackers=ranked),
        sources=tuple(
            Source(str(path), report.date, report.machine, tuple(t.name for t in trackers))
            for path, report, trackers in zip(paths, reports, renamed, strict=True)
        ),
    )


def _check_alike(first_path: Path, first: Report, path: Path, report: Report) -> None:
    """Figures can be compared only where the same was measured in the same way."""
    for what in ("benchmark", "protocol", "starts"):
        expected, found = getattr(first, what), getattr(report, what)
        if found != expected:
            raise UsageError(
                f"{path}: {what} {found}, but {first_path} has {what} {expected}; only reports of "
                f"the same {what} can be compared"
            )
    known, given = _facts(first), _facts(report)
    odd = sorted(name for name in known | given if known.get(name) != given.get(name))
    if odd:
        others = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise UsageError(
            f"{path}: its sequences differ from those of {first_path}: {odd[0]}{others}; compare "
            f"reports of the same sequences"
        )


def _facts(report: Report) -> dict[str, tuple[SequenceFacts, int]]:
    """What must agree of each sequence: its pictures, its attributes, and its scored frames."""
    scores = report.trackers[0].sequences
    return {name: (facts, scores[name].mean.frames) for name, facts in report.sequences.items()}
