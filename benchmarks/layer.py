"""One 1-bit convolution in all the forms in which a network meets it, checked and ready to time.

``gemm``     XOR, count and add over all windows: the inner kernel, no epilogue, nothing stored
``bits``     packed bits to packed bits, as between two binary layers without a residual
``floats``   floats to floats: signs taken and packed, then scale, bias and floats stored

The last two are the runtime's own tasks, out of the plan of a small network around the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from binvision.bench.contest import Contestant, Subject
from binvision.bench.reference import evaluate
from binvision.errors import DataError
from binvision.kernels import layout
from binvision.kernels.jit import kernel
from binvision.kernels.tile import new_tile, place_tile, sum_tile, tile_pixels, tile_stride
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.operations import words_for
from binvision.runtime.plan import make_plan
from binvision.runtime.workers import Workers

__all__ = ["FORMS", "Shape", "chain", "forms"]

FORMS = ("gemm", "bits", "floats")
_TOLERANCE = 1e-5  # sums are exact integers; scale and bias are rounded as everywhere


class Shape(NamedTuple):
    """A square layer; its padding keeps the picture's size where the stride is 1."""

    kernel: int
    side: int
    inputs: int
    outputs: int
    stride: int = 1
    groups: int = 1

    @property
    def out_side(self) -> int:
        """Rows and columns of the output."""
        return (self.side - 1) // self.stride + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those on padding included."""
        window = self.kernel**2 * self.inputs // self.groups
        return self.out_side**2 * window * self.outputs

    def moved(self, form: str) -> int:
        """Bytes that a form must read and write: activations and weights."""
        groups, share = self.groups, self.inputs // self.groups
        bits_in = 8 * self.side**2 * groups * words_for(share)
        weights = 8 * self.kernel**2 * words_for(share) * self.outputs
        pixels = self.out_side**2
        if form == "gemm":
            return bits_in + weights
        if form == "bits":
            return bits_in + weights + 8 * pixels * words_for(self.outputs)
        return 4 * self.side**2 * self.inputs + weights + 4 * pixels * self.outputs

    def __str__(self) -> str:
        text = (
            f"{self.kernel}x{self.kernel} {self.inputs}>{self.outputs} at {self.side}x{self.side}"
        )
        text += f" /{self.stride}" if self.stride > 1 else ""
        return text + (f" in {self.groups} groups" if self.groups > 1 else "")


def forms(shape: Shape) -> list[Contestant]:
    """Make the three forms of a layer ready.

    Raises:
        DataError: One of them computes something else than the layer.
    """
    return [
        Contestant("gemm", _gemm(shape), [], 0),
        Contestant("bits", _tasks(shape, _reader(shape), ("binary_conv",)), [], 0),
        Contestant("floats", _tasks(shape, [], ("pack", "binary_conv")), [], 0),
    ]


def chain(shape: Shape, depth: int) -> Subject:
    """``depth`` such layers after one another, from floats to floats, for other engines."""
    rng = np.random.default_rng(1)
    steps, tensors = [], {}
    for index in range(depth):
        before = f"layer{index - 1}" if index else "values"
        step, arrays = _binary(rng, shape, f"layer{index}", before)
        steps.append(step)
        tensors |= arrays
    model = _model(steps, tensors, "values", shape.inputs)
    pictures = rng.normal(size=(1, shape.side, shape.side, shape.inputs)).astype(np.float32)
    return Subject.of(model, pictures)


# The inner kernel


@kernel
def _sum_windows(acts, taps, weights, places, tables, rows, channels, vector, add_up):  # type: ignore[no-untyped-def]
    """Sum all windows, tile by tile; return the sum of all sums if it is asked for."""
    pixels, stride = tile_pixels(channels), tile_stride(channels, weights.itemsize)
    tile = new_tile(pixels * stride, np.zeros(1, np.int32))
    windows, classes, words = (
        np.empty(pixels, np.int64),
        np.empty(pixels, np.int64),
        np.empty(pixels, np.int64),
    )
    row_class, column_class, unused = tables
    total = 0
    for first in range(0, rows * places[1], pixels):
        count = min(pixels, rows * places[1] - first)
        place_tile(windows, classes, words, first, count, places, row_class, column_class, unused)
        sum_tile(acts, windows, count, taps, weights, tile, stride, channels, vector)
        if add_up:
            for i in range(count):
                for o in range(channels):
                    total += tile[i * stride + o]
    return total


def _gemm(shape: Shape) -> Callable[[], list[np.ndarray]]:
    rng = np.random.default_rng(2)
    share, pad, out = shape.inputs // shape.groups, shape.kernel // 2, shape.out_side
    words = words_for(share)
    picture = layout.Picture(shape.side, shape.side, words * shape.groups, (pad, pad))
    pairs = ((shape.stride,) * 2, (pad, pad), (1, 1))
    window = layout.Window((shape.kernel,) * 2, *pairs, shape.groups)
    acts = layout.aligned_copy(rng.integers(0, 2**63, picture.size, np.uint64))
    bits = rng.integers(0, 2**63, (*window.size, words, shape.outputs), np.uint64)
    taps, weights = layout.bit_weights(bits, picture, window)
    places = layout.window_places(picture, window, (out, out))
    tables = (np.zeros(out, np.int64), np.zeros(out, np.int64), np.zeros(6, np.int64))
    given = (acts, taps, weights, places, tables, out, shape.outputs, True)
    found, expected = _sum_windows(*given, True), _count_differences(acts, bits, picture, shape)
    if found != expected:
        raise DataError(f"{shape}: {found} different bits counted, expected {expected}")

    def run() -> list[np.ndarray]:
        _sum_windows(*given, False)
        return []

    return run


