"""``binvision bench``: what a packed model costs on this machine, step by step, and elsewhere."""

from __future__ import annotations

import json as json_module
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.terminal import note
from binvision.errors import UsageError

if TYPE_CHECKING:
    from binvision.bench.report import Report

__all__ = ["bench"]


def bench(
    model: Annotated[str, typer.Argument(help="A shipped model, or a packed file.")] = "rb-siamfc",
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Image size; by default the one the model's task uses."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Images that run together; by default as the model's task does."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of every contestant.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each; medians are shown.")] = 10,
    profile: Annotated[bool, typer.Option("--profile", help="Show the time of each step.")] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINES",
            help="Time the real-valued network of the same shapes too, in engines separated by "
            "commas: torch, onnxruntime, openvino, litert (extra bench).",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Measure a packed model on this machine: time, share of the CPU's ceiling, other engines.

    The ceiling is measured: XOR, population count and addition on registers alone. Engines run in
    turns in one process, each after its result was checked; compare their times within one run.

    Example: binvision bench rb-siamfc --profile --against torch,onnxruntime,openvino,litert
    """
    from binvision import runtime, zoo
    from binvision.bench.report import measure

    report = measure(
        runtime.load(zoo.find(model)),
        size_hw=_size_hw(size) if size else None,
        batch=batch,
        threads=threads,
        rounds=rounds,
        profile=profile,
        against=[name.strip() for name in against.split(",")] if against else (),
    )
    if report.kernels == "portable":
        note(
            "warning: this CPU has none of AVX-512 VPOPCNTDQ, AVX2 and NEON, or numba was told so; "
            "these are the portable kernels, many times slower"
        )
    if json:
        typer.echo(json_module.dumps(asdict(report), indent=2))
    else:
        _print(report)


def _size_hw(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", text)
    if match is None:
        raise UsageError(f"--size: expected HxW in pixels, such as 240x320, got {text!r}")
    return int(match[1]), int(match[2] or match[1])


def _print(report: Report) -> None:
    from binvision.bench.table import absent_table, engine_table, headline, step_table
    from binvision.cli.tables import facts, print_table

    print_table(facts(report.model, headline(report)))
    if report.steps:
        print_table(step_table(report))
    if len(report.engines) > 1:
        print_table(engine_table(report))
    if report.absent:
        print_table(absent_table(report))
