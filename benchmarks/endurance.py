"""Whether memory and speed of a tracker stay what they are, over half an hour and longer.

    python -m benchmarks.endurance --model bin-track
    python -m benchmarks.endurance --model bin-track --sequence open/otb_Man --minutes 60

A sequence is played forward and back, so that the target is always there, and every picture is
decoded anew, as in a camera's stream. Without --sequence it is the demo clip in 1280x720. One
tracker follows it from the first frame to the last, on one thread, and is never started again.

Shown by minute: frames, milliseconds of CPU time a frame inside the tracker and of decoding it
(medians), resident memory at the end of the minute, the part of the frames in which the box
overlaps the true one by half or more, and the part in which the tracker is lost.

The first minute is warm-up. Memory is flat when its highest mark in the second half of the others
is at most 2 MB above that in the first half; speed is flat when a frame of the second half takes
less than 5 % more than one of the first, counted in decodings, median against median: a core that
others share, or that clocks lower, slows both alike. Exit status 1 says that one of them is not.
Needs /proc, so Linux.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain, cycle
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.following import Follower, open_follower
from benchmarks.footage import write_clip
from benchmarks.machine import describe
from binvision.errors import BinvisionError, DataError
from binvision.media import open_source
from binvision.media.boxes import overlaps
from binvision.media.files import write_atomically
from binvision.media.images import read_image
from binvision.trackers.evaluation.entrants import enter
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.sequences import Sequence as TargetSequence

LEAST_OVERLAP = 0.5
WARM_UP = 1  # minutes
MEMORY_MB = 2.0
SPEED = 0.05
_DEMO_FRAMES = 100


@dataclass(frozen=True)
class Minute:
    """What a minute took.

    Attributes:
        frames: Number of frames.
        ms: CPU time a frame inside the tracker, median, milliseconds.
        decode_ms: The same of decoding the frame, which is the same work in every minute.
        memory_mb: Resident memory at its end.
        followed: Part of the frames in which the box is right.
        lost: Part of the frames in which the tracker is lost.
    """

    frames: int
    ms: float
    decode_ms: float
    memory_mb: float
    followed: float
    lost: float


@dataclass(frozen=True)
class Verdict:
    """Differences between the halves after the warm-up.

    Attributes:
        memory_mb: Highest mark of the second half less that of the first.
        speed: Decodings that a frame takes in the second half over those in the first, less 1.
    """

    memory_mb: float
    speed: float

    @property
    def memory_is_flat(self) -> bool:
        """Whether memory does not grow."""
        return self.memory_mb <= MEMORY_MB

    @property
    def speed_is_flat(self) -> bool:
        """Whether a frame takes no longer than before."""
        return self.speed < SPEED


def main(arguments: list[str] | None = None) -> None:
    """Track, print, write a CSV where one is named, and exit with the verdict."""
    options = _parse(arguments)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            (entrant,) = enter([options.model], [], {})
            (sequence,) = find_sequences([options.sequence or demo_sequence(Path(folder))])
            follower = open_follower(entrant)
            minutes = []
            for minute in measure(follower, sequence, options.minutes):
                minutes.append(minute)
                print(f"minute {len(minutes)}: {_words(minute)}", file=sys.stderr)
            facts = describe(1)
            if options.csv:
                write_csv(options.csv, entrant.name, minutes, facts)
        except BinvisionError as error:
            sys.exit(f"error: {error}")
    verdict = judge(minutes)
    report(minutes, verdict)
    print("  ".join(f"{name} {value}" for name, value in facts.items()))
    sys.exit(not (verdict.memory_is_flat and verdict.speed_is_flat))


def demo_sequence(folder: Path) -> Path:
    """Write the demo clip in 1280x720 as pictures with its true boxes; return their folder."""
    clip = folder / "clip.mp4"
    truth = write_clip(clip, _DEMO_FRAMES)
    pictures = folder / "demo"
    pictures.mkdir()
    with open_source(str(clip)) as source:
        for number, frame in enumerate(source, 1):
            cv2.imwrite(str(pictures / f"{number:04d}.jpg"), frame)
    clip.unlink()
    lines = [",".join(f"{value:g}" for value in box) for box in truth]
    (pictures / "groundtruth.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return pictures


def measure(
    follower: Follower,
    sequence: TargetSequence,
    minutes: int,
    *,
    seconds: float = 60,
    memory_mb: Callable[[], float] | None = None,
) -> Iterator[Minute]:
    """Follow a target to and fro, and yield each minute when it is over.

    Args:
        follower: The tracker.
        sequence: Its pictures are decoded again and again.
        minutes: How many.
        seconds: Length of a minute.
        memory_mb: Resident memory of the process.

    Raises:
        DataError: The sequence has a frame without a true box, or memory cannot be read.
    """
    if not sequence.visible.all():
        raise DataError(f"{sequence.name}: needs a true box in every frame; choose another one")
    memory_mb = memory_mb or resident_mb
    truth = sequence.truth_xywh - np.array([sequence.origin, sequence.origin, 0, 0])
    count = len(sequence)
    x, y, w, h = truth[0].tolist()
    follower.init(read_image(sequence.frames[0]), (x, y, w, h))
    way = cycle(chain(range(1, count), range(count - 2, -1, -1)))
    for _ in range(minutes):
        began, times, decodings = perf_counter(), [], []
        boxes, places, lost = [], [], 0
        while not times or perf_counter() - began < seconds:
            place = next(way)
            begun = thread_time()
            frame = read_image(sequence.frames[place])
            started = thread_time()
            result = follower.update(frame)
            times.append(thread_time() - started)
            decodings.append(started - begun)
            boxes.append(result.box_xywh)
            places.append(place)
            lost += result.lost
        right = overlaps(boxes, truth[places]) >= LEAST_OVERLAP
        yield Minute(
            len(times),
            1000 * median(times),
            1000 * median(decodings),
            memory_mb(),
            float(right.mean()),
            lost / len(times),
        )


def resident_mb() -> float:
    """Memory that the process holds in RAM.

    Raises:
        DataError: The system does not tell.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError) as error:
        raise DataError("/proc/self/statm: cannot be read; measure on Linux") from error
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def judge(minutes: Sequence[Minute]) -> Verdict:
    """Compare the halves after the warm-up; of fewer than three minutes, all that there is."""
    counted = minutes[WARM_UP:] if len(minutes) > WARM_UP + 1 else minutes
    middle = (len(counted) + 1) // 2
    first, second = counted[:middle], counted[middle:] or counted
    decodings = [median(one.ms / one.decode_ms for one in half) for half in (first, second)]
    return Verdict(
        max(one.memory_mb for one in second) - max(one.memory_mb for one in first),
        decodings[1] / decodings[0] - 1,
    )


