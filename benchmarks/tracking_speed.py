"""Speed of tracking on one thread, stage by stage; beside it the float twin in PyTorch.

    python -m benchmarks.tracking_speed --packed rb-siamfc
    python -m benchmarks.tracking_speed --packed rb-siamfc --twin siamfc_fp.pth

Both run in the very same loop over the same 1280x720 video in the same process, in turns, so that
a machine that slows down slows both; only the ratio of one run can be compared with that of
another. Without --video the demo clip is rendered at twice its size. The twin runs in float32,
channels_last, inference_mode.

Stages, each in milliseconds a frame: decoding the video, cutting and resizing what the network
looks at, the network, and all that follows (up-sampling, peak, box; correlation, where it is not
in the network). The first frame of a round (initialisation) is not counted, and a round of each
comes before as warm-up. Shown is the median over rounds with the smallest and the largest, and
frames a second beyond decoding ("tracker") and with it ("all").

The result is checked: every round must give the same boxes, and the packed model must follow the
target of the rendered clip, or there are no figures.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.footage import write_clip
from benchmarks.machine import describe
from binvision.errors import BinvisionError, DataError
from binvision.media import open_source
from binvision.media.boxes import BoxXYWH, overlaps, parse_box
from binvision.trackers import Tracker
from binvision.trackers.evaluation.entrants import enter

THREADS = 1
STAGES = ("decode", "crop", "network", "post")
LEAST_OVERLAP = 0.4


@dataclass(frozen=True, eq=False)
class Round:
    """One pass over the video: milliseconds a frame by stage, and the boxes found."""

    stages_ms: dict[str, float]
    boxes_xywh: np.ndarray


@dataclass(frozen=True)
class Footage:
    """A video, the first box, and the true boxes where they are known."""

    path: str
    first_box: BoxXYWH
    truth: list[BoxXYWH] | None


def main(arguments: list[str] | None = None) -> None:
    """Measure, check, print, and write a CSV where one is named."""
    options = _parse(arguments)
    cv2.setNumThreads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        try:
            footage = _footage(options, Path(folder))
            rounds = measure(_trackers(options), footage, options.rounds, options.frames)
            if not options.smoke:
                check(rounds["packed"], footage)
        except BinvisionError as error:
            sys.exit(f"error: {error}")
    facts = describe(THREADS, *(["torch"] if options.twin else []))
    report(rounds, facts)
    if options.csv:
        write_csv(options.csv, rounds, facts)


def measure(
    trackers: dict[str, Tracker], footage: Footage, rounds: int, frames: int
) -> dict[str, list[Round]]:
    """Run every tracker ``rounds`` times over the video, in turns, after a warm-up each."""
    for tracker in trackers.values():
        _run_round(tracker, footage, min(frames, 5))
    results: dict[str, list[Round]] = {name: [] for name in trackers}
    for _ in range(rounds):
        for name, tracker in trackers.items():
            results[name].append(_run_round(tracker, footage, frames))
    for name, passes in results.items():
        if any((one.boxes_xywh != passes[0].boxes_xywh).any() for one in passes):
            raise DataError(f"{name}: boxes differ between rounds; expected equal ones")
    return results


def check(rounds: list[Round], footage: Footage) -> None:
    """Refuse figures of a tracker that does not track.

    Raises:
        DataError: the mean overlap with the known truth is too small.
    """
    if footage.truth is None:
        return
    found = rounds[0].boxes_xywh
    overlap = overlaps(found, footage.truth[1 : len(found) + 1]).mean()
    if overlap < LEAST_OVERLAP:
        raise DataError(
            f"packed model: mean overlap {overlap:.2f} on the rendered clip, expected at least "
            f"{LEAST_OVERLAP}; it does not follow the target, so its speed means nothing"
        )


def report(rounds: dict[str, list[Round]], facts: dict[str, str]) -> None:
    """Print the table, and the ratios where there is a twin."""
    table = Table(box=SIMPLE_HEAD, title="ms a frame: median (smallest - largest)")
    for header in ("", *STAGES, "fps tracker", "fps all"):
        table.add_column(header, justify="right" if header else "left")
    for name, passes in rounds.items():
        table.add_row(name, *(_spread(passes, stage) for stage in STAGES), *_rates(passes))
    console = Console(width=140)
    console.print(table)
    if "twin" in rounds:
        ratios = {stage: f"{ratio:.2f}" for stage, ratio in ratio_by_stage(rounds).items()}
        console.print(f"twin / packed: {ratios}")
    console.print("  ".join(f"{name} {value}" for name, value in facts.items()))


def ratio_by_stage(rounds: dict[str, list[Round]]) -> dict[str, float]:
    """Median over rounds of the twin's time against the packed model's in the same round."""
    pairs = list(zip(rounds["twin"], rounds["packed"], strict=True))
    groups = {"network": ("network",), "tracker": STAGES[1:], "all": STAGES}
    return {
        name: median(_total(twin, stages) / _total(packed, stages) for twin, packed in pairs)
        for name, stages in groups.items()
    }


def write_csv(path: Path, rounds: dict[str, list[Round]], facts: dict[str, str]) -> None:
    """Write a row for each contestant and round, with the machine in every row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["network", "round", *(f"{s}_ms" for s in STAGES), *facts])
        rows.writeheader()
        for name, passes in rounds.items():
            for index, one in enumerate(passes):
                times = {f"{stage}_ms": f"{one.stages_ms[stage]:.4f}" for stage in STAGES}
                rows.writerow({"network": name, "round": index, **times, **facts})


