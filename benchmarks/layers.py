"""Speed of 1-bit convolutions over a sweep of shapes, and beside other engines for a few.

    python -m benchmarks.layers --csv benchmarks/results/layers.csv
    python -m benchmarks.layers --engines --csv benchmarks/results/engines.csv
    python -m benchmarks.layers --engines --avx2 --csv benchmarks/results/engines_avx2.csv

One thread, batch 1, medians of turns in one process. A figure is GMAC/s, one multiply-accumulate
a weight and output pixel, padding counted. ``benchmarks/layer.py`` says what is timed; all of it
is checked first.

``--engines`` times the same layer in PyTorch, ONNX Runtime, OpenVINO and LiteRT, from float32 to
float32, and again deep inside a chain of such layers (the time of five less that of one, by
four), where int8 stays int8 and bits stay bits. ``--avx2`` does so in a process of its own in
which numba, oneDNN (so PyTorch and OpenVINO) may use AVX2 at most; ONNX Runtime and LiteRT have
no such switch and run with all that the CPU has.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.layer import FORMS, Shape, chain, forms
from benchmarks.machine import describe
from binvision.bench.ceiling import memory_bandwidth, popcount_ceiling
from binvision.bench.contest import ENGINES, Absent, Contestant, contestants, race
from binvision.errors import BinvisionError, UsageError

_DEPTH = 5
_MOST_MACS = 2.5e9
_LINEAR_FROM = 10e6
_LINEAR_WITHIN = 0.2

SWEEP = tuple(
    shape
    for kernel in (1, 3, 5)
    for channels in (32, 64, 128, 256, 512)
    for side in (7, 14, 28, 56, 112)
    if (shape := Shape(kernel, side, channels, channels)).macs <= _MOST_MACS
) + tuple(
    Shape(3, side, channels, 2 * channels if stride == 2 else channels, stride, groups)
    for side, channels in ((56, 64), (28, 128), (14, 256))
    for stride, groups in ((2, 1), (1, 2), (1, 4))
)
ENGINE_SHAPES = (
    Shape(3, 56, 64, 64),
    Shape(3, 28, 128, 128),
    Shape(3, 28, 256, 256),
    Shape(3, 14, 512, 512),
    Shape(1, 28, 256, 256),
)
SMOKE = (Shape(3, 6, 64, 32), Shape(1, 5, 70, 70), Shape(3, 7, 64, 64, 2, 2))
SMOKE_ENGINES = (Shape(3, 6, 64, 64),)

# Haswell: the first with AVX2, and without VNNI
AVX2_ENVIRONMENT = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse2,+sse4.2,+ssse3,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}

Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    options = _parse(arguments)
    if options.avx2 and os.environ.get("ONEDNN_MAX_CPU_ISA") != "AVX2":
        given = sys.argv[1:] if arguments is None else arguments
        command = [sys.executable, "-m", "benchmarks.layers", *given]
        sys.exit(subprocess.run(command, env=os.environ | AVX2_ENVIRONMENT).returncode)
    try:
        rows = _measure(options)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    facts = describe(1, "torch", "onnxruntime", "openvino", "ai-edge-litert")
    console = Console(width=120)
    console.print(engine_table(rows) if options.engines else sweep_table(rows))
    if not options.engines:
        for line in growth(rows):
            console.print(line, highlight=False)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)
    if options.csv:
        write_csv(options.csv, rows, facts)


def _measure(options: argparse.Namespace) -> list[Row]:
    before = popcount_ceiling()
    if options.engines:
        shapes = SMOKE_ENGINES if options.smoke else ENGINE_SHAPES
        timed = [row for shape in shapes for row in against(shape, options.against, options)]
    else:
        shapes = SMOKE if options.smoke else SWEEP
        timed = [row for shape in shapes for row in sweep(shape, options)]
    ceiling, bandwidth = max(before, popcount_ceiling()), memory_bandwidth()
    roofs = {"ceiling_gmacs": ceiling / 1e9, "memory_gbytes": bandwidth / 1e9}
    return [row | {"ceiling": 1e9 * row["gmacs"] / ceiling} | roofs for row in timed]


def sweep(shape: Shape, options: argparse.Namespace) -> list[Row]:
    """Rows of one shape: its three forms."""
    figures, wrong = race(forms(shape), options.rounds, 1, options.turn)
    if wrong:
        raise UsageError(f"{shape}: {wrong[0].name}: {wrong[0].reason}")
    return [_row(shape, figure.name, "alone", figure.seconds) for figure in figures]


def against(shape: Shape, engines: Sequence[str], options: argparse.Namespace) -> list[Row]:
    """Rows of one shape: its three forms, and the engines alone and inside a chain.

    Raises:
        UsageError: An engine is absent or computes something else.
    """
    ready = forms(shape)
    for depth in (1, _DEPTH):
        for one in contestants(chain(shape, depth), engines, threads=1):
            if isinstance(one, Absent):
                raise UsageError(f"{one.name}: {one.reason}")
            ready.append(Contestant(f"{one.name}*{depth}", one.run, one.truth, one.tolerance))
    figures, wrong = race(ready, options.rounds, 1, options.turn)
    if wrong:
        raise UsageError(f"{shape}: {wrong[0].name}: {wrong[0].reason}")
    seconds = {figure.name: figure.seconds for figure in figures}
    rows = [_row(shape, name, "alone", seconds[name]) for name in FORMS]
    for name in dict.fromkeys(name.partition("*")[0] for name in list(seconds)[len(FORMS) :]):
        alone, deep = seconds[f"{name}*1"], seconds[f"{name}*{_DEPTH}"]
        rows.append(_row(shape, name, "alone", alone))
        rows.append(_row(shape, name, "in a chain", (deep - alone) / (_DEPTH - 1)))
    return rows


def growth(rows: list[Row]) -> list[str]:
    """How far times are from proportional to MACs, within each kind of layer.

    A kind has one window, one number of channels; its members differ in the size of the picture.
    """
    lines = []
    for form in FORMS:
        kinds: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            if row["what"] == form and row["mmac"] * 1e6 >= _LINEAR_FROM:
                key = tuple(row[name] for name in ("kernel", "in", "out", "stride", "groups"))
                kinds.setdefault(key, []).append(row)
        off = {
            str(row["layer"]): row["gmacs"] / middle - 1
            for members in kinds.values()
            for middle in [float(np.median([row["gmacs"] for row in members]))]
            for row in members
            if abs(row["gmacs"] / middle - 1) > _LINEAR_WITHIN
        }
        found = [row for members in kinds.values() for row in members]
        if len(found) < 3:
            continue
        macs, times = (np.log([row[key] for row in found]) for key in ("mmac", "ms"))
        slope = np.polyfit(macs, times, 1)[0]
        outside = ", ".join(f"{layer} {100 * share:+.0f} %" for layer, share in off.items())
        lines.append(
            f"{form}: time grows with MACs to the power of {slope:.2f} above "
            f"{_LINEAR_FROM / 1e6:.0f} MMAC; of {len(found)} layers, {len(off)} are more than "
            f"{100 * _LINEAR_WITHIN:.0f} % off the rate of their kind{': ' if off else ''}{outside}"
        )
    return lines


def sweep_table(rows: list[Row]) -> Table:
    """A line for each shape."""
    table = Table(box=SIMPLE_HEAD, title="1-bit convolution, GMAC/s (share of the ceiling)")
    table.add_column("layer", no_wrap=True)
    table.add_column("MMAC", justify="right")
    for form in FORMS:
        table.add_column(form, justify="right", no_wrap=True)
    for layer in dict.fromkeys(row["layer"] for row in rows):
        mine = {row["what"]: row for row in rows if row["layer"] == layer}
        cells = [f"{mine[f]['gmacs']:.0f} ({100 * mine[f]['ceiling']:.0f} %)" for f in FORMS]
        table.add_row(str(layer), f"{mine['gemm']['mmac']:.1f}", *cells)
    return table


def engine_table(rows: list[Row]) -> Table:
    """A line for each contestant, with the ratios to both of our forms."""
    table = Table(box=SIMPLE_HEAD, title="One layer, one thread: ms, GMAC/s, times ours")
    table.add_column("layer", no_wrap=True)
    table.add_column("what", no_wrap=True)
    for header in ("place", "ms", "GMAC/s", "of ceiling", "/ floats", "/ bits", "/ gemm"):
        table.add_column(header, justify="right", no_wrap=True)
    for layer in dict.fromkeys(row["layer"] for row in rows):
        mine = [row for row in rows if row["layer"] == layer]
        ours = {row["what"]: row["ms"] for row in mine if row["what"] in FORMS}
        for index, row in enumerate(mine):
            ratios = [f"{row['ms'] / ours[form]:.1f}" for form in ("floats", "bits", "gemm")]
            table.add_row(
                str(layer) if index == 0 else "",
                str(row["what"]),
                str(row["place"]),
                f"{row['ms']:.3f}",
                f"{row['gmacs']:.0f}",
                f"{100 * row['ceiling']:.0f} %",
                *ratios,
            )
    return table


def write_csv(path: Path, rows: list[Row], facts: dict[str, str]) -> None:
    """Write the rows, with the machine in every one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        for row in rows:
            shown = {key: f"{v:.5g}" if isinstance(v, float) else v for key, v in row.items()}
            writer.writerow(shown | facts)


def _row(shape: Shape, what: str, place: str, seconds: float) -> Row:
    return {
        "layer": str(shape),
        "kernel": shape.kernel,
        "side": shape.side,
        "in": shape.inputs,
        "out": shape.outputs,
        "stride": shape.stride,
        "groups": shape.groups,
        "mmac": shape.macs / 1e6,
        "bytes": shape.moved(what) if what in FORMS else "",
        "what": what,
        "place": place,
        "ms": 1e3 * seconds,
        "gmacs": shape.macs / seconds / 1e9,
    }


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", action="store_true", help="a few shapes beside other engines")
    parser.add_argument(
        "--against", nargs="+", choices=ENGINES, default=list(ENGINES), help="which of them [all]"
    )
    parser.add_argument("--avx2", action="store_true", help="AVX2 at most, where there is a switch")
    parser.add_argument("--rounds", type=int, default=7, help="turns; the median is shown [7]")
    parser.add_argument("--turn", type=float, default=0.02, help="seconds of a turn [0.02]")
    parser.add_argument("--smoke", action="store_true", help="tiny layers, to see that it runs")
    parser.add_argument("--csv", type=Path, help="write every figure, as in benchmarks/results/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
