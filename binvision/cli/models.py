"""``binvision models``: the models that ship with the package."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["models"]

_NAMES_SHOWN = 6


def models(
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the shipped models: task, what they find, size, accuracy.

    Example: binvision models
    """
    from binvision.cli.tables import print_table

    rows = _rows()
    if json:
        typer.echo(json_module.dumps(rows, indent=2))
    else:
        print_table(_table(rows))


def _rows() -> list[dict[str, Any]]:
    from binvision import runtime, zoo

    rows = []
    for name in zoo.names():
        path = zoo.find(name)
        model = runtime.load(path)
        rows.append(
            {
                "name": name,
                "task": model.task,
                "classes": list(model.settings.get("classes", ())),
                "scheme": model.settings.get("scheme"),
                "file": str(path),
                "file_bytes": model.file_bytes,
                "accuracy": model.accuracy,
            }
        )
    return rows


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("task", no_wrap=True)
    table.add_column("finds")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("accuracy")
    for row in rows:
        table.add_row(
            row["name"],
            row["task"],
            escape(_found_by(row)),
            f"{row['file_bytes']:,}",
            escape(", ".join(_figures(row["accuracy"]))),
        )
    return table


def _figures(accuracy: dict[str, Any]) -> list[str]:
    """The figures of a model; of each data set that has several the first one."""
    figures = []
    for name, value in accuracy.items():
        if isinstance(value, dict):
            first = next(iter(_figures(value)), None)
            figures += [f"{name} {first}"] if first else []
        elif isinstance(value, float):
            figures.append(f"{name} {value:.3g}")
    return figures


def _found_by(row: dict[str, Any]) -> str:
    """Classes of a detector, or the points of the scheme of a model that finds points."""
    from binvision.landmarks.schemes import SCHEMES

    scheme = SCHEMES.get(row["scheme"])
    return f"{len(scheme)} points of a {scheme.subject}" if scheme else _short(row["classes"])


def _short(names: list[str]) -> str:
    """The first names of a long list, and how many there are."""
    if len(names) <= _NAMES_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES_SHOWN])} and {len(names) - _NAMES_SHOWN} more"
