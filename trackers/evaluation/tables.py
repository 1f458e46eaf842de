"""A report as tables: ranked for the terminal, and by sequence and attribute in Markdown."""

from __future__ import annotations

from rich.table import Table

from binvision.media.report_tables import figures_table, markdown_table
from binvision.trackers.evaluation.report import Report
from binvision.trackers.evaluation.scores import TrackScores

__all__ = ["FIGURE_TITLES", "markdown", "table"]

FIGURE_TITLES = {
    "ao": "AO",
    "sr50": "SR.50",
    "sr75": "SR.75",
    "success_auc": "AUC",
    "precision": "P20",
    "normalised_precision": "NP",
}

# The figures shown by sequence and by attribute: the one that ranks, and precision beside AUC.
_DETAILS = {"ao": ("ao",), "success_auc": ("success_auc", "precision")}


def table(report: Report) -> Table:
    """Ranked table for the terminal."""
    return figures_table(report.title, *_ranking(report))


def markdown(report: Report) -> str:
    """Ranked table, scores by attribute where there are any, by sequence, and what is left out."""
    parts = [f"# {report.heading}", f"{report.title}.", markdown_table(*_ranking(report))]
    for figure in _DETAILS[report.rules.ranked_by]:
        title = FIGURE_TITLES[figure]
        if report.trackers[0].attributes:
            parts += [f"## {title} by attribute", _by_attribute(report, figure)]
        parts += [f"## {title} by sequence", _by_sequence(report, figure)]
    if report.skipped:
        rows = [[skipped.sequence, skipped.reason] for skipped in report.skipped]
        parts += ["## Left out", markdown_table(["sequence", "why"], rows, numbers=False)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _ranking(report: Report) -> tuple[list[str], list[list[str]]]:
    rules = report.rules
    interval = f"95 % of {FIGURE_TITLES[rules.ranked_by]}"
    header = ["tracker", *(FIGURE_TITLES[name] for name in rules.figures), interval, "fps"]
    rows = [
        [
            tracker.name,
            *(_figure(tracker.official(rules), name) for name in rules.figures),
            "{:.3f} - {:.3f}".format(*tracker.interval),
            f"{tracker.fps:.1f}",
        ]
        for tracker in report.trackers
    ]
    return header, rows


def _by_sequence(report: Report, figure: str) -> str:
    header = ["sequence", "frames", *(tracker.name for tracker in report.trackers)]
    rows = [
        [
            name,
            str(facts.frames),
            *(_figure(tracker.sequences[name].mean, figure) for tracker in report.trackers),
        ]
        for name, facts in report.sequences.items()
    ]
    return markdown_table(header, rows)


def _by_attribute(report: Report, figure: str) -> str:
    header = ["attribute", "sequences", *(tracker.name for tracker in report.trackers)]
    rows = []
    for name in report.trackers[0].attributes:
        count = sum(name in facts.attributes for facts in report.sequences.values())
        scores = (_figure(tracker.attributes[name], figure) for tracker in report.trackers)
        rows.append([name, str(count), *scores])
    return markdown_table(header, rows)


def _figure(scores: TrackScores, name: str) -> str:
    return f"{getattr(scores, name):.3f}"
