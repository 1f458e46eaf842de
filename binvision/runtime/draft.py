"""A plan while it is being made: shapes, memory, and the tasks so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from binvision import kernels
from binvision.errors import ModelError
from binvision.kernels import layout
from binvision.kernels.layout import aligned_copy, aligned_zeros
from binvision.kernels.program import Call
from binvision.runtime.buffers import BufferPool, memory_bytes
from binvision.runtime.fusion import Packing, fuse
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes

__all__ = ["BitPicture", "Draft", "Floats", "Part", "Task"]

# The kernels for 8-bit pixels read four bytes at a time, up to three beyond the last.
_SLACK = 64
# Of what a chunk of a task writes: well inside the second-level cache of a small CPU.
_CHUNK_BYTES = 128 * 1024


class Part(NamedTuple):
    """What a task does for one step.

    Attributes:
        step: Name of the step.
        op: Its operation; ``pack``, ``pad`` and ``round`` where its input is prepared.
        calls: Kernel calls.
    """

    step: str
    op: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Task:
    """Kernel calls on the same rows, divisible by these.

    A step joins the task before it where it reads no other rows than those that it writes.

    Attributes:
        parts: What is done to each row, in order; different rows may be worked on at the same time.
        rows: Number of rows, over the whole batch.
        grain: Rows whose values stay in cache from one call to the next.
    """

    parts: tuple[Part, ...]
    rows: int
    grain: int

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls of all parts."""
        return tuple(call for part in self.parts for call in part.calls)

    def run(self, start: int, stop: int) -> None:
        """Do rows ``start .. stop`` from Python, call by call."""
        for call in self.calls:
            call(start, stop)


class Floats(NamedTuple):
    """Memory of a value: flat NHWC from its first channel on, and from one pixel to the next."""

    memory: np.ndarray
    stride: int


