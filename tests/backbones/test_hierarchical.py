"""Hourglasses: blocks against their formula, resolutions, stacks, the twin, errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from binvision.backbones import HourglassBackbone
from binvision.backbones.hierarchical import POINT_BLOCKS, HierarchicalBlock, Hourglass
from binvision.errors import ConfigError
from tests.support.torch_networks import randomize


def small(method: str = "bireal", **changes: object) -> HourglassBackbone:
    return HourglassBackbone(method, **{"stem_channels": 4, "channels": 16, "depth": 2, **changes})


def signed(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x >= 0, 1.0, -1.0)


@pytest.mark.parametrize("copies", [1, 2])
def test_a_hierarchical_block_is_the_papers_formula(copies: int) -> None:
    block = randomize(HierarchicalBlock(16, 16 * copies, "bnn"), 0)
    block.first.conv.shift.data.zero_()
    block.second.conv.shift.data.zero_()
    block.third.conv.shift.data.zero_()
    x = torch.randn(2, 16, 7, 5, generator=torch.Generator().manual_seed(1))

    def layer(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        norm = layer.norm
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        x = (x.double() - norm.running_mean.double().view(-1, 1, 1)) * scale.view(-1, 1, 1)
        x = signed(x + norm.bias.double().view(-1, 1, 1))
        return F.conv2d(x, signed(layer.conv.weight.double()), padding=1)

    first = layer(x, block.first)
    second = layer(first, block.second)
    third = layer(second, block.third)
    expected = torch.cat([first, second, third], 1) + torch.cat([x.double()] * copies, 1)
    assert first.shape[1] == 8 * copies and second.shape[1] == third.shape[1] == 4 * copies
    torch.testing.assert_close(block(x).double(), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("block", sorted(POINT_BLOCKS))
@pytest.mark.parametrize(
    "method", ["fp", "activations", "bnn", "xnor", "bireal", "rbcn", "rbcn_matrix", "abc"]
)
def test_trains_in_every_method(block: str, method: str) -> None:
    torch.manual_seed(0)
    net = small(method, block=block, stacks=2)
    stages = net.stages(torch.randint(0, 256, (2, 3, 32, 48)).float())
    assert [tuple(stage.shape) for stage in stages] == [(2, 16, 8, 12)] * 2
    sum(stage.square().mean() for stage in stages).backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_only_the_shift_before_a_batch_norm_is_fixed() -> None:
    fixed = [name for name, value in small().named_parameters() if not value.requires_grad]
    assert fixed and all(name.endswith("conv.shift") for name in fixed)


@pytest.mark.parametrize("block", sorted(POINT_BLOCKS))
def test_the_float_twin_has_the_same_parameters(block: str) -> None:
    twin, binary = small("fp", block=block), small("bnn", block=block)
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in binary.named_parameters()]


def test_the_float_twin_is_not_linear_between_its_convolutions() -> None:
    block = randomize(HierarchicalBlock(8, 8, "fp"), 0)
    x = torch.randn(1, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    zero = block(torch.zeros_like(x))
    assert not torch.allclose(block(x) - zero, -(block(-x) - zero), atol=1e-3)


def test_an_hourglass_sees_far_beyond_its_own_kernels() -> None:
    net = randomize(Hourglass("hierarchical", 8, 3, "fp"), 0)
    x = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    net(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None and bool((x.grad[0, :, 24:, 24:] != 0).any())


def test_the_last_stack_is_the_output() -> None:
    net = small(stacks=3).eval()
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    assert torch.equal(net(pixels), net.stages(pixels)[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block": "bottlenek"}, "unknown block 'bottlenek'; valid: hierarchical, bottleneck"),
        ({"channels": 12}, "channels=12.*multiples of 8"),
        ({"channels": 0}, "channels=0"),
        ({"depth": 0}, "depth=0"),
        ({"stacks": 0}, "stacks=0"),
    ],
)
def test_errors_say_what_is_wrong(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**arguments)
