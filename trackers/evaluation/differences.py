"""How far trackers are ahead of one of them, sequence by sequence.

The intervals of two means overlap even where one tracker is better on every sequence, since hard
sequences are hard for all. The difference on each sequence leaves that out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.table import Table

from binvision.errors import UsageError
from binvision.media.report_tables import figures_table
from binvision.trackers.evaluation.metrics import bootstrap_interval
from binvision.trackers.evaluation.report import Report
from binvision.trackers.evaluation.tables import FIGURE_TITLES

__all__ = ["Difference", "difference_table", "differences"]


@dataclass(frozen=True)
class Difference:
    """How far a tracker is ahead of another one.

    Attributes:
        name: Of the tracker.
        mean: Mean over sequences of the difference of the ranking figure; above 0, it is ahead.
        interval: 95 % bootstrap interval of the mean, over sequences.
        ahead: Number of sequences on which it is ahead.
        sequences: Number of sequences.
    """

    name: str
    mean: float
    interval: tuple[float, float]
    ahead: int
    sequences: int


def differences(report: Report, against: str) -> tuple[Difference, ...]:
    """Subtract one tracker from each of the others, in the order of the report.

    Raises:
        UsageError: The report has no tracker of that name.
    """
    figure, names = report.rules.ranked_by, list(report.sequences)
    figures = {
        # By name: reports may list sequences in different orders.
        tracker.name: np.array([getattr(tracker.sequences[n].mean, figure) for n in names])
        for tracker in report.trackers
    }
    if against not in figures:
        raise UsageError(f"no tracker is called {against}; expected one of {', '.join(figures)}")
    apart = {name: own - figures[against] for name, own in figures.items() if name != against}
    return tuple(
        Difference(
            name, float(each.mean()), bootstrap_interval(each), int((each > 0).sum()), len(each)
        )
        for name, each in apart.items()
    )


def difference_table(report: Report, against: str) -> Table:
    """Make a table of them for the terminal.

    Raises:
        UsageError: As :func:`differences`.
    """
    rows = [
        [
            one.name,
            f"{one.mean:+.3f}",
            "{:+.3f} to {:+.3f}".format(*one.interval),
            f"{one.ahead} of {one.sequences}",
        ]
        for one in differences(report, against)
    ]
    title = f"{FIGURE_TITLES[report.rules.ranked_by]} less that of {against}, by sequence"
    return figures_table(title, ["tracker", "mean", "95 %", "ahead in"], rows)
