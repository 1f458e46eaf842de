"""Running a packed model on images."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

from binvision.errors import FrameError, UsageError
from binvision.runtime.account import account
from binvision.runtime.model import PackedModel
from binvision.runtime.plan import make_plan
from binvision.runtime.warming import announced_compilation
from binvision.runtime.workers import Workers

__all__ = ["ProfileRow", "Runner"]


class ProfileRow(NamedTuple):
    """Cost of what is done together: a step, and what is done to its output row by row.

    Attributes:
        parts: Names of steps and their operations, in order; ``pack``, ``round`` and ``pad`` where
            the input of a later step is prepared; ``image`` and ``copy`` for copying the images in.
        seconds: Median time for the whole batch.
        binary_macs: Multiply-accumulates on bits, for the whole batch.
        real_macs: Multiply-accumulates on numbers, for the whole batch.
    """

    parts: tuple[tuple[str, str], ...]
    seconds: float
    binary_macs: int
    real_macs: int

    @property
    def step(self) -> str:
        """Name of the first step."""
        return self.parts[0][0]

    @property
    def op(self) -> str:
        """The operations, for example ``"binary_conv, pack"``."""
        return ", ".join(dict.fromkeys(op for _, op in self.parts))


class Runner:
    """A model planned for one batch and image size, its memory allocated, its kernels compiled.

    A runner may be called from any thread, one call at a time; calls from several threads wait
    for each other. Several runners are independent.

    Args:
        model: A checked model.
        batch: Number of images that run together.
        size_hw: Height and width of the images in pixels.
        threads: Threads that share the work; the result does not depend on their number.

    Raises:
        UsageError: ``batch``, ``threads`` or a side of the images is less than 1.
        ModelError: The images are too small for the network, or need more memory than there is.
    """

    def __init__(
        self, model: PackedModel, *, batch: int, size_hw: tuple[int, int], threads: int = 1
    ) -> None:
        sides = (("height", size_hw[0]), ("width", size_hw[1]))
        for name, value in (("batch", batch), ("threads", threads), *sides):
            if value < 1:
                raise UsageError(f"{name}: expected at least 1, got {value}")
        self.model = model
        self._plan = make_plan(model, batch, size_hw)
        self._workers = Workers(self._plan.tasks, threads)
        self._warm_up()

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Args:
            images: uint8 (N, H, W, 3) in the model's channel order, N and size as planned.

        Returns:
            Output name to float32 (N, h, w, C). The arrays are the runner's own memory, valid
            until the next call: copy what must last.

        Raises:
            FrameError: The images have another shape or dtype.
        """
        self._check(images)
        with self._workers.lock:
            np.copyto(self._plan.image, images)
            self._workers.run()
        return dict(self._plan.outputs)

    def set_exemplar(self, name: str, values: np.ndarray) -> None:
        """Give one of the model's exemplars; it stays until another is given, and is zero before.

        Args:
            name: A key of the model's ``exemplars``.
            values: float32 (h, w, C) of the size that the model says; copied.

        Raises:
            UsageError: There is no such exemplar, or it has another shape or dtype.
        """
        if name not in self.model.exemplars:
            known = ", ".join(self.model.exemplars) or "none"
            raise UsageError(f"exemplar {name!r}: the model has {known}")
        expected = self.model.exemplars[name]
        if values.shape != expected or values.dtype != np.float32:
            raise UsageError(
                f"exemplar {name!r}: expected float32 of shape {expected}, got "
                f"{values.dtype.name} of shape {values.shape}"
            )
        with self._workers.lock:
            for write in self._plan.exemplars[name]:
                write(values)

    @property
    def bytes(self) -> int:
        """Memory of all activations in bytes."""
        return self._plan.bytes

    def profile(self, images: np.ndarray, repeats: int = 20) -> list[ProfileRow]:
        """Time each part of the network.

        Args:
            images: As for a call.
            repeats: Runs; each row is their median.

        Returns:
            One row for copying the images in, then one for each task in order.

        Raises:
            FrameError: The images have another shape or dtype.
        """
        self._check(images)
        runs = []
        with self._workers.lock:
            for _ in range(repeats):
                start = perf_counter()
                np.copyto(self._plan.image, images)
                runs.append([perf_counter() - start, *self._workers.run_timed()])
        seconds = [median(times) for times in zip(*runs, strict=True)]
        return [ProfileRow((("image", "copy"),), seconds[0], 0, 0), *self._rows(seconds[1:])]

    def _rows(self, seconds: list[float]) -> list[ProfileRow]:
        batch, height, width = self._plan.image.shape[:3]
        costs = {(cost.name, cost.op): cost for cost in account(self.model, (height, width))}
        rows = []
        for task, time in zip(self._plan.tasks, seconds, strict=True):
            parts = tuple((part.step, part.op) for part in task.parts)
            found = [costs[part] for part in parts if part in costs]
            binary, real = sum(c.binary_macs for c in found), sum(c.real_macs for c in found)
            rows.append(ProfileRow(parts, time, batch * binary, batch * real))
        return rows

    def _check(self, images: np.ndarray) -> None:
        expected = self._plan.image.shape
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            got = images.dtype.name if isinstance(images, np.ndarray) else type(images).__name__
            raise FrameError(f"images: expected a uint8 array of shape {expected}, got {got}")
        if images.shape != expected:
            raise FrameError(
                f"images: expected shape {expected}, got {images.shape}; "
                "make a Runner for each batch and image size"
            )

    def _warm_up(self) -> None:
        """Run once, so that the first real call finds every kernel compiled and loaded."""
        with announced_compilation():
            self._workers.run()
