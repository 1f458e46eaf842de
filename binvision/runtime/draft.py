"""A plan while it is being made: shapes, memory, and the tasks so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from binvision.errors import ModelError
from binvision.kernels import layout
from binvision.kernels.layout import aligned_copy, aligned_zeros
from binvision.kernels.program import Call
from binvision.runtime.buffers import BufferPool, memory_bytes
from binvision.runtime.fusion import fuse
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes

__all__ = ["BitPicture", "Draft", "Task"]

# The kernels for 8-bit pixels read four bytes at a time, up to three beyond the last.
_SLACK = 64


@dataclass(frozen=True)
class Task:
    """Kernel calls on the same rows, divisible by these.

    Attributes:
        step: Name of the step that it belongs to.
        op: Operation of the step; ``pack``, ``pad`` and ``round`` where the step first prepares
            its input.
        rows: Number of rows, over the whole batch.
        calls: What is done to each row; different rows may be worked on at the same time.
    """

    step: str
    op: str
    rows: int
    calls: tuple[Call, ...]

    def run(self, start: int, stop: int) -> None:
        """Do rows ``start .. stop`` from Python, call by call."""
        for call in self.calls:
            call(start, stop)


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


@dataclass
class Draft:
    """What the planning of one step needs of all others.

    Attributes:
        model: A checked model.
        batch: Number of images that run together.
        size_hw: Height and width of the images.
        vector: Use the vector kernels.
        tasks: Kernel calls so far, in order.
        floats: Value name to its memory, flat NHWC, for values whose floats are stored.
        bytes: Memory so far of what is not shared.
        shapes: Value name to (height, width, channels).
        fusion: What steps do for each other.
        bits: Number of a binary convolution to the signs that it reads.
    """

    model: PackedModel
    batch: int
    size_hw: tuple[int, int]
    vector: bool
    tasks: list[Task] = field(default_factory=list)
    floats: dict[str, np.ndarray] = field(default_factory=dict)
    bytes: int = 0

    def __post_init__(self) -> None:
        self.shapes = infer_shapes(self.model, self.size_hw)
        self.fusion = fuse(self.model)
        self.pool = BufferPool()
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

    def output(self, step: Step) -> np.ndarray:
        """Return memory for the floats of a step, empty where nobody reads them."""
        if step.output not in self.fusion.last_float_use:
            return np.zeros(0, np.float32)
        elements = self.batch * math.prod(self.shapes[step.output])
        self.check_memory(4 * elements)
        self.floats[step.output] = self.pool.take(step.output, elements)
        return self.floats[step.output]

    def output_over_residual(self, number: int, step: Step) -> np.ndarray:
        """Like ``output``, but in the memory of a residual that nobody reads later."""
        stored = step.output in self.fusion.last_float_use
        dying = len(step.inputs) == 2 and self.fusion.last_float_use[step.inputs[1]] == number
        reads_floats = step.op == "conv" and step.inputs[0] == step.inputs[-1]
        if not (stored and dying) or reads_floats:
            return self.output(step)
        self.pool.hand_over(step.inputs[1], step.output)
        self.floats[step.output] = self.floats[step.inputs[1]]
        return self.floats[step.output]

    def free(self, number: int) -> None:
        """Let others have the memory of the values that step ``number`` was the last to read."""
        for value, last in self.fusion.last_float_use.items():
            if last == number:
                self.pool.give_back(value)

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
        """Append kernel calls; by default their rows are those of the step's output."""
        if rows is None:
            rows = self.batch * self.shapes[step.output][0]
        self.tasks.append(Task(step.name, op or step.op, rows, calls))

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
