"""What an evaluation of points reports, as data and as JSON on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from binvision.errors import DataError
from binvision.landmarks.evaluation.scores import Finding, Scores
from binvision.landmarks.formats.points import PointSet
from binvision.media.records import decode
from binvision.runtime.host import machine

__all__ = ["Report", "is_report", "make_report", "read_report"]

_KIND = "points"  # tells the JSON from reports of trackers and detectors
_FORMAT = 1


@dataclass(frozen=True)
class Report:
    """Scores of one model on one set.

    Attributes:
        benchmark: Name as ``binvision eval`` takes it.
        title: The benchmark's, for people.
        annotations: What was read.
        scheme: Of the points.
        identity: What made the points: model, boxes, options, version.
        date: Day of the report, ISO 8601.
        machine: CPU and library versions.
        subjects: How many there were.
        median_ms: Milliseconds of a subject from picture and box to points: the median.
        threads: With so many threads.
        scores: The rows, the benchmark's own figure first.
        problems: What was left out of the set.
    """

    benchmark: str
    title: str
    annotations: str
    scheme: str
    identity: dict[str, object]
    date: str
    machine: dict[str, str]
    subjects: int
    median_ms: float
    threads: int
    scores: tuple[Scores, ...]
    problems: tuple[str, ...]

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.identity["model"])

    @property
    def conditions(self) -> str:
        """Where boxes came from, and what was done to them, in words."""
        noise = self.identity.get("box_noise")
        shaken = f", moved and scaled at random by up to {noise:.0%}" if noise else ""
        mirror = ", with the mirrored crop" if self.identity.get("mirror") else ""
        source = str(self.identity["boxes"])
        words = {"points": "the points", "set": "the set", "detector": "the detector"}
        return f"boxes from {words.get(source, source)}{shaken}{mirror}"

    def to_json(self) -> str:
        """The whole report; figures of nothing are null."""
        document = {"format": _FORMAT, "kind": _KIND} | asdict(self)
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def make_report(
    benchmark: str,
    title: str,
    annotations: str,
    data: PointSet,
    found: Sequence[Finding],
    scores: tuple[Scores, ...],
    *,
    identity: dict[str, object],
    threads: int,
) -> Report:
    """Put a report together.

    Args:
        benchmark: Name as ``binvision eval`` takes it.
        title: The benchmark's.
        annotations: What was read.
        data: The set.
        found: Of each subject.
        scores: The rows.
        identity: What made the points.
        threads: With so many threads.

    Raises:
        DataError: There is no row: no subject could be measured.
    """
    if not scores:
        raise DataError(
            f"{annotations}: no subject has what errors are divided by; nothing to measure"
        )
    seconds = [finding.seconds for finding in found if finding.points is not None]
    return Report(
        benchmark=benchmark,
        title=title,
        annotations=annotations,
        scheme=data.scheme.name,
        identity=identity,
        date=date.today().isoformat(),
        machine=machine(),
        subjects=len(data.pictures),
        median_ms=round(1000 * float(np.median(seconds)), 3) if seconds else 0.0,
        threads=threads,
        scores=scores,
        problems=data.problems,
    )


def is_report(path: Path) -> bool:
    """Whether a file is a report of points, of any format; also False where it is unreadable."""
    try:
        return _kind_of(_document(path)) == _KIND
    except DataError:
        return False


def read_report(path: Path) -> Report:
    """Read a ``report.json``.

    Raises:
        DataError: It is missing, damaged, or no report of points.
    """
    document = _document(path)
    if _kind_of(document) != _KIND or document["format"] != _FORMAT:
        raise DataError(
            f"{path}: no report of points of format {_FORMAT}; run its binvision eval again"
        )
    report = decode(Report, document, str(path))
    if not report.scores:
        raise DataError(f"{path}: no row of figures in it; run its binvision eval again")
    return report


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot read a report: {error}") from error


def _kind_of(document: Any) -> object:
    has_kind = isinstance(document, dict) and "format" in document
    return document.get("kind") if has_kind else None
