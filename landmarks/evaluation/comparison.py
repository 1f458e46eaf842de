"""Reports of one benchmark of points side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from binvision.errors import UsageError
from binvision.landmarks.evaluation.report import Report, read_report
from binvision.landmarks.evaluation.tables import compared_rows
from binvision.media.report_tables import markdown_table, path_labels

__all__ = ["compare", "to_json", "to_markdown"]


def compare(paths: Sequence[Path]) -> list[tuple[str, Report]]:
    """Read reports, and name each: by its model, and by its path where models are the same.

    Raises:
        DataError: A report cannot be read.
        UsageError: They do not measure the same thing.
    """
    reports = [read_report(path) for path in paths]
    for path, report in zip(paths[1:], reports[1:], strict=True):
        for what in ("benchmark", "scheme", "subjects"):
            expected, found = getattr(reports[0], what), getattr(report, what)
            if found != expected:
                raise UsageError(
                    f"{path}: {what} {found}, but {paths[0]} has {what} {expected}; only reports "
                    f"of the same {what} can be compared"
                )
    counts = Counter(report.model for report in reports)
    return [
        (report.model if counts[report.model] == 1 else f"{report.model} ({label})", report)
        for label, report in zip(path_labels(paths), reports, strict=True)
    ]


def to_json(reports: Sequence[tuple[str, Report]]) -> str:
    """All reports as one JSON."""
    document = {"reports": [{"name": name, **asdict(report)} for name, report in reports]}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def to_markdown(reports: Sequence[tuple[str, Report]]) -> str:
    """The rows of all reports, then how each was made."""
    conditions = [
        [name, report.conditions, report.date, report.machine.get("cpu", "")]
        for name, report in reports
    ]
    header = ["model", "boxes", "date", "CPU"]
    return (
        f"# {reports[0][1].title}\n\n{markdown_table(*compared_rows(reports))}\n"
        f"## Reports\n\n{markdown_table(header, conditions, numbers=False)}"
    )
