"""Tables of figures, for the terminal and in Markdown, and short names of what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

__all__ = ["figure", "figures_table", "markdown_table", "path_labels"]


def figures_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Table for the terminal: the first column is a name, the others are numbers."""
    result = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        result.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        result.add_row(*map(escape, row))
    return result


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True
) -> str:
    """A Markdown table; every column but the first is set to the right where it holds numbers."""
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    lines = ([_cell(text) for text in row] for row in (header, rule, *rows))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def figure(value: float | None, digits: int = 3) -> str:
    """Word a figure; that of nothing is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def path_labels(paths: Sequence[Path]) -> list[str]:
    """The parts of each path between the beginning and the end that all of them share."""
    parts = [list(path.resolve().parts) for path in paths]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({p[-1] for p in parts}) == 1:
        parts = [p[:-1] for p in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({p[0] for p in parts}) == 1:
        parts = [p[1:] for p in parts]
    return ["/".join(p) for p in parts]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
