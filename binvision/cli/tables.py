"""Tables on stdout: what several commands print about a packed model."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from binvision.runtime import PackedModel
from binvision.runtime.account import StepCost, account, header_bytes

__all__ = ["cost_table", "facts", "print_table", "totals"]

_WIDE = 200  # columns where stdout is a file or a pipe: nothing is cut off there


def print_table(table: Table) -> None:
    """Print to stdout, as wide as the terminal, or uncut into a file or pipe."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(table)


def facts(title: str, values: dict[str, Any]) -> Table:
    """Two columns of names and values; lists and nested objects are flattened into words."""
    table = Table(title=title, title_justify="left", box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(escape(str(name)), escape(_words(value)))
    return table


def cost_table(model: PackedModel, size_hw: tuple[int, int] | None) -> Table:
    """Cost of a saved model layer by layer; the bytes add up to the size of its file."""
    rows = account(model, size_hw)
    at = f" for one image of {size_hw[1]}x{size_hw[0]} pixels" if size_hw else ""
    table = Table(title=f"Layers{at}", title_justify="left", box=SIMPLE_HEAD, show_footer=True)
    total = totals(model, rows)
    macs = ("binary_macs", "real_macs") if size_hw else ()
    for header, footer, is_number in (
        ("layer", "total", False),
        ("kind", "", False),
        ("kernel", "", False),
        ("output", "", True),
        ("bits", "", True),
        ("1-bit", _count(total["binary_parameters"]), True),
        ("real", _count(total["real_parameters"]), True),
        ("bytes", _count(total["file_bytes"]), True),
        *((name.replace("_macs", " MACs"), _count(total[name]), True) for name in macs),
        ("why not 1-bit", "", False),
    ):
        table.add_column(header, footer, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*_cells(row, macs))
    if model.tables:
        size = _count(total["table_parameters"])
        what = f"tables of the task: {', '.join(model.tables)}"
        table.add_row("", what, "", "", "", "", size, _count(total["table_bytes"]))
    table.add_row("", "names, graph, settings", "", "", "", "", "", _count(total["header_bytes"]))
    return table


def totals(model: PackedModel, rows: list[StepCost]) -> dict[str, int]:
    """Sums over the rows of :func:`account`, tables, the header, and the size of the file."""
    names = ("binary_parameters", "real_parameters", "binary_macs", "real_macs")
    sums = {name: sum(getattr(row, name) for row in rows) for name in names}
    tables = model.table_tensors().values()
    table_parameters = sum(table.size for table in tables)
    tensor_bytes = sum(row.bytes for row in rows)
    table_bytes = sum(table.nbytes for table in tables)
    return {
        **sums,
        "real_parameters": sums["real_parameters"] + table_parameters,
        "table_parameters": table_parameters,
        "tensor_bytes": tensor_bytes,
        "table_bytes": table_bytes,
        "header_bytes": header_bytes(model),
        "file_bytes": tensor_bytes + table_bytes + header_bytes(model),
    }


def _cells(row: StepCost, macs: tuple[str, ...]) -> list[str]:
    return [
        row.name,
        row.op,
        row.kernel,
        "x".join(map(str, row.shape_hwc)) if row.shape_hwc else "",
        str(row.bits or ""),
        _count(row.binary_parameters),
        _count(row.real_parameters),
        _count(row.bytes),
        *(_count(getattr(row, name)) for name in macs),
        row.reason,
    ]


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