def _run_round(tracker: Tracker, footage: Footage, frames: int) -> Round:
    before = replace(tracker.timings)
    boxes, decode = [], 0.0
    with open_source(footage.path) as source:
        pictures = _timed(iter(source))
        tracker.init(next(pictures)[0], footage.first_box)
        for (picture, seconds), _ in zip(pictures, range(frames), strict=False):
            boxes.append(tracker.update(picture).box_xywh)
            decode += seconds
    timings = tracker.timings
    spent = (getattr(timings, stage) - getattr(before, stage) for stage in STAGES[1:])
    seconds = (decode, *spent)
    per_frame = {s: 1000 * t / len(boxes) for s, t in zip(STAGES, seconds, strict=True)}
    return Round(per_frame, np.array(boxes))


def _timed(pictures: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, float]]:
    """Each picture with the seconds that it took to come."""
    while True:
        began = perf_counter()
        picture = next(pictures, None)
        if picture is None:
            return
        yield picture, perf_counter() - began


def _trackers(options: argparse.Namespace) -> dict[str, Tracker]:
    models = {"packed": options.packed, "twin": options.twin}
    return {name: enter([model], [], {})[0].load() for name, model in models.items() if model}


def _footage(options: argparse.Namespace, folder: Path) -> Footage:
    if options.video:
        return Footage(options.video, parse_box(options.init), None)
    path = folder / "clip.mp4"
    truth = write_clip(path, options.frames + 1)
    return Footage(str(path), truth[0], truth)


def _total(one: Round, stages: tuple[str, ...]) -> float:
    return sum(one.stages_ms[stage] for stage in stages)


def _spread(passes: list[Round], stage: str) -> str:
    values = [one.stages_ms[stage] for one in passes]
    return f"{median(values):.2f} ({min(values):.2f} - {max(values):.2f})"


def _rates(passes: list[Round]) -> tuple[str, str]:
    tracker = median(1000 / _total(one, STAGES[1:]) for one in passes)
    everything = median(1000 / _total(one, STAGES) for one in passes)
    return f"{tracker:.1f}", f"{everything:.1f}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packed", default="rb-siamfc", help="shipped model or packed file")
    parser.add_argument("--twin", help="checkpoint of the float twin")
    parser.add_argument("--video", help="a video of your own; needs --init")
    parser.add_argument("--init", help="first box of --video: X,Y,W,H")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each (default 5)")
    parser.add_argument("--frames", type=int, default=100, help="frames a pass (default 100)")
    parser.add_argument("--csv", type=Path, help="write every round, as in benchmarks/results/")
    parser.add_argument("--smoke", action="store_true", help="untrained networks: check no track")
    options = parser.parse_args(arguments)
    if bool(options.video) != bool(options.init):
        parser.error("--video and --init belong together")
    return options


if __name__ == "__main__":
    main()
