"""``binvision methods``: the binarisation methods, and what was measured of each."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from binvision.binary.results import Result

__all__ = ["methods"]


def methods(
    name: Annotated[
        str | None, typer.Argument(help="Show one: paper, formula, parts, figures.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the binarisation methods: kind, what they run as, accuracy on CIFAR-10.

    Each is a value of `binvision train --method`; those of kind search are run by `binvision
    search`. All were trained with one backbone and schedule; docs/reference/methods.md tells of it.

    Example: binvision methods dsq
    """
    from binvision.binary import METHODS, find_method
    from binvision.classifiers.search.presets import SEARCHES

    if name is None:
        facts = [*map(_facts, sorted(METHODS)), *map(_search_facts, sorted(SEARCHES))]
    elif name in SEARCHES:
        facts = [_search_facts(name)]
    else:
        facts = [_facts(find_method(name).name)]
    if json:
        typer.echo(json_module.dumps(facts if name is None else facts[0], indent=2))
    elif name is None:
        _print_list(facts)
    else:
        _print_one(facts[0])


def _facts(name: str) -> dict[str, Any]:
    from binvision.binary import METHODS
    from binvision.binary.packed_form import packed_form
    from binvision.binary.results import of_method

    rows = of_method(name)
    return {
        **asdict(METHODS[name]),
        "runs_as": packed_form(name),
        "accuracy": _mean(rows, "accuracy"),
        "results": [asdict(row) for row in rows],
    }


def _search_facts(name: str) -> dict[str, Any]:
    from binvision.classifiers.search.presets import SEARCHES

    return {
        **asdict(SEARCHES[name]),
        "kind": "search",
        "runs_as": "what the method of the search runs as",
        "accuracy": None,
        "results": [],
    }


def _mean(rows: list[Result], figure: str) -> float | None:
    return sum(getattr(row, figure) for row in rows) / len(rows) if rows else None


def _print_list(facts: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from binvision.cli.tables import print_table

    table = Table(box=SIMPLE_HEAD)
    table.add_column("method", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("title")
    table.add_column("runs as")
    table.add_column("CIFAR-10", justify="right", no_wrap=True)
    for row in facts:
        accuracy = "" if row["accuracy"] is None else f"{100 * row['accuracy']:.1f} %"
        words = (row["name"], row["kind"], row["title"], row["runs_as"])
        table.add_row(*map(escape, words), accuracy)
    print_table(table)


def _print_one(facts: dict[str, Any]) -> None:
    from binvision.cli.tables import facts as facts_table
    from binvision.cli.tables import print_table

    head = {key: facts[key] for key in ("kind", "paper", "formula", "runs_as")}
    head["runs as"] = head.pop("runs_as")
    print_table(facts_table(f"{facts['name']}: {facts['title']}", head))
    typer.echo()
    if facts["kind"] == "search":
        typer.echo(f"binvision search {facts['config']} --data cifar10_jpeg.npz")
        return
    parts = {key: facts[key] or "-" for key in ("activation", "weight", "scale", "losses")}
    if facts["config"]:
        parts["config"] = facts["config"]
    print_table(facts_table("Parts", parts))
    typer.echo()
    rows = facts["results"]
    if not rows:
        typer.echo("not measured on CIFAR-10 yet: python -m benchmarks.methods")
        return
    last = rows[-1]
    figures = {
        "accuracy": ", ".join(f"{100 * row['accuracy']:.2f} %" for row in rows)
        + f" (seeds {', '.join(str(row['seed']) for row in rows)})",
        "parameters": f"{last['binary_parameters']:,} of 1 bit, {last['real_parameters']:,} real",
        "operations": f"{last['binary_macs']:,} on bits, {last['real_macs']:,} real",
        "packed file": f"{last['file_bytes']:,} bytes",
        "packed time": f"{last['milliseconds']:.3g} ms a picture, one thread, {last['cpu']}",
        "training": f"{last['training_s']:.0f} s for {last['iterations']} steps of "
        f"{last['batch']}, {last['side_by_side']} side by side on {last['trained_on']}",
    }
    print_table(facts_table("CIFAR-10", figures))
