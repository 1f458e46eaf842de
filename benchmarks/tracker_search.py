"""Random search of tracker settings on clips that are not benchmark footage.

    python -m benchmarks.tracker_search --model my.safetensors --root clips --trials 60 --jobs 2

Shipped settings must not be tuned on the sequences that they are judged by, so --root names other
clips, in the layouts of ``binvision eval``. Every setting runs from four starts a clip. Trial 0 is
the model as it is; each other trial draws every setting of `SPACE` at random, except those that
--fix holds. Differences of less than the interval of the mean are noise: look for settings on
which the best trials agree, and choose the middle of a plateau rather than the top.

Printed are the trials from the best down; --csv keeps them all.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import mean, median

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from binvision.errors import BinvisionError, DataError
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.entrants import Entrant, enter, parse_settings
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.metrics import bootstrap_interval
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scoring import score_campaign
from binvision.trackers.evaluation.sequences import Sequence

# Only what steers the loop; sizes and response scale belong to the trained network. Search sizes
# give whole cells at stride 8 around an odd middle.
SPACE: dict[str, tuple[float, ...]] = {
    "search_size": (223, 239, 255, 271),
    "scale_step": (1.02, 1.03, 1.04, 1.05, 1.07),
    "scale_penalty": (0.94, 0.96, 0.97, 0.98, 0.99),
    "scale_lr": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "window_influence": (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    "response_up": (8, 16),
    "lost_threshold": (0.0, 0.05, 0.1, 0.2, 0.3),
    "found_threshold": (0.4, 0.5, 0.6, 0.7, 0.8),
}
STARTS = 4


@dataclass(frozen=True)
class Trial:
    """One combination of settings and how well it tracked.

    Attributes:
        settings: Replaced settings; empty for the model's own.
        overlaps: AO of each clip, in the order of the clips.
    """

    settings: dict[str, float]
    overlaps: tuple[float, ...]

    @property
    def ao(self) -> float:
        """Mean over the clips."""
        return mean(self.overlaps)


def main(arguments: list[str] | None = None) -> None:
    """Search and print."""
    options = _parse(arguments)
    try:
        fixed = parse_settings(options.fix)
        (entrant,) = enter([options.model], [], {})
        clips = [c for c in find_sequences(options.root) if len(c) >= options.min_frames]
        if not clips:
            raise DataError(f"no clip has {options.min_frames} frames; lower --min-frames")
        trials = search(
            entrant, tuple(clips), draw(options.trials, options.seed, fixed), options.jobs
        )
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(trials, len(clips), options.show)
    if options.csv:
        write_csv(options.csv, trials, [clip.name for clip in clips])


def draw(count: int, seed: int, fixed: dict[str, float]) -> list[dict[str, float]]:
    """Settings of each trial: the model's own with what is fixed, then random ones."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(count - 1):
        settings = {name: values[rng.integers(len(values))] for name, values in SPACE.items()}
        drawn.append(settings | fixed)
    return [fixed, *drawn]


def search(
    entrant: Entrant, clips: tuple[Sequence, ...], settings: Iterable[dict[str, float]], jobs: int
) -> list[Trial]:
    """Run every combination, ``jobs`` at a time, best first."""
    todo = list(settings)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        results = pool.map(run_trial, repeat(entrant), repeat(clips), todo)
        console = Console(stderr=True)
        trials = list(
            track(results, "trials", len(todo), console=console, disable=not console.is_terminal)
        )
    return sorted(trials, key=lambda trial: -trial.ao)


def run_trial(entrant: Entrant, clips: tuple[Sequence, ...], settings: dict[str, float]) -> Trial:
    """Measure one combination; runs in a process of the pool."""
    changed = Entrant(entrant.name, entrant.kind, entrant.source, tuple(settings.items()))
    campaign = Campaign((changed,), clips, STARTS, None)
    (score,) = score_campaign(campaign, run_campaign(campaign), RULES["folder"])
    return Trial(settings, tuple(score.sequences[clip.name].mean.ao for clip in clips))


def report(trials: list[Trial], clips: int, show: int) -> None:
    """Print the best trials, the model's own, and the middle of the best tenth."""
    table = Table(box=SIMPLE_HEAD, title=f"{len(trials)} trials on {clips} clips, {STARTS} starts")
    for name in ("AO", "95 %", *SPACE):
        table.add_column(name, justify="right")
    own = next(trial for trial in trials if set(trial.settings) != set(SPACE))
    for trial in trials[:show] if own in trials[:show] else [*trials[:show], own]:
        _add_row(table, trial)
    console = Console(width=140)
    console.print(table)
    best = [trial for trial in trials if trial is not own][: max(3, len(trials) // 10)]
    if best:
        middle = {name: median(trial.settings[name] for trial in best) for name in SPACE}
        console.print(f"median of the best {len(best)}: {middle}")


def write_csv(path: Path, trials: list[Trial], clips: list[str]) -> None:
    """Write a row a trial: settings (empty: the model's own), AO, AO of each clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*SPACE, "ao", *clips])
        for trial in trials:
            settings = [trial.settings.get(name, "") for name in SPACE]
            rows.writerow([*settings, f"{trial.ao:.4f}", *(f"{ao:.4f}" for ao in trial.overlaps)])


def _add_row(table: Table, trial: Trial) -> None:
    low, high = bootstrap_interval(trial.overlaps)
    settings = (f"{trial.settings[n]:g}" if n in trial.settings else "own" for n in SPACE)
    table.add_row(f"{trial.ao:.4f}", f"{low:.3f} - {high:.3f}", *settings)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="shipped model, packed file or checkpoint")
    parser.add_argument("--root", required=True, action="append", help="clips; may be repeated")
    parser.add_argument("--trials", type=int, default=60, help="combinations (default 60)")
    parser.add_argument("--fix", action="append", default=[], metavar="KEY=VALUE",
                        help="hold a setting in every trial; may be repeated")  # fmt: skip
    parser.add_argument("--min-frames", type=int, default=10, help="leave shorter clips out")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--show", type=int, default=15, help="trials to print (default 15)")
    parser.add_argument("--csv", type=Path, help="write every trial")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
