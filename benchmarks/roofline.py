"""A picture of the layer sweep: speed against work a byte, under the two roofs of the CPU.

    python -m benchmarks.roofline --csv benchmarks/results/layers.csv --out docs/images/roofline.svg

The slanted roof is main memory (measured, one thread reading), the flat one the popcount ceiling
(measured). Layers above the slanted roof work out of the caches. Needs matplotlib (extra eval).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.layer import FORMS
from binvision.errors import BinvisionError, DataError

_TITLES = {"gemm": "inner kernel", "bits": "bits to bits", "floats": "floats to floats"}
_MARKERS = {1: "o", 3: "s", 5: "^"}


def main(arguments: list[str] | None = None) -> None:
    """Read the figures, draw, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True, help="written by benchmarks.layers")
    parser.add_argument("--out", type=Path, required=True, help="an SVG, PNG or PDF")
    options = parser.parse_args(arguments)
    try:
        draw(read(options.csv), options.out)
    except BinvisionError as error:
        sys.exit(f"error: {error}")


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a sweep.

    Raises:
        DataError: The file is not there, or holds no sweep.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    rows = [row for row in rows if row.get("what") in FORMS and row.get("bytes")]
    if not rows:
        raise DataError(f"{path}: expected rows of benchmarks.layers, found none")
    return rows


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Write the picture, whole or not at all."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "binvision"  # the same figures give the same file
    import matplotlib.pyplot as plt

    figure, plots = plt.subplots(1, len(FORMS), figsize=(12, 4), sharey=True, layout="constrained")
    for form, axes in zip(FORMS, plots, strict=True):
        _draw_form(axes, [row for row in rows if row["what"] == form], _TITLES[form])
    plots[0].set_ylabel("GMAC/s")
    plots[0].legend(loc="lower right", fontsize="small")
    facts = rows[0]
    figure.suptitle(f"{facts['cpu']}, {facts['isa']} kernels, one thread, {facts['date']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format=path.suffix[1:], metadata={"Date": None})
    plt.close(figure)
    os.replace(beside, path)


def _draw_form(axes: Any, rows: list[dict[str, str]], title: str) -> None:
    ceiling, memory = float(rows[0]["ceiling_gmacs"]), float(rows[0]["memory_gbytes"])
    work = [1e6 * float(row["mmac"]) / float(row["bytes"]) for row in rows]
    knee = ceiling / memory
    ends = [min(*work, knee) / 1.5, max(work) * 1.5]
    axes.plot([ends[0], knee, ends[1]], [ends[0] * memory, ceiling, ceiling], "k-", lw=1)
    for kernel, marker in _MARKERS.items():
        chosen = [i for i, row in enumerate(rows) if int(row["kernel"]) == kernel]
        speeds = [float(rows[i]["gmacs"]) for i in chosen]
        channels = [int(rows[i]["in"]) for i in chosen]
        axes.scatter(
            [work[i] for i in chosen],
            speeds,
            [6 + c / 12 for c in channels],
            marker=marker,
            alpha=0.6,
            label=f"{kernel}x{kernel}",
        )
    axes.set(xscale="log", yscale="log", title=title, xlabel="multiply-accumulates a byte")
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