def _count_differences(
    acts: np.ndarray, bits: np.ndarray, picture: layout.Picture, shape: Shape
) -> int:
    """Bits in which windows and weights differ, over all windows, in NumPy.

    For each bit of the weights: how many windows have a one there decides how many differ.
    """
    pad, words = shape.kernel // 2, bits.shape[2]
    stored = acts.reshape(picture.height + 2 * pad, picture.width + 2 * pad, -1)
    total, out = 0, shape.out_side
    for i, j in np.ndindex(shape.kernel, shape.kernel):
        last = [place + shape.stride * (out - 1) + 1 for place in (i, j)]
        seen = stored[i : last[0] : shape.stride, j : last[1] : shape.stride]
        ones = _bits(seen).sum(axis=(0, 1)).reshape(shape.groups, words * 64)
        weight = _bits(bits[i, j].T).reshape(shape.groups, -1, words * 64)
        total += int(np.where(weight, out * out - ones[:, None], ones[:, None]).sum())
    return total


def _bits(words: np.ndarray) -> np.ndarray:
    """Return (..., 64 * words) booleans of (..., words) words."""
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little").astype(bool)


# The runtime's tasks


def _tasks(
    shape: Shape, readers: list[tuple[Step, dict[str, np.ndarray]]], ops: tuple[str, ...]
) -> Callable[[], list[np.ndarray]]:
    """Plan the layer behind a stem that gives it floats, and before its ``readers``."""
    rng = np.random.default_rng(3)
    layer, tensors = _binary(rng, shape, "layer", "values")
    pool = {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "ceil": False}
    stem, arrays = _stem(rng, shape.inputs)
    steps = [stem, Step("max_pool", "values", ("stem",), "values", pool), layer]
    for step, more in readers:
        steps.append(step)
        tensors |= more
    model = _model(steps, tensors | arrays, "image", 3)
    plan = make_plan(model, 1, (shape.side, shape.side))
    plan.image[:] = rng.integers(0, 256, plan.image.shape, np.uint8)
    for task in plan.tasks:
        task.run(0, task.rows)
    (name,) = model.outputs
    truth = evaluate(model, plan.image)[name]
    error = np.abs(plan.outputs[name] - truth).max() / np.abs(truth).max()
    if not error <= _TOLERANCE:
        raise DataError(f"{shape}: its output is wrong by {error:.2g} of its largest value")
    timed = [(task, part) for task in plan.tasks for part in task.parts if part.step == "layer"]
    found = [part.op for _, part in timed]
    if found != ["pack", "binary_conv"]:
        raise DataError(f"{shape}: planned as {found}, expected to pack and to convolve")
    workers = Workers(
        [replace(task, parts=(part,)) for task, part in timed if part.op in ops], threads=1
    )

    def run() -> list[np.ndarray]:
        workers.run()
        return []

    return run


def _reader(shape: Shape) -> list[tuple[Step, dict[str, np.ndarray]]]:
    """A binary layer that reads the signs of the timed one, so that it stores bits alone."""
    rng = np.random.default_rng(4)
    return [_binary(rng, Shape(1, shape.out_side, shape.outputs, 64), "reader", "layer")]


def _stem(rng: np.random.Generator, outputs: int) -> tuple[Step, dict[str, np.ndarray]]:
    tensors = {
        "stem.weight": rng.integers(-127, 128, (1, 1, 3, outputs)).astype(np.int8),
        "stem.scale": np.full(outputs, 1e-3, np.float32),
        "stem.bias": np.zeros(outputs, np.float32),
    }
    attrs = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, "offset": 127.5}
    return Step("conv", "stem", ("image",), "stem", attrs, _roles(tensors)), tensors


def _binary(
    rng: np.random.Generator, shape: Shape, name: str, reads: str
) -> tuple[Step, dict[str, np.ndarray]]:
    share, pad = shape.inputs // shape.groups, shape.kernel // 2
    words = words_for(share)
    bits = rng.integers(0, 2**64, (shape.kernel,) * 2 + (words, shape.outputs), np.uint64)
    if share % 64:
        bits[:, :, -1] &= np.uint64(2 ** (share % 64) - 1)
    scale = rng.uniform(0.5, 1.5, shape.outputs) / np.sqrt(shape.kernel**2 * share)
    tensors = {
        f"{name}.bits": bits,
        f"{name}.threshold": np.zeros(shape.inputs, np.float32),
        f"{name}.scale": scale.astype(np.float32),
        f"{name}.bias": rng.normal(size=shape.outputs).astype(np.float32) / 8,
    }
    attrs = {
        "stride": (shape.stride,) * 2,
        "padding": (pad, pad),
        "dilation": (1, 1),
        "groups": shape.groups,
        "in_channels": shape.inputs,
    }
    return Step("binary_conv", name, (reads,), name, attrs, _roles(tensors)), tensors


def _roles(tensors: dict[str, np.ndarray]) -> dict[str, str]:
    return {name.rpartition(".")[2]: name for name in tensors}


def _model(
    steps: list[Step], tensors: dict[str, np.ndarray], image: str, channels: int
) -> PackedModel:
    return PackedModel(
        name="layer",
        task="benchmark",
        input={"name": image, "channels": channels, "dtype": "uint8", "order": "bgr"},
        steps=tuple(steps),
        outputs=(steps[-1].output,),
        settings={},
        provenance={},
        accuracy={},
        tensors=tensors,
    )
