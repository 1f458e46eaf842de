"""From a packed model to a list of kernel calls, made once per batch and image size.

Every task below is a closure over arrays in the kernels' own layout: running a frame allocates
nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from binvision import kernels
from binvision.kernels import layout
from binvision.kernels.layout import aligned_copy, aligned_zeros
from binvision.runtime.buffers import BufferPool
from binvision.runtime.fusion import fuse
from binvision.runtime.model import PackedModel, Step
from binvision.runtime.shapes import infer_shapes

__all__ = ["Plan", "Task", "make_plan"]

# The kernel for 8-bit pixels reads them four at a time, up to three bytes beyond the last.
_SLACK = 64
# Signed 8-bit levels are stored as bytes counted from here.
_ZERO_LEVEL = 128


@dataclass(frozen=True)
class Task:
    """One kernel call, divisible by rows.

    Attributes:
        step: Name of the step that it belongs to.
        op: Operation of the step; ``pack``, ``pad`` and ``round`` where the step first prepares
            its input.
        rows: Number of rows, over the whole batch.
        run: Does rows ``start .. stop``; different rows may run at the same time.
    """

    step: str
    op: str
    rows: int
    run: Callable[[int, int], object]


@dataclass(frozen=True)
class Plan:
    """Tasks in order, and the arrays where a frame goes in and its results come out.

    Attributes:
        image: uint8 (N, H, W, 3), to be filled before the tasks run.
        outputs: Value name to float32 (N, h, w, C), filled by the tasks.
        tasks: Kernel calls in order.
        bytes: Memory of all activations.
    """

    image: np.ndarray
    outputs: dict[str, np.ndarray]
    tasks: tuple[Task, ...]
    bytes: int


def make_plan(
    model: PackedModel, batch: int, size_hw: tuple[int, int], *, vector: bool = True
) -> Plan:
    """Plan a model for ``batch`` images of ``size_hw`` pixels.

    Args:
        model: A checked model.
        batch: Number of images that run together.
        size_hw: Height and width of the images.
        vector: Use the vector kernels; without, plain loops with the same results.

    Raises:
        ModelError: The images are too small for the network.
    """
    builder = _Builder(model, batch, size_hw, vector)
    for number, step in enumerate(model.steps):
        builder.add(number, step)
    return builder.plan()


@dataclass
class _BitPicture:
    """Signs that one binary convolution reads, with a border for its padding."""

    picture: layout.Picture
    packing: tuple[np.ndarray, np.ndarray, np.ndarray]  # as pack_signs takes it


@dataclass
class _Builder:
    """State of planning: shapes, memory, and the tasks so far."""

    model: PackedModel
    batch: int
    size_hw: tuple[int, int]
    vector: bool
    tasks: list[Task] = field(default_factory=list)
    floats: dict[str, np.ndarray] = field(default_factory=dict)
    fixed_bytes: int = 0

    def __post_init__(self) -> None:
        self.shapes = infer_shapes(self.model, self.size_hw)
        self.fusion = fuse(self.model)
        self.pool = BufferPool()
        self.image_name = self.model.input["name"]
        self.image = self._persistent(int(np.prod(self.shapes[self.image_name])), "uint8")
        self.bits = {
            number: self._bit_picture(step)
            for number, step in enumerate(self.model.steps)
            if step.op == "binary_conv"
        }

    def plan(self) -> Plan:
        image_shape = (self.batch, *self.shapes[self.image_name])
        outputs = {
            name: self.floats[name].reshape(self.batch, *self.shapes[name])
            for name in self.model.outputs
        }
        image = self.image[: int(np.prod(image_shape))].reshape(image_shape)
        size = self.fixed_bytes + self.pool.bytes
        return Plan(image, outputs, tuple(self.tasks), size)

    def add(self, number: int, step: Step) -> None:
        """Append the tasks of one step, then free what it was the last to read."""
        build = {
            "conv": self._conv,
            "binary_conv": self._binary_conv,
            "avg_pool": self._pool,
            "max_pool": self._pool,
            "concat": self._concat,
            "add": self._sum,
            "prelu": self._per_channel,
            "affine": self._per_channel,
        }[step.op]
        build(number, step)
        for value, last in self.fusion.last_float_use.items():
            if last == number:
                self.pool.give_back(value)

    # Memory

    def _persistent(self, elements_per_image: int, dtype: str) -> np.ndarray:
        """Return zeros that no other value ever uses, with room for reads beyond the end."""
        buffer = aligned_zeros(self.batch * elements_per_image + _SLACK, dtype)
        self.fixed_bytes += buffer.nbytes
        return buffer

    def _output(self, step: Step) -> np.ndarray:
        """Return memory for the floats of a step, empty where nobody reads them."""
        if step.output not in self.fusion.last_float_use:
            return np.zeros(0, np.float32)
        elements = self.batch * int(np.prod(self.shapes[step.output]))
        self.floats[step.output] = self.pool.take(step.output, elements)
        return self.floats[step.output]

    def _output_over_residual(self, number: int, step: Step) -> np.ndarray:
        """Like ``_output``, but in the memory of a residual that nobody reads later."""
        stored = step.output in self.fusion.last_float_use
        dying = len(step.inputs) == 2 and self.fusion.last_float_use[step.inputs[1]] == number
        reads_floats = step.op == "conv" and step.inputs[0] == step.inputs[-1]
        if not (stored and dying) or reads_floats:
            return self._output(step)
        self.pool.hand_over(step.inputs[1], step.output)
        self.floats[step.output] = self.floats[step.inputs[1]]
        return self.floats[step.output]

    def _bit_picture(self, step: Step) -> _BitPicture:
        height, width, channels = self.shapes[step.inputs[0]]
        groups = step.attrs["groups"]
        words = groups * -(-(channels // groups) // 64)
        picture = layout.Picture(height, width, words, tuple(step.attrs["padding"]))
        bits = self._persistent(picture.size, "uint64")
        places = [height, groups, picture.first, picture.size, picture.row, words]
        threshold = aligned_copy(self.model.tensor(step, "threshold"))
        return _BitPicture(picture, (bits, threshold, np.array(places, np.int64)))

    # Convolutions

    def _binary_conv(self, number: int, step: Step) -> None:
        bits = self.bits[number]
        height, width, channels = self.shapes[step.inputs[0]]
        if not self.fusion.packed_by_producer(number):
            values = self.floats[step.inputs[0]]
            self._task(
                step,
                lambda a, b: kernels.pack_signs(values, width, bits.packing, a, b, self.vector),
                op="pack",
                rows=self.batch * height,
            )
        weight = self.model.tensor(step, "bits")
        window, out_hw = _window(step, weight), self.shapes[step.output][:2]
        taps, weights = layout.bit_weights(weight, bits.picture, window)
        sums = layout.bit_sums(weight, channels, window, (height, width), out_hw)
        self._convolution(number, step, bits.packing[0], bits.picture, window, taps, weights, sums)

    def _conv(self, number: int, step: Step) -> None:
        weight = self.model.tensor(step, "weight")
        window, out_hw = _window(step, weight), self.shapes[step.output][:2]
        offset = step.attrs["offset"]
        is_image = step.inputs[0] == self.image_name
        if "levels" in step.tensors:
            acts, picture = self._levels(step)
            taps, weights = layout.pixel_weights(weight, picture, window)
            sums = layout.pixel_sums(weight, _ZERO_LEVEL, out_hw)
        elif is_image and weight.dtype == np.int8 and offset == int(offset):
            acts, picture = self._pixels(step, int(offset))
            taps, weights = layout.pixel_weights(weight, picture, window)
            sums = layout.pixel_sums(weight, int(offset), out_hw)
        else:
            acts, picture = self._real_picture(step, offset, is_image)
            taps, weights = layout.float_weights(weight, picture, window)
            sums = layout.float_sums(weight.shape[3], out_hw)
        self._convolution(number, step, acts, picture, window, taps, weights, sums)

    def _convolution(
        self,
        number: int,
        step: Step,
        acts: np.ndarray,
        picture: layout.Picture,
        window: layout.Window,
        taps: np.ndarray,
        weights: np.ndarray,
        sums: tuple[np.ndarray, int, np.ndarray, np.ndarray],
    ) -> None:
        height, width, channels = self.shapes[step.output]
        places = layout.window_places(picture, window, (height, width))
        scale, bias, slope = self._channel_vectors(step, channels)
        residual, stride = aligned_zeros(channels, "float32"), 0
        if len(step.inputs) == 2:
            residual, stride = self.floats[step.inputs[1]], channels
        out = self._output_over_residual(number, step)
        epilogue = (scale, bias, slope, residual, stride, out)
        packing = _NO_PACKING
        if number in self.fusion.packs_for:
            packing = self.bits[self.fusion.packs_for[number]].packing
        self._task(
            step,
            lambda a, b: kernels.convolve(
                acts, taps, weights, places, sums, epilogue, packing, a, b, self.vector
            ),
        )

    def _pixels(self, step: Step, offset: int) -> tuple[np.ndarray, layout.Picture]:
        """Return the image with a border of ``offset``; the image itself where it needs none."""
        picture = layout.Picture(*self.shapes[self.image_name], tuple(step.attrs["padding"]))
        if picture.border == (0, 0):
            return self.image, picture
        padded = self._persistent(picture.size, "uint8")
        padded[:] = offset
        image, place = self.image, _inside_place(picture)
        self._task(
            step,
            lambda a, b: kernels.copy_rows(image, padded, place, a, b),
            op="pad",
            rows=self.batch * picture.height,
        )
        return padded, picture

    def _levels(self, step: Step) -> tuple[np.ndarray, layout.Picture]:
        """Return the input rounded to 8 bits, with a border of zeros."""
        picture = layout.Picture(*self.shapes[step.inputs[0]], tuple(step.attrs["padding"]))
        rounded, place = self._persistent(picture.size, "uint8"), _inside_place(picture)
        rounded[:] = _ZERO_LEVEL
        values, levels = (
            self.floats[step.inputs[0]],
            aligned_copy(self.model.tensor(step, "levels")),
        )
        self._task(
            step,
            lambda a, b: kernels.quantize(values, levels, rounded, place, a, b, self.vector),
            op="round",
            rows=self.batch * picture.height,
        )
        return rounded, picture

    def _real_picture(
        self, step: Step, offset: float, is_image: bool
    ) -> tuple[np.ndarray, layout.Picture]:
        """Return the float input less its offset, with a border of zeros."""
        picture = layout.Picture(*self.shapes[step.inputs[0]], tuple(step.attrs["padding"]))
        values = self.image if is_image else self.floats[step.inputs[0]]
        if not is_image and picture.border == (0, 0) and offset == 0:
            return values, picture
        padded, place = self._persistent(picture.size, "float32"), _inside_place(picture)
        self._task(
            step,
            lambda a, b: kernels.subtract_offset(values, float(offset), padded, place, a, b),
            op="pad",
            rows=self.batch * picture.height,
        )
        return padded, picture

    # Everything else

    def _pool(self, number: int, step: Step) -> None:
        values, out = self.floats[step.inputs[0]], self._output(step)
        sizes = np.array([*self.shapes[step.inputs[0]], *self.shapes[step.output][:2]], np.int64)
        attrs = step.attrs
        window = np.array([*attrs["kernel"], *attrs["stride"], *attrs["padding"]], np.int64)
        take_max = step.op == "max_pool"
        self._task(step, lambda a, b: kernels.pool(values, out, sizes, window, take_max, a, b))

    def _concat(self, number: int, step: Step) -> None:
        out = self._output(step)
        width, channels = self.shapes[step.output][1:]
        parts, first = [], 0
        for name in step.inputs:
            count = self.shapes[name][2]
            parts.append((self.floats[name], count, first))
            first += count

        def run(a: int, b: int) -> None:
            for values, count, first in parts:
                kernels.copy_channels(values, count, out, channels, first, a * width, b * width)

        self._task(step, run)

    def _sum(self, number: int, step: Step) -> None:
        left, right = (self.floats[name] for name in step.inputs)
        out = self._output(step)
        row = int(np.prod(self.shapes[step.output][1:]))
        self._task(step, lambda a, b: kernels.add(left, right, out, a * row, b * row))

    def _per_channel(self, number: int, step: Step) -> None:
        values, out = self.floats[step.inputs[0]], self._output(step)
        width, channels = self.shapes[step.output][1:]
        scale, bias, slope = self._channel_vectors(step, channels)
        self._task(
            step,
            lambda a, b: kernels.affine_prelu(
                values, scale, bias, slope, out, a * width, b * width
            ),
        )

    def _channel_vectors(self, step: Step, channels: int) -> list[np.ndarray]:
        """Return scale, bias and slope of a step; those it lacks change nothing."""
        neutral = {"scale": 1.0, "bias": 0.0, "slope": 1.0}
        return [
            aligned_copy(
                self.model.tensor(step, role)
                if role in step.tensors
                else np.full(channels, value, np.float32)
            )
            for role, value in neutral.items()
        ]

    def _task(
        self,
        step: Step,
        run: Callable[[int, int], object],
        op: str | None = None,
        rows: int | None = None,
    ) -> None:
        if rows is None:
            rows = self.batch * self.shapes[step.output][0]
        self.tasks.append(Task(step.name, op or step.op, rows, run))


_NO_PACKING = (np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(6, np.int64))


def _window(step: Step, weight: np.ndarray) -> layout.Window:
    stride, padding, dilation = (
        tuple(step.attrs[name]) for name in ("stride", "padding", "dilation")
    )
    return layout.Window(weight.shape[:2], stride, padding, dilation, step.attrs["groups"])


def _inside_place(picture: layout.Picture) -> np.ndarray:
    """Return ``place`` of the row-copying kernels for a picture with a border."""
    length = picture.width * picture.elements
    return np.array([picture.height, length, picture.first, picture.size, picture.row], np.int64)