def report(minutes: Sequence[Minute], verdict: Verdict) -> None:
    """Print a line a minute, and whether they are alike."""
    table = Table(box=SIMPLE_HEAD)
    for header in (
        "minute",
        "frames",
        "ms a frame",
        "ms to decode",
        "memory, MB",
        "followed",
        "lost",
    ):
        table.add_column(header, justify="right")
    for number, one in enumerate(minutes, 1):
        table.add_row(
            str(number),
            str(one.frames),
            f"{one.ms:.3f}",
            f"{one.decode_ms:.3f}",
            f"{one.memory_mb:.1f}",
            f"{one.followed:.1%}",
            f"{one.lost:.1%}",
        )
    console = Console(width=100)
    console.print(table)
    for what, change, flat in (
        ("memory", f"{verdict.memory_mb:+.1f} MB", verdict.memory_is_flat),
        ("time a frame", f"{verdict.speed:+.1%}", verdict.speed_is_flat),
    ):
        console.print(f"{what}: {'flat' if flat else 'NOT flat'}, {change} from half to half")


def write_csv(path: Path, model: str, minutes: Sequence[Minute], facts: dict[str, str]) -> None:
    """Write a row a minute, with the machine in every one.

    Raises:
        SinkError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    names = ["model", "minute", *(field.name for field in fields(Minute)), *facts]
    rows = csv.DictWriter(text, names, lineterminator="\n")
    rows.writeheader()
    for number, one in enumerate(minutes, 1):
        rows.writerow({"model": model, "minute": number, **asdict(one), **facts})
    write_atomically(path, text.getvalue())


def _words(one: Minute) -> str:
    return f"{one.frames} frames, {one.ms:.3f} ms a frame, {one.memory_mb:.1f} MB"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="bin-track", help="shipped model, packed file or .pth")
    parser.add_argument("--sequence", help="a folder of pictures with groundtruth.txt")
    parser.add_argument("--minutes", type=int, default=30, help="how long (default 30)")
    parser.add_argument("--csv", type=Path, help="write the minutes, as in benchmarks/results/")
    options = parser.parse_args(arguments)
    if options.minutes < 1:
        parser.error("--minutes must be at least 1")
    return options


if __name__ == "__main__":
    main()
