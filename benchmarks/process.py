"""What a user waits for and what a process needs: import, first frame, memory, a second thread.

    python -m benchmarks.process --csv benchmarks/results/process.csv

Every row but the last two is measured from outside, on processes of their own: wall time from
their start, and the peak of their memory as the operating system accounts it. The clip is the
rendered one in 1280x720. Cold means an empty cache of compiled kernels.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.footage import write_clip
from benchmarks.machine import describe
from binvision import runtime, zoo
from binvision.bench.contest import Contestant, race
from binvision.errors import BinvisionError, DataError
from binvision.runtime.account import working_size_hw

_FIRST_FRAME = """
import sys
import binvision
from binvision.media import open_source

with open_source(sys.argv[1]) as source:
    frames = iter(source)
    tracker = binvision.Tracker("rb-siamfc")
    tracker.init(next(frames), tuple(float(value) for value in sys.argv[2].split(",")))
    print(tracker.update(next(frames)).box_xywh, flush=True)
"""


class Row(NamedTuple):
    """One figure: median of its repeats, the extremes, and what the project promises."""

    what: str
    value: float
    low: float
    high: float
    unit: str
    goal: str


class Child(NamedTuple):
    """A finished process: seconds to its first line, seconds in all, peak memory in MB."""

    first_s: float
    whole_s: float
    peak_mb: float


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="processes of each kind [5]")
    parser.add_argument("--frames", type=int, default=100, help="of the tracked clip [100]")
    parser.add_argument("--no-cold", action="store_true", help="compile nothing anew")
    parser.add_argument("--rounds", type=int, default=9, help="turns of one and two threads [9]")
    parser.add_argument("--csv", type=Path, help="write the figures, as in benchmarks/results/")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = list(measure(Path(folder), options))
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    facts = describe(1)
    table = Table(box=SIMPLE_HEAD)
    for name in ("", "median", "smallest", "largest", "", "goal"):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        table.add_row(row.what, *(f"{v:.3g}" for v in row[1:4]), row.unit, row.goal)
    console = Console(width=110)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)
    if options.csv:
        write_csv(options.csv, rows, facts)


def measure(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows, in the order of the table.

    Raises:
        DataError: A process failed.
    """
    clip = folder / "clip.mp4"
    box = ",".join(f"{value:g}" for value in write_clip(clip, options.frames + 1)[0])
    count, python = options.repeats, [sys.executable, "-c"]

    def times(what: str, command: list[str], goal: str) -> Row:
        _run(command)
        return _row(what, [_run(command).whole_s for _ in range(count)], "s", goal)

    yield times("python, nothing imported", [*python, "pass"], "")
    yield times("import binvision", [*python, "import binvision"], "0.3")
    first = [*python, _FIRST_FRAME, str(clip), box]
    _run(first)
    warm = [_run(first).first_s for _ in range(count)]
    yield _row("start to first tracked frame, caches warm", warm, "s", "1.5")
    track = [sys.executable, "-m", "binvision", "track", str(clip), "--init", box]
    track += ["--results", str(folder / "boxes.csv")]
    if not options.no_cold:
        with tempfile.TemporaryDirectory() as cache:
            cold = _run(track, NUMBA_CACHE_DIR=cache)
            again = _run(track, NUMBA_CACHE_DIR=cache)
        seconds = cold.whole_s - again.whole_s
        yield Row("more for a first run that compiles all", seconds, seconds, seconds, "s", "40")
    peaks = [_run(track).peak_mb for _ in range(count)]
    yield _row(f"peak of binvision track, {options.frames} frames", peaks, "MB", "300")
    yield _threads("two threads over one, batch 1", 1, options.rounds)
    yield _threads("two threads over one, three scales", 3, options.rounds)


def _threads(what: str, batch: int, rounds: int) -> Row:
    """How much faster two threads run the shipped network; the median over the rounds."""
    model = runtime.load(zoo.find("rb-siamfc"))
    size_hw = working_size_hw(model)
    assert size_hw is not None
    images = np.random.default_rng(0).integers(0, 256, (batch, *size_hw, 3), np.uint8)
    runners = [
        runtime.Runner(model, batch=batch, size_hw=size_hw, threads=threads) for threads in (1, 2)
    ]

    def call(runner: runtime.Runner) -> Callable[[], list[np.ndarray]]:
        return lambda: list(runner(images).values())

    truth = [value.copy() for value in runners[0](images).values()]
    pairs = [
        Contestant(f"{threads} threads", call(runner), truth, 0)
        for threads, runner in zip((1, 2), runners, strict=True)
    ]
    ratios = []
    for _ in range(rounds):
        one, two = race(pairs, 1, 2)[0]
        ratios.append(one.seconds / two.seconds)
    return _row(what, ratios, "times", "1.7")


def _row(what: str, values: list[float], unit: str, goal: str) -> Row:
    return Row(what, median(values), min(values), max(values), unit, goal)


def _run(command: list[str], **environment: str) -> Child:
    """Run a process to its end."""
    start = perf_counter()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        first = perf_counter() - start
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        whole = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            raise DataError(f"{' '.join(command[:5])}: failed: {said[-1] if said else 'silently'}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes that ru_maxrss counts in
    return Child(first, whole, usage.ru_maxrss * unit / 1e6)


def write_csv(path: Path, rows: list[Row], facts: dict[str, str]) -> None:
    """Write the rows, with the machine in every one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*Row._fields, *facts])
        writer.writeheader()
        for row in rows:
            shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row._asdict().items()}
            writer.writerow(shown | facts)


if __name__ == "__main__":
    main()
