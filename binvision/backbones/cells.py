"""Cells of operations that a search has found, as stages of a backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.binary import BinaryConv2d, Spec
from binvision.errors import ConfigError

__all__ = [
    "OPERATIONS",
    "ZEROISE",
    "BinaryOperation",
    "Cell",
    "CellRow",
    "CellStage",
    "Nodes",
    "Pooling",
    "Skip",
    "Zeroise",
]

# For each node of a cell its edges: the operation, and the state that it reads. States 0 and 1 are
# the outputs of the last cell but one and of the last cell, 2 and on the nodes in their order.
Nodes = Sequence[Sequence[tuple[str, int]]]

ZEROISE = "zeroise"


class BinaryOperation(nn.Module):
    """Sign, 1-bit convolution, batch norm; the float twin has a ReLU in the place of the sign."""

    def __init__(
        self, channels: int, stride: int, method: Spec, *, kernel: int, dilation: int = 1
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = BinaryConv2d(
            channels, channels, kernel, stride, padding, dilation, method=method
        )
        self.rectify = nn.Identity() if self.conv.method.activation else nn.ReLU()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        return self.norm(self.conv(self.rectify(x)))


class Pooling(nn.Module):
    """A 3x3 pool and a batch norm, as in PC-DARTS."""

    def __init__(self, channels: int, stride: int, method: Spec, *, largest: bool) -> None:
        super().__init__()
        self.stride, self.largest = stride, largest
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        if self.largest:
            return self.norm(F.max_pool2d(x, 3, self.stride, 1))
        return self.norm(F.avg_pool2d(x, 3, self.stride, 1, count_include_pad=False))


class Skip(nn.Module):
    """The input; at stride 2 its 2x2 average."""

    def __init__(self, channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        return x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)


class Zeroise(nn.Module):
    """Nothing; in a found cell its edge does not exist."""

    def __init__(self, channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


def _binary(kernel: int, dilation: int = 1) -> Callable[[int, int, Spec], nn.Module]:
    return lambda channels, stride, method: BinaryOperation(
        channels, stride, method, kernel=kernel, dilation=dilation
    )


def _pooling(largest: bool) -> Callable[[int, int, Spec], nn.Module]:
    return lambda channels, stride, method: Pooling(channels, stride, method, largest=largest)


# The eight operations of DARTS and PC-DARTS with 1-bit convolutions in the place of separable
# ones, whose depthwise half loses most by its signs.
OPERATIONS: Mapping[str, Callable[[int, int, Spec], nn.Module]] = {
    ZEROISE: Zeroise,
    "skip": Skip,
    "max_pool_3x3": _pooling(largest=True),
    "avg_pool_3x3": _pooling(largest=False),
    "conv_3x3": _binary(3),
    "conv_5x5": _binary(5),
    "dil_conv_3x3": _binary(3, dilation=2),
    "dil_conv_5x5": _binary(5, dilation=2),
}


class Cell(nn.Module):
    """Nodes that each add what their edges bring (DARTS, ICLR 2019, fig. 1), with a shortcut.

    ::

        s[0], s[1] = BN(BinaryConv1x1(before)), BN(BinaryConv1x1(x))
        s[j] = sum over edges (o, i) of node j of o(s[i])
        y = concat(s[2], s[3], ...) + shortcut(x)

    The shortcut between cells is that of BNAS (Kim et al., ECCV 2020), which keeps gradients of
    1-bit cells from vanishing. It costs no multiplication: at stride 2 it is a 2x2 average, and
    where the channels double it is the input twice.

    Args:
        before_channels: Channels of the output of the last cell but one.
        in_channels: Channels of the output of the last cell.
        out_channels: Output channels: ``in_channels`` or twice that, divisible by the nodes.
        stride: 1 or 2.
        method: Binarisation method.
        nodes: Number of nodes.
        edge: Makes what is between state ``i`` and node ``j``, from (channels, stride, j, i); None
            where there is no edge.
    """

    def __init__(
        self,
        before_channels: int,
        in_channels: int,
        out_channels: int,
        stride: int,
        method: Spec,
        nodes: int,
        edge: Callable[[int, int, int, int], list[nn.Module]],
    ) -> None:
        super().__init__()
        width = out_channels // nodes
        self.stride, self.copies = stride, out_channels // in_channels
        self.enter_before = _enter(before_channels, width, method)
        self.enter = _enter(in_channels, width, method)
        self.nodes = nn.ModuleList()
        self.inputs: list[list[int]] = []
        for node in range(nodes):
            operations, inputs = nn.ModuleList(), []
            for state in range(node + 2):
                made = edge(width, stride if state < 2 else 1, node, state)
                operations.extend(made)
                inputs += [state] * len(made)
            self.nodes.append(operations)
            self.inputs.append(inputs)

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """Map (N, before, H, W), (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        states = [self.enter_before(before), self.enter(x)]
        for operations, inputs in zip(self.nodes, self.inputs, strict=True):
            total: Tensor | None = None
            for operation, state in zip(operations, inputs, strict=True):
                y = operation(states[state])
                total = y if total is None else total + y
            assert total is not None
            states.append(total)
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        if self.copies > 1:
            shortcut = torch.cat([shortcut] * self.copies, 1)
        return torch.cat(states[2:], 1) + shortcut


def _enter(in_channels: int, out_channels: int, method: Spec) -> nn.Sequential:
    conv = BinaryConv2d(in_channels, out_channels, 1, method=method)
    rectify = nn.Identity() if conv.method.activation else nn.ReLU()
    return nn.Sequential(rectify, conv, nn.BatchNorm2d(out_channels))


class CellRow(nn.Module):
    """A stage of cells: a reduction cell where the stage has stride 2, then normal cells.

    Both inputs of the first cell are the input of the stage. After the last there are a batch norm
    and a PReLU.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        stride: 1 or 2.
        count: Number of cells.
        cell: Makes a cell from the channels of the last cell but one and of the last cell, and
            its stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        count: int,
        cell: Callable[[int, int, int], Cell],
    ) -> None:
        super().__init__()
        self.cells = nn.ModuleList()
        before, width = in_channels, in_channels
        for index in range(count):
            here = stride if index == 0 else 1
            self.cells.append(cell(before, width, here))
            before, width = (out_channels if here == 2 else width), out_channels
        self.reduced = stride == 2
        self.norm, self.act = nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        before = x
        for index, cell in enumerate(self.cells):
            y = cell(before, x)
            # What came before a reduction is twice as large, and of no use after it.
            before, x = (y if self.reduced and index == 0 else x), y
        return self.act(self.norm(x))


@BLOCKS.register("cells")
class CellStage(CellRow):
    """A stage of cells that are known.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that, divisible by the nodes.
        stride: 1 or 2.
        count: Number of cells.
        method: Binarisation method.
        normal: Edges of each node of a normal cell.
        reduction: Edges of each node of a cell of stride 2.

    Raises:
        ConfigError: An operation or a state does not exist, a node has nothing to add, or the
            channels are not divisible by the nodes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        count: int,
        method: Spec,
        normal: Nodes,
        reduction: Nodes,
    ) -> None:
        def cell(before: int, width: int, stride: int) -> Cell:
            kind, nodes = ("normal", normal) if stride == 1 else ("reduction", reduction)
            _check(kind, nodes, out_channels)
            edge = _edges(nodes, method)
            return Cell(before, width, out_channels, stride, method, len(nodes), edge)

        super().__init__(in_channels, out_channels, stride, count, cell)


def _edges(nodes: Nodes, method: Spec) -> Callable[[int, int, int, int], list[nn.Module]]:
    def edge(channels: int, stride: int, node: int, state: int) -> list[nn.Module]:
        return [
            OPERATIONS[name](channels, stride, method)
            for name, read in nodes[node]
            if read == state and name != ZEROISE
        ]

    return edge


def _check(kind: str, nodes: Nodes, channels: int) -> None:
    if not nodes or channels % len(nodes):
        raise ConfigError(
            f"{kind} cell of {len(nodes)} nodes: expected at least one, and channels in multiples "
            f"of them, not {channels}"
        )
    for index, edges in enumerate(nodes):
        for name, state in edges:
            if name not in OPERATIONS:
                raise ConfigError(
                    f"{kind} cell: unknown operation {name!r}; valid: {', '.join(OPERATIONS)}"
                )
            if not 0 <= state < index + 2:
                raise ConfigError(
                    f"{kind} cell: node {index} reads state {state}; expected 0 to {index + 1}"
                )
        if all(name == ZEROISE for name, _ in edges):
            raise ConfigError(f"{kind} cell: node {index} has nothing to add; give it an edge")