@dataclass
class BitPicture:
    """Signs that one binary convolution reads, with a border for its padding.

    The planes, one for each row of thresholds, lie one after another in each pixel.
    """

    picture: layout.Picture
    packings: list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # by plane, as pack_signs takes it

    @property
    def words(self) -> np.ndarray:
        """The picture, flat."""
        return self.packings[0][0]

    def packings_of(
        self, first: int, channels: int
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return the packings of some channels, which begin with a word."""
        if channels == len(self.packings[0][1]):
            return self.packings
        found = []
        for bits, threshold, places in self.packings:
            moved = places.copy()
            moved[2] += first // 64
            found.append((bits, aligned_copy(threshold[first : first + channels]), moved))
        return found


@dataclass
class Draft:
    """What the planning of one step needs of all others.

    Attributes:
        model: A checked model.
        batch: Number of images that run together.
        size_hw: Height and width of the images.
        vector: Use the vector kernels.
        tasks: Kernel calls so far, in order.
        floats: Value name to its memory, for values whose floats are stored.
        bytes: Memory so far of what is not shared.
        shapes: Value name to (height, width, channels).
        fusion: What steps do for each other.
        bits: Number of a binary convolution to the signs that it reads.
        exemplars: Exemplar to what writes it, float32 (h, w, C), to where its readers want it.
    """

    model: PackedModel
    batch: int
    size_hw: tuple[int, int]
    vector: bool
    tasks: list[Task] = field(default_factory=list)
    floats: dict[str, Floats] = field(default_factory=dict)
    bytes: int = 0

    def __post_init__(self) -> None:
        self.shapes = infer_shapes(self.model, self.size_hw)
        self.fusion = fuse(self.model)
        self.exemplars: dict[str, list[Callable[[np.ndarray], None]]] = {
            name: [] for name in self.model.exemplars
        }
        self.pool = BufferPool()
        self._roots: dict[str, np.ndarray] = {}
        self._is_open = False  # whether a step may join the last task
        self._grain = 1  # rows of the last task that stay in cache
        self._around = ""  # whose memory the last task reads around the rows that it writes
        self._dying: list[str] = []  # values that the last task reads as the last one
        self.image_name = self.model.input["name"]
        self.image = self.persistent(math.prod(self.shapes[self.image_name]), "uint8")
        self.bits = {
            number: self._bit_picture(step)
            for number, step in enumerate(self.model.steps)
            if step.op == "binary_conv"
        }

    def persistent(self, elements_per_image: int, dtype: str | np.dtype) -> np.ndarray:
        """Return zeros that no other value ever uses, with room for reads beyond the end."""
        elements = self.batch * elements_per_image + _SLACK
        self.check_memory(elements * np.dtype(dtype).itemsize)
        buffer = aligned_zeros(elements, dtype)
        self.bytes += buffer.nbytes
        return buffer

    def check_memory(self, wanted: int) -> None:
        """Refuse ``wanted`` more bytes where the machine cannot have them.

        Sizes come from files and from callers, and an operating system may promise memory that
        it does not have, and end the process when it is used.

        Raises:
            ModelError: The network needs more than the machine's memory.
        """
        total, most = self.bytes + self.pool.bytes + wanted, memory_bytes()
        if total > most:
            height, width = self.size_hw
            raise ModelError(
                f"model {self.model.name}: {self.batch} images of {height}x{width} pixels need "
                f"{total / 2**30:.1f} GiB, expected at most this machine's {most / 2**30:.1f} GiB; "
                f"give smaller images, or fewer at once"
            )

    def begin(self, around: str = "") -> None:
        """Let the next call begin a task.

        Args:
            around: Value of whose floats it reads other rows than it writes.
        """
        for value in self._dying:
            self.pool.give_back(value)
        self._dying.clear()
        self._is_open = False
        self._around = self.fusion.place(around).value

    def output(self, step: Step) -> Floats:
        """Return memory for the floats of a step, empty where nobody reads them."""
        if step.output not in self.fusion.last_float_use:
            return Floats(np.zeros(0, np.float32), 0)
        place = self.fusion.place(step.output)
        if place.value not in self._roots:
            elements = self.batch * math.prod(self.shapes[place.value])
            self.check_memory(4 * elements)
            self._roots[place.value] = self.pool.take(place.value, elements)
        memory = self._roots[place.value][place.first :]
        self.floats[step.output] = Floats(memory, self.shapes[place.value][2])
        return self.floats[step.output]

    def is_stored(self, value: str) -> bool:
        """Tell whether the floats of a value are stored."""
        return value in self.fusion.last_float_use

    def free(self, number: int) -> None:
        """Let later tasks have the memory of the values that step ``number`` was the last to read.

        The task that it belongs to may go on with other rows of them.
        """
        self._dying += [v for v, last in self.fusion.last_float_use.items() if last == number]

    def pack(self, value: str, packings: list[Packing]) -> None:
        """Plan the packing of signs of a value that is there, plane by plane."""
        height, width, channels = self.shapes[value]
        for packing in packings:
            calls = [
                Call(kernels.pack_signs, (*self.floats[value], width, plane), after=(self.vector,))
                for plane in self.bits[packing.reader].packings_of(packing.first, channels)
            ]
            reader = self.model.steps[packing.reader]
            self.task(reader, *calls, op="pack", rows=self.batch * height)

    def channel_vectors(self, step: Step, channels: int) -> list[np.ndarray]:
        """Return scale, bias, slope and shift of a step; those it lacks change nothing."""
        neutral = {"scale": 1.0, "bias": 0.0, "slope": 1.0, "shift": 0.0}
        return [
            aligned_copy(
                self.model.tensor(step, role)
                if role in step.tensors
                else np.full(channels, value, np.float32)
            )
            for role, value in neutral.items()
        ]

    def task(
        self,
        step: Step,
        *calls: Call,
        op: str | None = None,
        rows: int | None = None,
    ) -> None:
        """Append kernel calls; by default their rows are those of the step's output.

        They join the last task if its rows are as many and it does not read around what they
        write over.
        """
        if rows is None:
            rows = self.batch * self.shapes[step.output][0]
        part = Part(step.name, op or step.op, calls)
        width, channels = self.shapes[step.output if op is None else step.inputs[0]][1:]
        grain = max(1, _CHUNK_BYTES // (4 * width * channels))
        overwrites = op is None and self.fusion.place(step.output).value == self._around
        if self._is_open and rows == self.tasks[-1].rows and not overwrites:
            last = self.tasks.pop()
            grain = min(grain, self._grain)
            self.tasks.append(Task((*last.parts, part), rows, grain))
        else:
            if self._is_open:
                self.begin()
            # A call alone finds nothing of another in cache, and small chunks cost it time.
            self.tasks.append(Task((part,), rows, rows))
            self._is_open = True
        self._grain = grain

    def _bit_picture(self, step: Step) -> BitPicture:
        height, width, channels = self.shapes[step.inputs[0]]
        groups = step.attrs["groups"]
        border = layout.border_words(channels, groups, step.attrs.get("pad_value", 0))
        thresholds = self.model.tensor(step, "threshold").reshape(-1, channels)
        words = len(thresholds) * len(border)
        picture = layout.Picture(height, width, words, tuple(step.attrs["padding"]))
        bits = self.persistent(picture.size, "uint64")
        bits[: self.batch * picture.size].reshape(-1, len(border))[:] = border
        packings = []
        for plane, threshold in enumerate(thresholds):
            first = picture.first + plane * len(border)
            places = [height, groups, first, picture.size, picture.row, words]
            packings.append((bits, aligned_copy(threshold), np.array(places, np.int64)))
        return BitPicture(picture, packings)
