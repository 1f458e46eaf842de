"""Cells that hold all operations of every edge, of which an architecture uses one each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.backbones.cells import OPERATIONS, ZEROISE, Cell, CellRow
from binvision.binary import Spec
from binvision.classifiers.search.reduction import Architecture, Edge, Options
from binvision.errors import ConfigError

__all__ = ["Choice", "ChoiceStage", "block_of", "choose", "options_of"]


class Choice(nn.Module):
    """All operations of an edge; the chosen one computes, with the weights that it has had so far.

    Where channels are sampled, it sees the first of ``sampled`` parts of them only, and the others
    go by (PC-DARTS, Xu et al., ICLR 2020)::

        y = shuffle(concat(o(x_1), pass(x_2, ..., x_sampled)))

    ``pass`` is a 2x2 maximum at stride 2. The shuffle puts parts of all into each next sample.

    Args:
        edge: Which edge of a cell.
        channels: Input and output channels.
        stride: 1 or 2.
        method: Binarisation method.
        operations: Names of the operations.
        sampled: One of how many channels the operations see.

    Attributes:
        chosen: Name of the operation in use.
    """

    def __init__(
        self,
        edge: Edge,
        channels: int,
        stride: int,
        method: Spec,
        operations: Sequence[str],
        sampled: int,
    ) -> None:
        super().__init__()
        self.edge, self.chosen = edge, operations[0]
        self.stride, self.seen, self.sampled = stride, channels // sampled, sampled
        self.operations = nn.ModuleDict(
            {name: OPERATIONS[name](self.seen, stride, method) for name in operations}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.operations[self.chosen](x[:, : self.seen])
        if self.sampled == 1:
            return y
        rest = x[:, self.seen :]
        if self.stride == 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        return F.channel_shuffle(torch.cat([y, rest], 1), self.sampled)


@BLOCKS.register("choices")
class ChoiceStage(CellRow):
    """A stage of cells that are searched.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that, divisible by the nodes.
        stride: 1 or 2.
        count: Number of cells.
        method: Binarisation method.
        nodes: Nodes of a cell; each may read all states before it.
        operations: What an edge may have, of :data:`~binvision.backbones.cells.OPERATIONS`.
        sampled: One of how many channels of a node its operations see; see :class:`Choice`.

    Raises:
        ConfigError: The channels are not divisible by the nodes, or those of a node by the sampled
            parts, there is no such operation, or
            nothing to choose.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        count: int,
        method: Spec,
        nodes: int = 4,
        operations: Sequence[str] = tuple(OPERATIONS),
        sampled: int = 1,
    ) -> None:
        if len(operations) < 2 or len({*operations} & {*OPERATIONS}) < len(operations):
            raise ConfigError(
                f"operations {', '.join(operations)}: expected two at least, each once, of "
                f"{', '.join(OPERATIONS)}"
            )
        if out_channels % (nodes * sampled):
            raise ConfigError(
                f"cells of {nodes} nodes, one of {sampled} channels sampled: expected channels in "
                f"multiples of {nodes * sampled}, not {out_channels}"
            )

        def cell(before: int, width: int, stride: int) -> Cell:
            kind = "normal" if stride == 1 else "reduction"

            def edge(channels: int, stride: int, node: int, state: int) -> list[nn.Module]:
                return [
                    Choice(Edge(kind, node, state), channels, stride, method, operations, sampled)
                ]

            return Cell(before, width, out_channels, stride, method, nodes, edge)

        super().__init__(in_channels, out_channels, stride, count, cell)


def options_of(network: nn.Module) -> Options:
    """Return all operations of all edges of a network with stages ``choices``.

    Raises:
        ConfigError: It has no such stages, or no cells of one of the two kinds.
    """
    choices = {one.edge: one for one in network.modules() if isinstance(one, Choice)}
    if {edge.kind for edge in choices} != {"normal", "reduction"}:
        raise ConfigError(
            "a search of cells needs a staged backbone with block 'choices', and normal cells as "
            "well as such of stride 2: set model.network.backbone.blocks=(1, 2)"
        )
    return {edge: tuple(choices[edge].operations) for edge in sorted(choices)}


def choose(network: nn.Module, architecture: Architecture) -> None:
    """Let every edge compute by the architecture's operation."""
    for module in network.modules():
        if isinstance(module, Choice):
            module.chosen = architecture[module.edge]


def block_of(architecture: Architecture) -> Mapping[str, Any]:
    """Return the block ``cells`` with this architecture; see `binvision.backbones.cells`."""
    block: dict[str, Any] = {"type": "cells"}
    for kind in ("normal", "reduction"):
        count = 1 + max(edge.node for edge in architecture if edge.kind == kind)
        block[kind] = [
            [
                [name, edge.state]
                for edge, name in sorted(architecture.items())
                if (edge.kind, edge.node) == (kind, node) and name != ZEROISE
            ]
            for node in range(count)
        ]
    return block
