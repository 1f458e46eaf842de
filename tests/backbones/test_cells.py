"""Cells of operations: what their edges compute, written out; what cannot be."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.cells import OPERATIONS, CellStage
from binvision.errors import ConfigError
from tests.support.torch_networks import randomize

NORMAL = [[("conv_3x3", 0), ("skip", 1)], [("dil_conv_3x3", 2), ("max_pool_3x3", 1)]]
REDUCTION = [[("conv_5x5", 0)], [("avg_pool_3x3", 1), ("skip", 0), ("skip", 2)]]


def stage(stride: int, count: int, method: str = "bnn", **cells: object) -> CellStage:
    cells = {"normal": NORMAL, "reduction": REDUCTION, **cells}
    made = randomize(CellStage(8, 8 * stride, stride, count, method, **cells), 0)
    assert isinstance(made, CellStage)
    return made


def norm(x: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    return F.batch_norm(
        x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
    )


def one_bit(x: Tensor, layer: nn.Module, **geometry: int) -> Tensor:
    """Signs of the input by signs of the weights, then the norm."""
    signs = [
        torch.where(v >= 0, 1.0, -1.0)
        for v in (x + layer.conv.shift.view(-1, 1, 1), layer.conv.weight)
    ]
    return norm(F.conv2d(signs[0], signs[1], **geometry), layer.norm)


def enter(x: Tensor, entry: nn.Sequential) -> Tensor:
    conv, batch_norm = entry[1], entry[2]
    signs = [torch.where(v >= 0, 1.0, -1.0) for v in (x + conv.shift.view(-1, 1, 1), conv.weight)]
    return norm(F.conv2d(*signs), batch_norm)


@torch.no_grad()
def test_a_cell_is_the_sum_of_its_edges() -> None:
    made = stage(1, 1)
    (cell,) = made.cells
    x = torch.randn(2, 8, 6, 7)
    first, second = enter(x, cell.enter_before), enter(x, cell.enter)
    node0 = one_bit(first, cell.nodes[0][0], padding=1) + second
    # Edges are in the order of the states that they read.
    pooled = norm(F.max_pool2d(second, 3, 1, 1), cell.nodes[1][0].norm)
    node1 = pooled + one_bit(node0, cell.nodes[1][1], padding=2, dilation=2)
    expected = norm(torch.cat([node0, node1], 1) + x, made.norm)
    expected = F.prelu(expected, made.act.weight)
    torch.testing.assert_close(made(x), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_reduction_halves_only_what_comes_from_outside_the_cell() -> None:
    made = stage(2, 1)
    (cell,) = made.cells
    x = torch.randn(2, 8, 6, 8)
    first, second = enter(x, cell.enter_before), enter(x, cell.enter)
    node0 = one_bit(first, cell.nodes[0][0], stride=2, padding=2)
    average = F.avg_pool2d(second, 3, 2, 1, count_include_pad=False)
    node1 = F.avg_pool2d(first, 2) + norm(average, cell.nodes[1][1].norm) + node0
    shortcut = F.avg_pool2d(x, 2)
    expected = norm(torch.cat([node0, node1], 1) + torch.cat([shortcut] * 2, 1), made.norm)
    torch.testing.assert_close(made(x), F.prelu(expected, made.act.weight), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_normal_cell_reads_the_last_two() -> None:
    made = stage(1, 3)
    x = torch.randn(1, 8, 5, 5)
    first = made.cells[0](x, x)
    second = made.cells[1](x, first)
    third = made.cells[2](first, second)
    torch.testing.assert_close(made(x), made.act(made.norm(third)))


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize(("stride", "sides"), [(1, (7, 5)), (2, (4, 3))])
def test_operations_have_one_size(name: str, stride: int, sides: tuple[int, int]) -> None:
    operation = OPERATIONS[name](4, stride, "bireal")
    assert operation(torch.randn(2, 4, 7, 5)).shape == (2, 4, *sides)


@pytest.mark.parametrize(
    ("normal", "message"),
    [
        ([], "normal cell of 0 nodes"),
        ([[("skip", 0)]] * 3, "of 3 nodes: .*not 8"),
        ([[("sep_conv_3x3", 0)]], "unknown operation 'sep_conv_3x3'; valid: zeroise, skip"),
        ([[("skip", 2)]], "node 0 reads state 2; expected 0 to 1"),
        ([[("skip", 0)], [("zeroise", 1)]], "node 1 has nothing to add"),
    ],
)
def test_cells_that_cannot_be_are_refused(normal: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        stage(1, 1, normal=normal)
