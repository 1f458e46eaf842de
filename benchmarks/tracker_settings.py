"""Whether another value of a tracker setting pays, over several trained models.

    python -m benchmarks.tracker_settings --root clips --model seed1.safetensors \
        --model seed2.safetensors --model seed3.safetensors \
        --vary window_influence=0.3,0.4,0.5 --vary size_lr=0.2,0.35 --out sweep

Each value of a setting is tried alone, in every model, with the model's own values for all else
and whatever --fix holds. Settings are the fields of the models' settings class, whatever their
task. Every trial runs from four starts a clip, as ``binvision eval --starts 4`` does; with --out,
what is finished is not run again, also in another sweep with the same folder.

AO is the mean over the models, with the smallest and the largest of them beside it. What counts is
the difference to the models' own value on the same clips: its mean over models and clips, its 95 %
bootstrap interval over clips, and for how many of the models it is positive. A value pays when the
interval lies above 0 and every model agrees; choose values on clips that no benchmark uses.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from binvision.cli.campaigning import run_with_progress
from binvision.errors import BinvisionError, DataError, UsageError
from binvision.media.files import write_atomically
from binvision.trackers.evaluation.campaign import Campaign
from binvision.trackers.evaluation.entrants import Entrant, enter
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.metrics import bootstrap_interval
from binvision.trackers.evaluation.results import ResultStore
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scoring import score_campaign
from binvision.trackers.evaluation.sequences import Sequence as TargetSequence

STARTS = 4

Change = tuple[str, float] | None
"""A setting and its value in a trial; None: the models' own."""


@dataclass(frozen=True, eq=False)
class Trial:
    """How the models track with one value changed.

    Attributes:
        change: What is changed.
        overlaps: float64 (models, clips), AO of each.
    """

    change: Change
    overlaps: NDArray[np.float64]

    @property
    def ao(self) -> NDArray[np.float64]:
        """(models,), mean over the clips."""
        return np.asarray(self.overlaps.mean(axis=1), np.float64)


def main(arguments: list[str] | None = None) -> None:
    """Sweep, print, and write a CSV where one is named."""
    options = _parse(arguments)
    try:
        models = enter(options.model, [], parse_values(options.fix))
        changes: list[Change] = [None, *parse_variations(options.vary)]
        clips = [c for c in find_sequences(options.root) if len(c) >= options.min_frames]
        if not clips:
            raise DataError(f"no clip has {options.min_frames} frames; lower --min-frames")
        trials = sweep(models, tuple(clips), changes, options.out, options.jobs)
        if options.csv:
            write_csv(options.csv, trials, models, clips)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(trials, len(clips))


def parse_values(assignments: Iterable[str]) -> dict[str, float]:
    """Read ``KEY=VALUE``.

    Raises:
        UsageError: Not of that form.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        try:
            values[key] = int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError:
            equals = ""
        if not equals or not key:
            raise UsageError(f"{assignment}: expected NAME=VALUE with a number")
    return values


def parse_variations(texts: Iterable[str]) -> list[tuple[str, float]]:
    """Read ``NAME=VALUE,VALUE`` into one change a value.

    Raises:
        UsageError: Not of that form.
    """
    changes = []
    for text in texts:
        name, _, values = text.partition("=")
        for value in values.split(","):
            changes += list(parse_values([f"{name}={value}"]).items())
    return changes


def sweep(
    models: Sequence[Entrant],
    clips: tuple[TargetSequence, ...],
    changes: Sequence[Change],
    out: Path | None,
    jobs: int,
) -> list[Trial]:
    """Run every change in every model on every clip, in the order of the changes.

    Raises:
        UsageError: The models have no such setting, or the value is out of its range.
        BinvisionError: A model cannot be loaded, a picture cannot be read.
    """
    entrants = {(m.name, change): _changed(m, change) for change in changes for m in models}
    store = ResultStore(out) if out else None
    campaign = Campaign(tuple(entrants.values()), clips, STARTS, store)
    _, tracks, _ = run_with_progress(campaign, jobs=jobs, cluster=None, keep_going=False)
    scores = {score.name: score for score in score_campaign(campaign, tracks, RULES["folder"])}
    return [
        Trial(
            change,
            np.array(
                [
                    [
                        scores[entrants[model.name, change].name].sequences[clip.name].mean.ao
                        for clip in clips
                    ]
                    for model in models
                ]
            ),
        )
        for change in changes
    ]


def report(trials: Sequence[Trial], clips: int) -> None:
    """Print a line for each trial; the first one is what the others are compared with."""
    own = trials[0]
    table = Table(box=SIMPLE_HEAD)
    for header in ("setting", "value", "AO", "models", "difference", "95 %", "models better"):
        table.add_column(header, justify="left" if header == "setting" else "right")
    for trial in trials:
        ao = trial.ao
        row = ["own values", ""] if trial.change is None else _words(trial.change)
        row += [f"{ao.mean():.4f}", f"{ao.min():.3f} - {ao.max():.3f}"]
        if trial is not own:
            difference = trial.overlaps - own.overlaps
            low, high = bootstrap_interval(difference.mean(axis=0))
            better = int((difference.mean(axis=1) > 0).sum())
            row += [f"{difference.mean():+.4f}", f"{low:+.4f} - {high:+.4f}"]
            row += [f"{better} of {len(ao)}"]
        table.add_row(*row)
    console = Console(width=120)
    console.print(table)
    console.print(f"{len(own.ao)} models, {clips} clips, {STARTS} starts")


def write_csv(
    path: Path,
    trials: Sequence[Trial],
    models: Sequence[Entrant],
    clips: Sequence[TargetSequence],
) -> None:
    """Write a row for each trial and model: AO, and AO of each clip.

    Raises:
        SinkError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["setting", "value", "model", "ao", *(clip.name for clip in clips)])
    for trial in trials:
        words = ["", ""] if trial.change is None else _words(trial.change)
        for model, ao, overlaps in zip(models, trial.ao, trial.overlaps, strict=True):
            rows.writerow([*words, model.name, f"{ao:.4f}", *(f"{o:.4f}" for o in overlaps)])
    write_atomically(path, text.getvalue())


def _changed(model: Entrant, change: Change) -> Entrant:
    """The model with a changed setting; its results have a folder of their own."""
    changes = dict([change]) if change else {}
    settings = tuple(sorted((dict(model.settings) | changes).items()))
    words = [f"{name}={value:g}" for name, value in settings]
    return replace(model, name="-".join([model.name, *words]), settings=settings)


def _words(change: tuple[str, float]) -> list[str]:
    return [change[0], f"{change[1]:g}"]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, action="append",
                        help="shipped model, packed file or .pth; repeatable")  # fmt: skip
    parser.add_argument("--root", required=True, action="append", help="clips; repeatable")
    parser.add_argument("--vary", required=True, action="append", metavar="NAME=VALUE,VALUE",
                        help="values to try; repeatable")  # fmt: skip
    parser.add_argument("--fix", action="append", default=[], metavar="NAME=VALUE",
                        help="hold a setting in every trial; repeatable")  # fmt: skip
    parser.add_argument("--min-frames", type=int, default=10, help="leave shorter clips out")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--out", type=Path, help="folder for results, to go on from")
    parser.add_argument("--csv", type=Path, help="write AO of every trial, model and clip")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
