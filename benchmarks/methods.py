"""Every binarisation method on equal terms: one backbone, one schedule, the same seeds.

    python -m benchmarks.methods train --data cifar10_jpeg.npz --work work_dirs/methods
    python -m benchmarks.methods measure --data cifar10_jpeg.npz --work work_dirs/methods

``train`` leaves a packed model, PyTorch's answers and a record for each method and seed; a run that
was killed goes on, one that is finished is skipped. ``measure`` compares the packed models with
those answers, times them on one thread, writes the rows that ``binvision methods`` shows, and
renders docs/reference/methods.md. The two may be done on different machines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, time

import numpy as np

from benchmarks.method_page import write_page
from binvision import kernels
from binvision.binary.results import Result, read_results, write_results
from binvision.runtime.host import machine

CONFIG = "classification/cifar10"
# The float twin, weights alone, and what the others are mostly compared with: three seeds of these.
COMPARED = (
    "fp", "bnn", "xnor", "bireal", "reactnet", "dsq", "rbcn", "xnorpp", "abc", "binaryconnect",
    "real_to_binary",
)  # fmt: skip
SEEDS = (0, 1, 2)
ANSWERS = 1000  # test pictures on which packed and PyTorch results are compared, evenly spread
TIMED = 200  # pictures
PACKED, RECORD, LOGITS = "packed.safetensors", "run.json", "logits.npy"

Run = tuple[str, int]  # method and seed


def runs(methods: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    """Runs in the order of their importance: each method once before any method twice."""
    ordered = sorted(methods, key=lambda name: name not in COMPARED)
    first = [(name, seeds[0]) for name in ordered]
    return first + [(name, seed) for seed in seeds[1:] for name in ordered if name in COMPARED]


def folder_of(work: Path, run: Run) -> Path:
    """Where a run keeps its files."""
    return work / f"{run[0]}-{run[1]}"


def spread(count: int) -> slice:
    """About ``ANSWERS`` of so many pictures, of all classes: archives are sorted by class."""
    return slice(None, None, max(count // ANSWERS, 1))


def train_all(options: argparse.Namespace, chosen: Sequence[Run]) -> None:
    """Train what is not finished and what no other process has taken, until the time is up."""
    for run in chosen:
        folder = folder_of(options.work, run)
        if (folder / RECORD).is_file():
            continue
        if options.until and time() > options.until:
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(folder / "taken", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        try:
            train_one(options, run, folder)
        except Exception:  # one method must not stop the others
            (folder / "failed.txt").write_text(traceback.format_exc())
            print(f"{run[0]} seed {run[1]} failed", flush=True)
            traceback.print_exc()


def train_one(options: argparse.Namespace, run: Run, folder: Path) -> None:
    """Train, export and let PyTorch answer for the test pictures."""
    import torch

    from binvision import runtime
    from binvision.classifiers.exporting import pack_checkpoint
    from binvision.classifiers.model import load_checkpoint
    from binvision.classifiers.pictures import read_pictures
    from binvision.classifiers.torch_network import TorchNetwork
    from binvision.errors import ExportError
    from binvision.training.run import TrainingRequest, train

    method, seed = run
    begin = perf_counter()
    overrides = {
        "visualizer.vis_backends": "[]",
        "default_hooks.checkpoint.interval": "1000",
        "train_dataloader.batch_size": str(options.batch),
        **dict(pair.split("=", 1) for pair in options.set),
    }
    last = train(
        TrainingRequest(
            CONFIG,
            folder,
            method=method,
            data=options.data,
            seed=seed,
            threads=1,
            iterations=options.iterations,
            resume=any(folder.glob("iter_*.pth")),
            overrides=overrides,
        )  # fmt: skip
    )
    seconds = perf_counter() - begin
    unpacked = ""
    try:
        packed, _, _ = pack_checkpoint(last, name=method, accuracy={})
        runtime.save(folder / PACKED, packed)
    except ExportError as error:
        unpacked = str(error)
    on_gpu = torch.cuda.is_available()
    torch.backends.cudnn.allow_tf32 = False
    network, record = load_checkpoint(last)
    pictures = read_pictures(options.data, "test")
    images, labels = (x[: options.pictures] for x in (pictures.images, pictures.labels))
    logits = TorchNetwork(network.to("cuda" if on_gpu else "cpu")).run(images)
    np.save(folder / LOGITS, logits[spread(len(logits))])
    written = {
        "method": method,
        "seed": seed,
        "accuracy": float((logits.argmax(1) == labels).mean()),
        "pictures": len(labels),
        "iterations": record["iterations"],
        "batch": record["batch"],
        "training_s": round(seconds, 1),
        "trained_on": torch.cuda.get_device_name() if on_gpu else _cpu(),
        "side_by_side": options.processes,
        "unpacked": unpacked,
    }
    (folder / RECORD).write_text(json.dumps(written))
    print(f"{method} seed {seed}: {written['accuracy']:.4f} in {seconds:.0f} s", flush=True)


def train_in_processes(options: argparse.Namespace, arguments: list[str]) -> None:
    """Let several processes share the runs; stop them when the time is up."""
    options.work.mkdir(parents=True, exist_ok=True)
    children = []
    for number in range(options.processes):
        log = (options.work / f"process_{number}.log").open("w")
        command = [sys.executable, "-m", "benchmarks.methods", *arguments, "--worker"]
        if options.until:
            command += ["--until", str(options.until)]
        children.append(subprocess.Popen(command, stderr=log))
    for child in children:
        left = options.until - time() if options.until else None
        try:
            child.wait(None if left is None else max(left, 0.0))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def measure_all(options: argparse.Namespace) -> None:
    """Turn finished runs into rows, beside those that are there already."""
    rows = {(row.method, row.seed): row for row in read_results()}
    for record in sorted(options.work.glob(f"*/{RECORD}")):
        row = measure_one(options.data, record.parent)
        old = rows.get((row.method, row.seed))
        if old is not None and not options.again:
            row = replace(row, milliseconds=old.milliseconds, cpu=old.cpu)
        rows[row.method, row.seed] = row
        print(f"{row.method} {row.seed}: {row.accuracy:.4f}, {row.milliseconds} ms", flush=True)
        write_results(list(rows.values()))


def measure_one(data: Path, folder: Path) -> Result:
    """Compare, count and time the packed model of a run."""
    from binvision import runtime
    from binvision.classifiers.network import PackedNetwork
    from binvision.classifiers.pictures import read_pictures
    from binvision.cli.tables import totals
    from binvision.runtime.account import account, working_size_hw

    record = json.loads((folder / RECORD).read_text())
    if record["unpacked"]:
        return Result(**record)
    network, theirs = PackedNetwork(folder / PACKED), np.load(folder / LOGITS)
    images = read_pictures(data, "test").images[: record["pictures"]][spread(record["pictures"])]
    ours = network.run(images)
    difference = np.sqrt(np.square(ours - theirs).mean(1) / np.square(theirs).mean(1))
    times = []
    for image in images[:TIMED]:
        begin = perf_counter()
        network.run(image[None])
        times.append(perf_counter() - begin)
    model = runtime.load(folder / PACKED)
    cost = totals(model, account(model, working_size_hw(model)))
    names = ("binary_parameters", "real_parameters", "binary_macs", "real_macs", "file_bytes")
    return Result(
        **record,
        agreement=float((ours.argmax(1) == theirs.argmax(1)).mean()),
        difference=float(f"{np.median(difference):.2g}"),
        milliseconds=float(f"{np.median(times) * 1000:.3g}"),
        cpu=_cpu(),
        **{name: cost[name] for name in names},
    )


def _cpu() -> str:
    return f"{machine()['cpu']} ({kernels.isa()})"


def main(arguments: list[str] | None = None) -> None:
    """Train, or measure."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("train", "measure", "page"))
    parser.add_argument("--data", type=Path, help="archive of CIFAR-10")
    parser.add_argument("--work", type=Path, default=Path("work_dirs/methods"))
    parser.add_argument("--methods", help="names, separated by commas; all by default")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--iterations", type=int, default=2930)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=None, help="test pictures; all by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--processes", type=int, default=1, help="trainings side by side")
    parser.add_argument("--limit", type=float, help="seconds after which training stops")
    parser.add_argument("--until", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", action="store_true", help="time rows again that are there")
    options = parser.parse_args(given)
    if options.step == "train":
        from binvision.binary import METHODS

        names = options.methods.split(",") if options.methods else list(METHODS)
        chosen = runs(names, [int(seed) for seed in options.seeds.split(",")])
        if options.limit and not options.until:
            options.until = time() + options.limit
        if options.worker:
            train_all(options, chosen)
            return
        for run in chosen:  # left by processes that were killed
            (folder_of(options.work, run) / "taken").unlink(missing_ok=True)
        if options.processes > 1:
            train_in_processes(options, list(given))
        else:
            train_all(options, chosen)
        return
    if options.step == "measure":
        measure_all(options)
    write_page()


if __name__ == "__main__":
    main()
