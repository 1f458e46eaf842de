"""What each tracking backbone costs: packed, one thread, the three search regions of a frame.

    python -m benchmarks.backbones --rounds 20

Weights are random: they change no time. The table shows the whole and the slowest steps, with
binary and real multiply-accumulates, so that one sees which kind of work a backbone spends its
time on. Each network is compared with PyTorch before it is timed.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from binvision import runtime
from binvision.export import export_model
from binvision.export.verify import verify
from binvision.runtime import PackedModel
from binvision.trackers.embedder import TASK
from binvision.trackers.model import SiamFC, SiamFCConfig
from binvision.trackers.settings import SiamFCSettings

_MACS = ("binary_macs", "real_macs")
NETWORKS = {
    "residual": SiamFCConfig({"type": "residual", "method": "rbcn"}, exemplar_crop=7),
    "alexnet": SiamFCConfig(
        {"type": "alexnet", "method": "rbcn"}, exemplar_crop=6, tracker={"search_size": 255}
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Time and print."""
    options = _parse(arguments)
    console = Console(width=120)
    table = Table("backbone", "step", "op", "ms", "binary MMAC", "real MMAC", box=None)
    for name in options.backbones:
        _add_rows(table, name, options.rounds, options.steps)
    console.print(table)
    console.print("  ".join(f"{key} {value}" for key, value in describe(1, "torch").items()))


def pack(name: str) -> PackedModel:
    """Build, pack and check one of `NETWORKS`."""
    network = SiamFC(NETWORKS[name]).eval()
    settings = SiamFCSettings.from_mapping(network.settings(), where=name)
    packed = export_model(
        network.backbone,
        name=name,
        task=TASK,
        settings=asdict(settings),
        provenance={},
        accuracy={},
    )
    verify(network.backbone, packed, (settings.search_size, settings.search_size))
    return packed


def _add_rows(table: Table, name: str, rounds: int, steps: int) -> None:
    packed = pack(name)
    size, count = packed.settings["search_size"], packed.settings["scale_count"]
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    runner = runtime.Runner(packed, batch=count, size_hw=(size, size), threads=1)
    rows = runner.profile(images, rounds)
    total = [sum(getattr(row, key) for row in rows) for key in ("seconds", *_MACS)]
    table.add_row(name, "whole", "", *_figures(*total))
    for row in sorted(rows, key=lambda row: -row.seconds)[:steps]:
        table.add_row("", row.step, row.op, *_figures(row.seconds, row.binary_macs, row.real_macs))


def _figures(seconds: float, binary: float, real: float) -> tuple[str, str, str]:
    return f"{seconds * 1e3:.2f}", f"{binary / 1e6:.0f}", f"{real / 1e6:.0f}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="timed runs of a network [20]")
    parser.add_argument("--steps", type=int, default=4, help="slowest steps shown [4]")
    parser.add_argument(
        "--backbones", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="[all]"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
