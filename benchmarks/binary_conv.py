"""Speed of one 1-bit convolution on one thread, beside PyTorch's float32 convolution.

    python -m benchmarks.binary_conv --csv benchmarks/results/binary_conv.csv

For each layer shape (3x3, padding 1, batch 1): the XNOR kernel from bits to floats with its
epilogue, the packing of its float input, and, where PyTorch is installed, ``conv2d`` in float32,
channels_last. All run in turns in one process; shown is the median of the rounds. A figure is
GMAC/s, one multiply-accumulate a weight and output pixel, padding counted.

The result is checked before anything is timed: with scale 1 the kernel must give exactly the sum
of products of signs, which PyTorch's float32 convolution (or NumPy) also gives exactly.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from binvision import kernels
from binvision.errors import BinvisionError, DataError
from binvision.kernels import layout

KERNEL, PADDING = 3, 1


class Shape(NamedTuple):
    """Side of the square picture, input and output channels."""

    side: int
    inputs: int
    outputs: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer."""
        return self.side**2 * KERNEL**2 * self.inputs * self.outputs

    def __str__(self) -> str:
        return f"{self.side}x{self.side} {self.inputs}>{self.outputs}"


SHAPES = (
    Shape(58, 64, 64),
    Shape(29, 64, 128),
    Shape(30, 128, 128),
    Shape(28, 256, 256),
    Shape(14, 512, 512),
)
SMOKE = (Shape(6, 64, 32), Shape(5, 70, 20))


class Layer:
    """A random 1-bit layer in the kernels' layout.

    Args:
        shape: Its sizes.
        seed: Seed of its numbers.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        side, inputs, outputs = shape
        self.x = rng.choice(np.float32([-1, 1]), (side, side, inputs))
        self.weight = rng.choice(np.float32([-1, 1]), (KERNEL, KERNEL, inputs, outputs))
        words = -(-inputs // 64)
        picture = layout.Picture(side, side, words, (PADDING, PADDING))
        window = layout.Window((KERNEL, KERNEL), (1, 1), (PADDING, PADDING), (1, 1), 1)
        bits = _pack(self.weight)
        places = [side, 1, picture.first, picture.size, picture.row, words]
        self._values, self._side = layout.aligned_copy(self.x.reshape(-1)), side
        self._acts = layout.aligned_zeros(picture.size, "uint64")
        self._packing = (self._acts, np.zeros(inputs, np.float32), np.array(places, np.int64))
        self._taps, self._weights = layout.bit_weights(bits, picture, window)
        self._places = layout.window_places(picture, window, (side, side))
        self._sums = layout.bit_sums(bits, inputs, window, (side, side), (side, side))
        ones, none = layout.aligned_copy(np.ones(outputs, np.float32)), np.zeros(0, np.float32)
        zeros = layout.aligned_zeros(outputs, "float32")
        self.out = layout.aligned_zeros(side * side * outputs, "float32")
        self._epilogue = (ones, zeros, ones, zeros, zeros, 0, self.out)
        self._no_packing = (np.zeros(0, np.uint64), none, np.zeros(6, np.int64))

    def pack(self) -> None:
        """Turn the float input into bits."""
        kernels.pack_signs(self._values, self._side, self._packing, 0, self._side, True)

    def convolve(self) -> None:
        """Turn the bits into the float output."""
        kernels.convolve(
            self._acts, self._taps, self._weights, self._places, self._sums, self._epilogue,
            self._no_packing, 0, self._side, True,
        )  # fmt: skip


def _pack(weight: np.ndarray) -> np.ndarray:
    """Pack signs (KH, KW, C, O) to uint64 (KH, KW, words, O)."""
    channels = weight.shape[2]
    bits = np.zeros((*weight.shape[:2], -(-channels // 64) * 64, weight.shape[3]), np.uint8)
    bits[:, :, :channels] = weight > 0
    packed = np.packbits(bits.transpose(0, 1, 3, 2), axis=-1, bitorder="little")
    return np.ascontiguousarray(packed.view("<u8").transpose(0, 1, 3, 2))


def torch_convolution(layer: Layer) -> Callable[[], np.ndarray] | None:
    """Return the same layer in PyTorch on one thread, giving (H, W, C); None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    order = torch.channels_last
    x = torch.from_numpy(layer.x[None]).permute(0, 3, 1, 2).contiguous(memory_format=order)
    weight = torch.from_numpy(layer.weight).permute(3, 2, 0, 1).contiguous(memory_format=order)

    def run() -> np.ndarray:
        with torch.inference_mode():
            y = torch.nn.functional.conv2d(x, weight, padding=PADDING)
        return y[0].permute(1, 2, 0).numpy()

    return run


