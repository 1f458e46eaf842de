"""``binvision info``: what a packed model is made of, and what it costs."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from binvision.runtime import PackedModel

__all__ = ["info"]


def info(
    model: Annotated[str, typer.Argument(help="A shipped model, or a packed file.")],
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a packed model: layers, bits, bytes, operations, origin, accuracy.

    Example: binvision info rb-siamfc
    """
    from binvision import runtime, zoo

    path = zoo.find(model)
    packed = runtime.load(path)
    if json:
        typer.echo(json_module.dumps(_report(path, packed), indent=2))
    else:
        _print(path, packed)


def _report(path: Path, model: PackedModel) -> dict[str, Any]:
    from binvision.cli.tables import totals
    from binvision.kernels.isa import kernel_path
    from binvision.runtime.account import account, working_size_hw

    size_hw = working_size_hw(model)
    rows = account(model, size_hw)
    return {
        "name": model.name,
        "task": model.task,
        "file": str(path),
        "kernels": kernel_path(),
        "image_size_hw": size_hw,
        "layers": [asdict(row) for row in rows],
        "totals": totals(model, rows),
        "settings": model.settings,
        "provenance": model.provenance,
        "accuracy": model.accuracy,
    }


def _print(path: Path, model: PackedModel) -> None:
    from binvision.cli.tables import cost_table, facts, print_table
    from binvision.kernels.isa import kernel_path
    from binvision.runtime.account import working_size_hw

    head = {
        "task": model.task,
        "file": str(path),
        "size": f"{model.file_bytes:,} bytes",
        "kernels": f"{kernel_path()} (what this CPU runs)",
    }
    print_table(facts(model.name, head))
    print_table(cost_table(model, working_size_hw(model)))
    for title in ("settings", "provenance", "accuracy"):
        values = getattr(model, title)
        if values:
            print_table(facts(title.capitalize(), values))
            typer.echo()
