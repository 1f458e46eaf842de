"""All that ``binvision bench`` measures about one model, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from binvision.bench.ceiling import memory_bandwidth, popcount_ceiling
from binvision.bench.contest import Absent, Contestant, Figure, Subject, contestants, race
from binvision.bench.exemplars import random_exemplars, with_exemplars
from binvision.bench.traffic import traffic
from binvision.errors import UsageError
from binvision.kernels.isa import has_dot4, isa
from binvision.runtime import Runner
from binvision.runtime.account import account, working_size_hw
from binvision.runtime.host import cpu_name
from binvision.runtime.model import PackedModel

__all__ = ["OURS", "Report", "StepFigure", "measure", "working_batch"]

OURS = "binvision"
_MODEL_TOLERANCE = 0.01  # of the packed model against NumPy: its epilogues sum in another order
_PROFILE_RUNS = 100


@dataclass(frozen=True)
class StepFigure:
    """One part of a step.

    Attributes:
        step: Name of the step, ``image`` for copying the images in.
        op: Operation; ``pack``, ``pad`` or ``round`` where the step prepares its input.
        kernel: Text such as ``"3x3 64>128"``, empty where there is none.
        seconds: Median time.
        share: Of the sum of all parts.
        binary_macs: Multiply-accumulates on bits.
        real_macs: Multiply-accumulates on numbers.
        macs_per_second: Both together.
        ceiling_share: Binary rate over the measured ceiling; None where nothing is binary.
        bytes: What it must read and write.
        bandwidth_share: Bytes a second over those of main memory; above 1 out of the caches.
    """

    step: str
    op: str
    kernel: str
    seconds: float
    share: float
    binary_macs: int
    real_macs: int
    macs_per_second: float
    ceiling_share: float | None
    bytes: int
    bandwidth_share: float


@dataclass(frozen=True)
class Report:
    """Everything about one model on one machine.

    Attributes:
        model: Its name.
        batch: Images that run together.
        size_hw: Height and width of an image.
        threads: What every contestant may use.
        cpu: Name of the processor.
        kernels: Kernel path, see :func:`binvision.kernels.isa`.
        vnni: Whether 8-bit products have an instruction of their own.
        date: Of the measurement, ISO 8601.
        popcount_ceiling: Binary multiply-accumulates a second of these threads, at best.
        memory_bandwidth: Bytes a second that one thread reads from main memory.
        binary_macs: Of the whole batch.
        real_macs: Of the whole batch.
        steps: In order; empty unless asked for.
        engines: The model, then the real-valued twin in other engines.
        absent: Engines that were asked for and not timed.
    """

    model: str
    batch: int
    size_hw: tuple[int, int]
    threads: int
    cpu: str
    kernels: str
    vnni: bool
    date: str
    popcount_ceiling: float
    memory_bandwidth: float
    binary_macs: int
    real_macs: int
    steps: tuple[StepFigure, ...]
    engines: tuple[Figure, ...]
    absent: tuple[Absent, ...]


def working_batch(model: PackedModel) -> int:
    """Images that a model's task runs at once: a tracker's scales, else one."""
    count = model.settings.get("scale_count")
    return count if isinstance(count, int) else 1


def measure(
    model: PackedModel,
    *,
    size_hw: tuple[int, int] | None = None,
    batch: int | None = None,
    threads: int = 1,
    rounds: int = 10,
    profile: bool = False,
    against: Sequence[str] = (),
) -> Report:
    """Measure a model on random images.

    Args:
        model: A checked model.
        size_hw: Height and width of the images; by default the size its task uses.
        batch: Images that run together; by default as many as its task uses.
        threads: Threads of each contestant.
        rounds: Turns of each; a figure is the median.
        profile: Measure the steps too.
        against: Engines, some of :data:`binvision.bench.contest.ENGINES`.

    Raises:
        UsageError: The model names no image size and none is given, or there is no such engine.
        ModelError: The images are too small for the network.
    """
    size_hw = size_hw or working_size_hw(model)
    if size_hw is None:
        raise UsageError(f"{model.name} names no image size: give --size HxW, such as 224x224")
    batch = batch or working_batch(model)
    shape = (batch, *size_hw, model.input["channels"])
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    runner = Runner(model, batch=batch, size_hw=size_hw, threads=threads)
    exemplars = random_exemplars(model)
    for name, values in exemplars.items():
        runner.set_exemplar(name, values)
    subject = Subject.of(with_exemplars(model, exemplars), images) if against else None
    costs = account(model, size_hw)
    figures, absent = _race(runner, subject, images, against, threads, rounds)
    ceiling, bandwidth = threads * popcount_ceiling(), memory_bandwidth()
    return Report(
        model=model.name,
        batch=batch,
        size_hw=size_hw,
        threads=threads,
        cpu=cpu_name(),
        kernels=isa(),
        vnni=has_dot4(),
        date=date.today().isoformat(),
        popcount_ceiling=ceiling,
        memory_bandwidth=bandwidth,
        binary_macs=batch * sum(cost.binary_macs for cost in costs),
        real_macs=batch * sum(cost.real_macs for cost in costs),
        steps=_steps(runner, images, ceiling, bandwidth) if profile else (),
        engines=tuple(figures),
        absent=tuple(absent),
    )


def _race(
    runner: Runner,
    subject: Subject | None,
    images: np.ndarray,
    against: Sequence[str],
    threads: int,
    rounds: int,
) -> tuple[list[Figure], list[Absent]]:
    """Time the model, and its twin in other engines."""
    names = runner.model.outputs
    values = subject.packed_values if subject else runner(images)
    truth = [values[name].copy() for name in names]
    ours = Contestant(OURS, lambda: list(runner(images).values()), truth, _MODEL_TOLERANCE)
    others = list(contestants(subject, against, threads)) if subject else []
    ready = [ours, *(other for other in others if isinstance(other, Contestant))]
    figures, wrong = race(ready, rounds, threads)
    return figures, [*(other for other in others if isinstance(other, Absent)), *wrong]


def _steps(
    runner: Runner, images: np.ndarray, ceiling: float, bandwidth: float
) -> tuple[StepFigure, ...]:
    rows = runner.profile(images, _PROFILE_RUNS)
    size_hw = images.shape[1:3]
    total = sum(row.seconds for row in rows)
    moved = traffic(runner.model, size_hw)
    sizes = [len(images) * sum(moved[part] for part in set(row.parts)) for row in rows]
    kernels = {(cost.name, cost.op): cost.kernel for cost in account(runner.model, size_hw)}
    return tuple(
        StepFigure(
            step=row.step,
            op=row.op,
            kernel=kernels.get(row.parts[0], ""),
            seconds=row.seconds,
            share=row.seconds / total,
            binary_macs=row.binary_macs,
            real_macs=row.real_macs,
            macs_per_second=(row.binary_macs + row.real_macs) / row.seconds,
            ceiling_share=row.binary_macs / row.seconds / ceiling if row.binary_macs else None,
            bytes=size,
            bandwidth_share=size / row.seconds / bandwidth,
        )
        for row, size in zip(rows, sizes, strict=True)
    )
