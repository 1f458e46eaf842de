"""Kill an evaluation with SIGKILL again and again: is anything lost, doubled or different?

    python -m benchmarks.killed_evaluation --sequences 100 --kills 10

Renders short sequences, evaluates them once undisturbed, and once with a kill in each of so many
rounds: while the program starts, in the middle of the work, or while it writes. Processes of
``--jobs`` are left to notice by themselves that the one that led them is gone. After each round
every result that was finished must still be there, untouched; at the end result files must be those
of the undisturbed evaluation, byte for byte but for the times in them, and so must the report.
On 2026-11-24 (AMD EPYC, 2 cores) neither MIL nor rb-siamfc, 100 sequences and 10 kills each, lost
or changed anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

SIZE_HW, SIDE = (48, 64), 14

# The longest that the program takes from its start to its first result, on a busy machine.
START_LIMIT_S = 120.0


@dataclass(frozen=True)
class Round:
    """One evaluation that was killed.

    Attributes:
        seconds: How long it lived.
        finished: Results that were there after it.
        new: Those of them that it added.
    """

    seconds: float
    finished: int
    new: int


def main(arguments: list[str] | None = None) -> None:
    """Render, evaluate, kill and compare; exits with 1 where anything is wrong."""
    options = _parse(arguments)
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(prefix="killed-evaluation-") as name:
        folder = Path(name)
        for index in range(options.sequences):
            render_sequence(folder / "data" / f"s{index:03d}", options.frames, rng)
        tracker = ["--model", options.model] if options.model else ["--rival", "mil"]
        command = [sys.executable, "-m", "binvision", "eval", "folder", "--root", "data",
                   *tracker, "--jobs", str(options.jobs), "--json", "--out"]  # fmt: skip
        finish([*command, "undisturbed"], folder)
        rounds, faults = [], []
        for kill in range(options.kills):
            limit = options.sequences * (kill + 1) // (options.kills + 1)
            done, wrong = run_and_kill([*command, "killed"], folder, limit, rng)
            rounds.append(done)
            faults += wrong
        before = snapshot(folder / "killed")
        finish([*command, "killed"], folder)
        faults += lost_or_touched(before, snapshot(folder / "killed"))
        faults += differences(folder / "undisturbed", folder / "killed")
    report(rounds, options, faults)
    if faults:
        sys.exit(1)


def render_sequence(folder: Path, frames: int, rng: np.random.Generator) -> None:
    """A patch of noise that moves over another noise, with its boxes."""
    folder.mkdir(parents=True)
    background = rng.integers(0, 255, (*SIZE_HW, 3), np.uint8)
    patch = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    start, step = rng.integers(4, 16, 2), rng.integers(1, 3, 2)
    lines = []
    for index in range(frames):
        x, y = np.minimum(start + step * index, (SIZE_HW[1] - SIDE, SIZE_HW[0] - SIDE))
        picture = background.copy()
        picture[y : y + SIDE, x : x + SIDE] = patch
        cv2.imwrite(str(folder / f"{index + 1:04d}.jpg"), picture)
        lines.append(f"{x},{y},{SIDE},{SIDE}\n")
    (folder / "groundtruth.txt").write_text("".join(lines))


def finish(command: list[str], folder: Path) -> None:
    """Evaluate without disturbance."""
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: the evaluation failed with {done.returncode}: {done.stderr.strip()}")


def run_and_kill(
    command: list[str], folder: Path, limit: int, rng: np.random.Generator
) -> tuple[Round, list[str]]:
    """Evaluate until some more results are there, at most ``limit`` in all, and kill.

    Returns:
        What it came to, and what happened to earlier results that should not have.
    """
    before = snapshot(folder / "killed")
    wanted = int(rng.integers(len(before), max(limit, len(before)) + 1))
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if wanted == len(before):  # while it starts
        time.sleep(float(rng.uniform(0, 1.5)))
    else:
        while _count(folder / "killed") < wanted and time.monotonic() - began < START_LIMIT_S:
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.05)))
    process.kill()
    _, errors = process.communicate()
    after = snapshot(folder / "killed")
    wrong = lost_or_touched(before, after)
    if process.returncode != -9:
        wrong.append(f"it ended by itself with {process.returncode}: {errors.decode().strip()}")
    return Round(time.monotonic() - began, len(after), len(after) - len(before)), wrong


def snapshot(out: Path) -> dict[str, tuple[int, int, bytes]]:
    """Box files of finished sequences: name -> inode, time of writing, content."""
    found = {}
    for path in sorted(out.glob("results/*/*/*/*_001.txt")):
        status = path.stat()
        found[path.name] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


def lost_or_touched(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Finished results that are gone, or were written again."""
    lost = [f"{name} is lost" for name in before if name not in after]
    return lost + [
        f"{name} was written again"
        for name in before
        if name in after and before[name] != after[name]
    ]


def differences(undisturbed: Path, killed: Path) -> list[str]:
    """Files and figures of two evaluations that differ, times apart."""
    files, others = ({_name(p, out): p for p in _files(out)} for out in (undisturbed, killed))
    found = [f"{name} is only in one of the two" for name in sorted(files.keys() ^ others.keys())]
    for name in sorted(files.keys() & others.keys()):
        if name.endswith("_001.txt") and files[name].read_bytes() != others[name].read_bytes():
            found.append(f"{name} differs")
    reports = [_without_times(out / "folder" / "report.json") for out in (undisturbed, killed)]
    return found + (["report.json differs"] if reports[0] != reports[1] else [])


def report(rounds: list[Round], options: argparse.Namespace, faults: list[str]) -> None:
    """Print the rounds and the verdict."""
    table = Table(box=SIMPLE_HEAD, title=f"{options.sequences} sequences, {options.jobs} jobs")
    for name in ("kill", "after s", "new results", "finished"):
        table.add_column(name, justify="right")
    for index, done in enumerate(rounds, 1):
        table.add_row(str(index), f"{done.seconds:.2f}", str(done.new), str(done.finished))
    Console(width=100).print(table)
    for fault in faults:
        print(f"wrong: {fault}")
    if not faults:
        print(
            f"killed {len(rounds)} times: {options.sequences} results, none lost, none written "
            f"twice, files and report as undisturbed"
        )


def _count(out: Path) -> int:
    return len(list(out.glob("results/*/*/*/*_001.txt")))


def _files(out: Path) -> list[Path]:
    """All but plots, hidden files included: a half-written one would be one too many."""
    return [
        path for path in out.rglob("*") if path.is_file() and path.suffix not in (".png", ".svg")
    ]


def _name(path: Path, out: Path) -> str:
    return path.relative_to(out).as_posix()


def _without_times(path: Path) -> Any:
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["date"]
    for tracker in document["trackers"]:
        del tracker["fps"]
        for sequence in tracker["sequences"].values():
            del sequence["seconds"]
    return document


def _environment() -> dict[str, str]:
    """The evaluation runs in another folder, and still in this checkout."""
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sequences", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--frames", type=int, default=5, help="of each (default 5)")
    parser.add_argument("--kills", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--model", help="what tracks (default: OpenCV's MIL)")
    parser.add_argument("--seed", type=int, default=0, help="of pictures and kills (default 0)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
