"""Tables of figures for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

__all__ = ["figure", "figures_table"]


def figures_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Table for the terminal: the first column is a name, the others are numbers."""
    result = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        result.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        result.add_row(*map(escape, row))
    return result


def figure(value: float | None, digits: int = 3) -> str:
    """Word a figure; that of nothing is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"
