"""``binvision eval``: measure trackers on folders of annotated sequences."""

from __future__ import annotations

import json as json_module
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from binvision.trackers.evaluation.campaign import Campaign
    from binvision.trackers.evaluation.report import TrackerScores


__all__ = ["Benchmark", "evaluate"]


class Benchmark(str, Enum):
    """What ``--root`` holds."""

    FOLDER = "folder"
    OTB = "otb"


# Whose report the figures follow.
_PROTOCOLS = {Benchmark.FOLDER: "got10k", Benchmark.OTB: "otb"}


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
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out sequences that fail, and name them.")
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
    """Measure trackers on annotated sequences: AO, SR, success AUC, precision, speed.

    Example: binvision eval folder --root sequences --model rb-siamfc --rival mil --out results
    """
    from binvision.cli.campaigning import run_with_progress
    from binvision.cli.tables import print_table
    from binvision.trackers.evaluation import report
    from binvision.trackers.evaluation.campaign import Campaign
    from binvision.trackers.evaluation.entrants import enter, parse_settings
    from binvision.trackers.evaluation.results import ResultStore, write_atomically
    from binvision.trackers.evaluation.sequences import find_sequences

    layout = "otb" if benchmark is Benchmark.OTB else None
    protocol = benchmark.value if starts == 1 else f"{benchmark.value}-starts{starts}"
    campaign = Campaign(
        entrants=enter(model or [], rival or [], parse_settings(set_ or [])),
        sequences=find_sequences(root, layout),
        starts=starts,
        store=ResultStore.of_benchmark(out, benchmark.value, _PROTOCOLS[benchmark], starts)
        if out
        else None,
    )
    campaign, tracks, _ = run_with_progress(campaign, jobs=jobs, keep_going=keep_going)
    scores = report.score_campaign(campaign, tracks)
    text = json_module.dumps(report.to_json(campaign, scores, benchmark.value), indent=2)
    title = _title(campaign, scores)
    if out:
        write_atomically(out / protocol / "report.json", text + "\n")
        write_atomically(out / protocol / "report.md", report.markdown(scores, title))
    if json:
        print(text)
    else:
        print_table(report.table(scores, title))


def _title(campaign: Campaign, scores: tuple[TrackerScores, ...]) -> str:
    protocol = "one pass" if campaign.starts == 1 else f"{campaign.starts} starts"
    return f"{len(campaign.sequences)} sequences, {protocol}, {scores[0].mean.frames} scored frames"
