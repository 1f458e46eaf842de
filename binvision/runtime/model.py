"""A packed model in memory: a list of steps over named values, and the tensors they use.

The steps run in order. Each reads one or more values (the input image or earlier outputs) and
defines one new value. What each operation means is written in :mod:`binvision.runtime.operations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from binvision.errors import ModelError

__all__ = ["PackedModel", "Step"]


@dataclass(frozen=True)
class Step:
    """One operation of the network.

    Attributes:
        op: Operation, a key of ``binvision.runtime.operations.OPS``.
        name: Unique name; the layer of the trained network that it came from.
        inputs: Names of the values it reads, in order.
        output: Name of the value it defines.
        attrs: Whole numbers, number pairs (height, width) and flags of the operation.
        tensors: Role (``"weight"``, ``"scale"``...) to the name of a tensor of the model.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attrs: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A network that the runtime can execute, with everything its task needs to know.

    Attributes:
        name: Name of the model, for example ``"rb-siamfc"``.
        task: What it does and how, for example ``"tracking/siamfc"``.
        input: Description of the image: ``name``, ``channels``, ``dtype``, ``order``.
        steps: The operations in the order in which they run.
        outputs: Names of the values that are results.
        settings: Numbers that the task's inference loop needs (sizes, thresholds).
        provenance: Where the weights came from: data, configuration, seed, licence.
        accuracy: What was measured with these weights, and how.
        tensors: Tensor name to array (int8, float32 or uint64). Read-only when loaded.
        file_bytes: Size of the file it was read from; 0 when it was not read from one.
        exemplars: Further float32 inputs by name, (height, width, channels) each, that stay the
            same from one image to the next.
        tables: Role to the name of a tensor that the task's inference loop needs, beside the
            settings; no step uses it.
    """

    name: str
    task: str
    input: dict[str, Any]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any]
    provenance: dict[str, Any]
    accuracy: dict[str, Any]
    tensors: dict[str, np.ndarray] = field(repr=False)
    file_bytes: int = 0
    exemplars: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    def tensor(self, step: Step, role: str) -> np.ndarray:
        """Array that ``step`` uses as ``role``; KeyError if the step has no such tensor."""
        return self.tensors[step.tensors[role]]

    def table_tensors(self) -> dict[str, np.ndarray]:
        """Return the tables by their roles."""
        return {role: self.tensors[name] for role, name in self.tables.items()}

    def with_tables(self, tables: Mapping[str, np.ndarray]) -> PackedModel:
        """Return the model with these tables, role to tensor, in the place of its own."""
        names = {role: f"tables.{role}" for role in tables}
        used = {name for step in self.steps for name in step.tensors.values()}
        kept = {name: tensor for name, tensor in self.tensors.items() if name in used}
        added = {names[role]: tensor for role, tensor in tables.items()}
        return replace(self, tensors={**kept, **added}, tables=names, file_bytes=0)

    def part(self, outputs: Sequence[str]) -> PackedModel:
        """Return the model that computes some values and nothing else.

        Args:
            outputs: Values of this model, in the order that the part shall have.

        Raises:
            ModelError: The model has no such value.
        """
        makers = {step.output: step for step in self.steps}
        for value in outputs:
            if value not in makers:
                raise ModelError(f"model {self.name}: no value {value!r} to take a part for")
        needed = set(outputs)
        for step in reversed(self.steps):
            if step.output in needed:
                needed.update(step.inputs)
        steps = tuple(step for step in self.steps if step.output in needed)
        used = {name for step in steps for name in step.tensors.values()}
        return replace(
            self,
            steps=steps,
            outputs=tuple(outputs),
            tensors={name: tensor for name, tensor in self.tensors.items() if name in used},
            exemplars={name: size for name, size in self.exemplars.items() if name in needed},
            tables={},
            file_bytes=0,
        )
