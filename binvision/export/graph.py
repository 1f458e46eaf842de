"""The exporter's picture of a network: nodes over named values, constants still in float64."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CONVOLUTIONS", "Exemplar", "Graph", "Node", "Size", "Value"]

CONVOLUTIONS = ("conv", "binary_conv")


@dataclass(frozen=True)
class Value:
    """A tensor between layers.

    Attributes:
        name: Its name.
        channels: Number of channels.
        single: It has one pixel, so that (N, C, 1, 1) and (N, C) are the same.
    """

    name: str
    channels: int
    single: bool = False


@dataclass(frozen=True)
class Exemplar(Value):
    """An input beside the image.

    Attributes:
        pixels: Height times width.
    """

    pixels: int = 1


@dataclass(frozen=True)
class Size:
    """The shape of a value, or its height and width alone, where a network reads it."""

    of: Value
    is_pair: bool = False


@dataclass(frozen=True)
class Node:
    """One operation of the packed format before it is packed.

    Attributes:
        op: Operation of the packed format.
        name: Path of the layer in the network.
        inputs: Names of the values it reads.
        output: Name of the value it defines.
        attrs: Attributes of the packed step.
        constants: Role to array: scales, biases, slopes float64; thresholds float32 (they must
            not move); kernels in torch's order (O, C/groups, KH, KW), of several bases with an
            axis in front. Output channels are the last axis of a scale.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attrs: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run, and the values that are results."""

    nodes: tuple[Node, ...]
    outputs: dict[str, str]
    """Name of a result to the value that it is."""

    def readers(self) -> dict[str, int]:
        """Count, for each value, how often it is read; being a result counts once."""
        counts: dict[str, int] = {}
        for name in [*(i for node in self.nodes for i in node.inputs), *self.outputs.values()]:
            counts[name] = counts.get(name, 0) + 1
        return counts
