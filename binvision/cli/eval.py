"""``binvision eval``: measure trackers on folders of annotated sequences."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from binvision.trackers.evaluation.campaign import Campaign, Tracks

__all__ = ["Benchmark", "evaluate"]


class Benchmark(str, Enum):
    """What ``--root`` holds."""

    FOLDER = "folder"
    OTB = "otb"


def evaluate(
    benchmark: Annotated[
        Benchmark,
        typer.Argument(
            help="folder: any sequences, NAME/*.jpg with groundtruth.txt or OTB's layout; "
            "otb: OTB's layout only."
        ),
    ],
    root: Annotated[
        list[Path], typer.Option(help="Folder of sequences, or one sequence; may be repeated.")
    ],
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
    """Measure trackers on annotated sequences: AO, SR, success AUC, precision, speed.

    Example: binvision eval folder --root sequences --model rb-siamfc --rival mil --out results
    """
    from binvision.cli import reporting
    from binvision.trackers.evaluation.benchmarks import BENCHMARKS
    from binvision.trackers.evaluation.campaign import Campaign
    from binvision.trackers.evaluation.entrants import enter, parse_settings
    from binvision.trackers.evaluation.results import ResultStore
    from binvision.trackers.evaluation.sequences import find_sequences

    layout = "otb" if benchmark is Benchmark.OTB else None
    protocol = benchmark.value if starts == 1 else f"{benchmark.value}-starts{starts}"
    campaign = Campaign(
        entrants=enter(model or [], rival or [], parse_settings(set_ or [])),
        sequences=find_sequences(root, layout),
        starts=starts,
        store=ResultStore(out / protocol) if out else None,
    )
    reporting.check_plan(campaign, out)
    tracks = _run_with_progress(campaign, jobs)
    folder = out / protocol if out else None
    reporting.hand_over(campaign, tracks, BENCHMARKS[benchmark.value], (), folder, json)


def _run_with_progress(campaign: Campaign, jobs: int) -> Tracks:
    """Run the campaign behind one bar, on stderr, that counts frames."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from binvision.trackers.evaluation.campaign import run_campaign

    frames = sum(map(len, campaign.sequences)) * len(campaign.entrants)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as progress:
        bar = progress.add_task("evaluating", total=frames)
        return run_campaign(
            campaign,
            jobs=jobs,
            on_done=lambda entrant, sequence: progress.update(
                bar, advance=len(sequence), description=f"{entrant.name}: {sequence.name}"
            ),
        )
