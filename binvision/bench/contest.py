"""A race of engines over one network, in one process, in turns.

Machines drift, so only ratios within one run mean anything: in every round each contestant runs
for the same short time, after one run that is not counted, and the median over the rounds is its
time. Nobody is timed before its result was compared with the truth.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time, sleep

import numpy as np

from binvision.bench.reference import evaluate
from binvision.bench.twin import real_input, real_twin
from binvision.errors import UsageError
from binvision.runtime.model import PackedModel

__all__ = ["ENGINES", "Absent", "Contestant", "Figure", "Subject", "contestants", "race"]

ENGINES = ("torch", "onnxruntime", "openvino", "litert")
_ROUND_S = 0.05
_SETTLE_S = 0.1  # the threads of NumPy's matrix products spin on after the truth was computed


@dataclass(frozen=True)
class Subject:
    """The network that all run, and what it must give.

    Attributes:
        packed: The packed model.
        twin: Its real-valued twin.
        images: What the packed model reads, (N, H, W, C).
        inputs: What the twin reads, float32 (N, H, W, C).
        packed_values: Value name to array of the packed model, computed in NumPy.
        twin_values: The same of the twin.
    """

    packed: PackedModel
    twin: PackedModel
    images: np.ndarray
    inputs: np.ndarray
    packed_values: dict[str, np.ndarray]
    twin_values: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: PackedModel, images: np.ndarray) -> Subject:
        """Make the twin, its input, and the truth of both.

        Raises:
            UsageError: The model has a step that other engines lack.
        """
        twin, inputs = real_twin(model), real_input(model, images)
        values = (evaluate(model, images), evaluate(twin, inputs))
        return cls(model, twin, images, inputs, *values)


@dataclass(frozen=True)
class Contestant:
    """A network made ready in one engine.

    Attributes:
        name: Engine and arithmetic, such as ``"openvino int8"``.
        run: Computes all outputs, float32 (N, h, w, C) each, valid until the next run.
        truth: Output name to what ``run`` must give.
        tolerance: Greatest error, root mean square against that of the truth.
    """

    name: str
    run: Callable[[], Sequence[np.ndarray]]
    truth: Sequence[np.ndarray]
    tolerance: float


@dataclass(frozen=True)
class Absent:
    """A contestant that is not timed, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Figure:
    """What a race measured.

    Attributes:
        name: Of the contestant.
        seconds: Median over the rounds of the time of one run.
        fastest: Of the rounds.
        slowest: Of the rounds.
        cores: Processor time over wall time: the threads that truly worked.
        error: Of its result, as in :class:`Contestant`.
    """

    name: str
    seconds: float
    fastest: float
    slowest: float
    cores: float
    error: float


def contestants(
    subject: Subject, engines: Sequence[str], threads: int
) -> Iterator[Contestant | Absent]:
    """Make ``subject`` ready in each engine, in all arithmetics that it has.

    Raises:
        UsageError: There is no such engine.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise UsageError(f"engine {engine!r}: expected some of {', '.join(ENGINES)}")
        try:
            module = importlib.import_module(f"binvision.bench.{engine}")
        except ImportError as error:
            if (error.name or "").startswith("binvision"):
                raise
            yield Absent(engine, f'not installed: pip install "binvision[bench]" ({error})')
            continue
        yield from module.contestants(subject, threads)


def race(
    runners: Sequence[Contestant], rounds: int, threads: int, round_s: float = _ROUND_S
) -> tuple[list[Figure], list[Absent]]:
    """Check all, then time them in turns.

    Args:
        runners: Who runs.
        rounds: Turns of each.
        threads: What each was allowed.
        round_s: Seconds of one turn; at least one run is timed.

    Returns:
        Figures in the order of ``runners``, and those whose results are wrong or which used more
        threads than they were allowed.
    """
    errors = {runner.name: _error(runner) for runner in runners}
    wrong = [
        Absent(
            runner.name, f"wrong result: error {errors[runner.name]:.2g} of its root mean square"
        )
        for runner in runners
        if not errors[runner.name] <= runner.tolerance
    ]
    right = [runner for runner in runners if errors[runner.name] <= runner.tolerance]
    sleep(_SETTLE_S)
    turns: dict[str, list[tuple[float, float]]] = {runner.name: [] for runner in right}
    for _ in range(rounds):
        for runner in right:
            turns[runner.name].append(_turn(runner.run, round_s))
    figures = []
    for name, pairs in turns.items():
        seconds = [second for second, _ in pairs]
        cores = median(core for _, core in pairs)
        if cores > 1.1 * threads + 0.2:
            wrong.append(Absent(name, f"used {cores:.1f} cores where {threads} were allowed"))
            continue
        figures.append(
            Figure(name, median(seconds), min(seconds), max(seconds), cores, errors[name])
        )
    return figures, wrong


def _error(runner: Contestant) -> float:
    """Error of one run against its truth, as root mean squares; infinite where it is not finite."""
    outputs, truth = runner.run(), runner.truth
    difference = sum(
        float(np.square(got - true, dtype=np.float64).sum())
        for got, true in zip(outputs, truth, strict=True)
    )
    size = sum(float(np.square(true, dtype=np.float64).sum()) for true in truth)
    error = float(np.sqrt(difference / size)) if size else float(difference > 0)
    return error if np.isfinite(error) else float("inf")


def _turn(run: Callable[[], object], round_s: float) -> tuple[float, float]:
    """Seconds of one run, and cores that worked, over a short time."""
    run()
    count, start = 0, perf_counter()
    cpu = process_time()
    while True:
        run()
        count += 1
        elapsed = perf_counter() - start
        if elapsed >= round_s:
            cpu = process_time() - cpu  # within the wall time that it is compared with
            return elapsed / count, cpu / (perf_counter() - start)