def check(shape: Shape, layer: Layer) -> None:
    """Compare the kernel with sums of products of signs.

    Raises:
        DataError: They differ.
    """
    layer.pack()
    layer.convolve()
    padded = np.pad(layer.x, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)))
    truth = np.zeros((shape.side, shape.side, shape.outputs), np.float32)
    for i, j in np.ndindex(KERNEL, KERNEL):
        truth += padded[i : i + shape.side, j : j + shape.side] @ layer.weight[i, j]
    wrong = int((layer.out.reshape(truth.shape) != truth).sum())
    if wrong:
        raise DataError(f"{shape}: {wrong} of {truth.size} outputs are not the sum of signs")


def measure(shape: Shape, rounds: int, repeats: int) -> dict[str, float]:
    """Return milliseconds of each contestant on one shape, after checking the result.

    Raises:
        DataError: The kernel's result is wrong.
    """
    layer = Layer(shape)
    check(shape, layer)
    contestants: dict[str, Callable[[], object]] = {"xnor": layer.convolve, "pack": layer.pack}
    rival = torch_convolution(layer)
    if rival is not None:
        contestants["torch_fp32"] = rival
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            start = perf_counter()
            for _ in range(repeats):
                run()
            times[name].append((perf_counter() - start) / repeats * 1e3)
    return {name: median(series[1:]) for name, series in times.items()}


def show(rows: list[dict[str, object]], facts: dict[str, str]) -> None:
    """Print the table of GMAC/s with what it was measured on."""
    console = Console(width=100)
    table = Table(box=SIMPLE_HEAD, title="3x3 convolution, GMAC/s", title_justify="left")
    columns = ("layer", "MMAC", "xnor", "with packing", "torch fp32", "ratio")
    for name in columns:
        table.add_column(name, justify="left" if name == "layer" else "right")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _row(shape: Shape, times: dict[str, float]) -> dict[str, object]:
    speed = {name: shape.macs / ms / 1e6 for name, ms in times.items()}
    rival = speed.get("torch_fp32")
    return {
        "layer": str(shape),
        "MMAC": shape.macs / 1e6,
        "xnor": speed["xnor"],
        "with packing": shape.macs / (times["xnor"] + times["pack"]) / 1e6,
        "torch fp32": rival if rival is not None else "absent",
        "ratio": speed["xnor"] / rival if rival is not None else "",
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns; the median is shown")
    parser.add_argument("--repeats", type=int, default=20, help="runs in a turn")
    parser.add_argument("--smoke", action="store_true", help="two tiny layers, to see that it runs")
    parser.add_argument("--csv", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    try:
        rows = [
            _row(shape, measure(shape, options.rounds, options.repeats))
            for shape in (SMOKE if options.smoke else SHAPES)
        ]
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    facts = describe(1, "torch")
    show(rows, facts)
    if options.csv:
        _write(options.csv, rows, facts)


def _write(path: Path, rows: list[dict[str, object]], facts: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        writer.writerows(
            {name: _cell(value) for name, value in row.items()} | facts for row in rows
        )


if __name__ == "__main__":
    main()
