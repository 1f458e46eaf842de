"""``binvision eval BENCHMARK``: measure trackers on annotated sequences.

Every benchmark is a command of its own, with one and the same function behind it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BENCHMARKS", "Split", "command", "evaluate"]

# The names of `evaluation.benchmarks.BENCHMARKS`, and what --root holds.
BENCHMARKS = {
    "got10k": "GOT-10k",
    "otb2013": "OTB2013",
    "otb50": "OTB50",
    "otb100": "OTB100",
    "uav123": "UAV123",
    "uav123_10fps": "UAV123 at 10 frames a second",
    "uav20l": "UAV20L",
    "folder": "sequences of your own, NAME/*.jpg with groundtruth.txt or in OTB's layout",
    "otb": "sequences of your own in OTB's layout",
}


class Split(str, Enum):
    """A part of GOT-10k."""

    VAL = "val"
    TEST = "test"


def evaluate(
    benchmark: str,
    root: Annotated[
        list[Path],
        typer.Option(
            help="The benchmark's folder; for folder and otb a folder of sequences, or one "
            "sequence, and may be repeated."
        ),
    ],
    split: Annotated[
        Split | None,
        typer.Option(help="Of got10k. Default: val, or test if that alone is there."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Shipped model, packed file or .pth checkpoint; may be repeated."),
    ] = None,
    rival: Annotated[
        list[str] | None,
        typer.Option(help="OpenCV tracker to measure beside: mil, kcf or csrt; may be repeated."),
    ] = None,
    starts: Annotated[
        int, typer.Option(help="1: one pass from the first box. 4: forward and backward starts.")
    ] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler, like tcp://192.168.0.10:8786, whose workers do the work.",
        ),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going",
            help="Leave out sequences that are missing, damaged or fail, name them, and exit "
            "with 1 at the end; without it the first one ends the work.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for results and reports; finished sequences are not run again."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Replace a tracker setting of all --model."
        ),
    ] = None,
) -> None:
    """Measure trackers on one of `BENCHMARKS`; the other parameters are the command's options."""
    from binvision.cli import reporting
    from binvision.cli.campaigning import run_with_progress
    from binvision.trackers.evaluation import benchmarks
    from binvision.trackers.evaluation.campaign import Campaign
    from binvision.trackers.evaluation.entrants import enter, parse_settings
    from binvision.trackers.evaluation.results import ResultStore

    chosen = benchmarks.BENCHMARKS[benchmark]
    entrants = enter(model or [], rival or [], parse_settings(set_ or []))
    found = chosen.find(root, keep_going, split.value if split else None)
    _echo_skipped(found.skipped)
    protocol = benchmark if starts == 1 else f"{benchmark}-starts{starts}"
    campaign = Campaign(
        entrants=entrants,
        sequences=found.sequences,
        starts=starts,
        store=ResultStore.of_benchmark(out, chosen.name, chosen.protocol, starts) if out else None,
    )
    reporting.check_plan(campaign, out)
    measured, tracks, failed = run_with_progress(
        campaign, jobs=jobs, cluster=cluster, keep_going=keep_going
    )
    folder = out / protocol if out else None
    _echo_skipped(failed)
    skipped = (*found.skipped, *failed)
    reporting.hand_over(measured, tracks, chosen, skipped, folder, json)
    if skipped:
        total = len(measured.sequences) + len(skipped)
        names = ", ".join(name for name, _ in skipped)
        typer.echo(f"{len(skipped)} of {total} sequences were skipped: {names}", err=True)
        raise typer.Exit(1)


def command(benchmark: str) -> Callable[..., None]:
    """The command for one benchmark: `evaluate` with the help and the options that fit it."""

    @functools.wraps(evaluate)
    def run(**options: object) -> None:
        evaluate(benchmark, **options)  # type: ignore[arg-type]

    unfit = {"benchmark"} if benchmark == "got10k" else {"benchmark", "split"}
    signature = inspect.signature(evaluate, eval_str=True)
    fit = [option for name, option in signature.parameters.items() if name not in unfit]
    run.__signature__ = signature.replace(parameters=fit)  # type: ignore[attr-defined]
    run.__annotations__ = {
        name: kind for name, kind in evaluate.__annotations__.items() if name not in unfit
    }
    run.__doc__ = (
        f"Measure trackers on {BENCHMARKS[benchmark]}: AO, SR, AUC, precision, speed.\n\n"
        f"Example: binvision eval {benchmark} --root DIR --model bin-track --out results"
    )
    return run


def _echo_skipped(skipped: tuple[tuple[str, str], ...]) -> None:
    for name, reason in skipped:
        typer.echo(f"skipped: {name}: {reason}", err=True)
