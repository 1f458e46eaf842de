"""What was measured of binarisation methods: rows of ``python -m benchmarks.methods``."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

__all__ = ["RESULTS", "Result", "of_method", "read_results", "write_results"]

RESULTS = Path(__file__).parent / "methods" / "cifar10.csv"

_TYPES = {"int": int, "float": float, "str": str}


@dataclass(frozen=True)
class Result:
    """One method, trained once on CIFAR-10.

    Attributes:
        method: Its name.
        seed: Of weights and data.
        accuracy: Share of right answers on the test pictures, by PyTorch.
        pictures: How many these were.
        agreement: Share of compared pictures to which the packed model gives the same answer.
        difference: Of packed and PyTorch results, relative to their size; the median picture.
        binary_parameters: Weights of one bit.
        real_parameters: All other numbers of the packed model.
        binary_macs: Multiply-accumulates on bits, for one picture.
        real_macs: All others.
        file_bytes: Of the packed model.
        milliseconds: Of the packed model for one picture on one thread, the median.
        cpu: Where that was measured.
        iterations: Steps of the schedule.
        batch: Pictures of a step.
        training_s: Seconds that it took.
        trained_on: Device.
        side_by_side: Trainings that shared the device.
        unpacked: Why there is no packed model; empty where there is one. What is measured of it is
            0 without.
    """

    method: str
    seed: int
    accuracy: float
    pictures: int
    iterations: int
    batch: int
    training_s: float
    trained_on: str
    side_by_side: int
    unpacked: str = ""
    agreement: float = 0.0
    difference: float = 0.0
    binary_parameters: int = 0
    real_parameters: int = 0
    binary_macs: int = 0
    real_macs: int = 0
    file_bytes: int = 0
    milliseconds: float = 0.0
    cpu: str = ""


def read_results(path: Path = RESULTS) -> list[Result]:
    """Read the rows; none where nothing was measured."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [
            Result(
                **{field.name: _TYPES[str(field.type)](row[field.name]) for field in fields(Result)}
            )
            for row in csv.DictReader(file)
        ]


def of_method(name: str) -> list[Result]:
    """The rows of one method, in order of their seeds."""
    return [row for row in read_results() if row.method == name]


def write_results(results: Sequence[Result], path: Path = RESULTS) -> None:
    """Write the rows in order of method and seed, beside the file and then in its place."""
    partial = path.with_suffix(".part")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)], lineterminator="\n")
        writer.writeheader()
        for row in sorted(results, key=lambda row: (row.method, row.seed)):
            writer.writerow(asdict(row))
    os.replace(partial, path)
