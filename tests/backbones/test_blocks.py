"""Blocks by name: each against its paper's formula, sizes, training, the twin, the packed form."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones import BLOCKS, build_backbone
from binvision.backbones.dense import DenseStage
from binvision.backbones.group import GroupStage
from binvision.backbones.plain import XnorBlock
from binvision.binary import METHODS
from binvision.errors import ConfigError
from binvision.export import export_model
from binvision.export.verify import verify
from tests.support.torch_networks import Coarsest, randomize

CELLS = {
    "type": "cells",
    "normal": [[("conv_3x3", 0), ("skip", 1)], [("dil_conv_5x5", 2), ("zeroise", 0)]],
    "reduction": [[("max_pool_3x3", 0), ("avg_pool_3x3", 1)], [("conv_5x5", 1)]],
}
OPTIONS = {"cells": CELLS}  # of blocks that have no defaults
NAMES = sorted(BLOCKS)
METHODS_TRIED = ["fp", "activations", "bnn", "rbcn_matrix", "abc"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def backbone(block: object, method: str = "bireal") -> nn.Module:
    torch.manual_seed(0)
    return build_backbone(
        {
            "type": "staged",
            "method": method,
            "block": OPTIONS.get(block, block) if isinstance(block, str) else block,
            "stem_channels": 4,
            "channels": (16, 32),
            "blocks": (1, 2),
        }
    )


def batch_norm(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """In float64, written out."""
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    x = (x - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + norm.eps).sqrt()
    return x * norm.weight.double().view(-1, 1, 1) + norm.bias.double().view(-1, 1, 1)


def signs(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0).double()


def unshifted(network: nn.Module, seed: int) -> nn.Module:
    """Random, with every learned shift at zero."""
    randomize(network, seed)
    for name, parameter in network.named_parameters():
        if name.endswith("shift"):
            parameter.data.zero_()
    return network


# Formulas


@pytest.mark.parametrize(("stride", "size"), [(1, (5, 4)), (2, (6, 4)), (2, (7, 5))])
def test_an_xnor_block_is_norm_sign_convolution_pool(stride: int, size: tuple[int, int]) -> None:
    block = unshifted(XnorBlock(6, 10, stride, "xnor"), 1)
    assert isinstance(block, XnorBlock)
    x = noise(2, 6, *size)
    weight = block.conv.weight.double()
    scale = weight.abs().mean((1, 2, 3))
    y = F.conv2d(signs(batch_norm(x.double(), block.norm)), signs(weight), padding=1)
    y = y * scale.view(-1, 1, 1)
    if stride == 2:
        rows, columns = range(0, size[0], 2), range(0, size[1], 2)
        y = torch.stack(
            [
                torch.stack([y[:, :, r : r + 2, c : c + 2].amax((2, 3)) for c in columns], 2)
                for r in rows
            ],
            2,
        )
    torch.testing.assert_close(block(x).double(), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_dense_stage_adds_what_it_finds_to_what_it_has(stride: int) -> None:
    stage = unshifted(DenseStage(6, 14, stride, 3, "bnn"), 2)
    assert isinstance(stage, DenseStage)
    x = noise(2, 6, 6, 8)
    y = batch_norm(x.double(), stage.enter_norm)
    y = F.max_pool2d(y, 2) if stride == 2 else y
    y = F.conv2d(y.clamp(min=0), stage.enter.weight.double())
    widths = [y.shape[1]]
    for block in stage.blocks:
        bits = signs(batch_norm(y, block.norm))
        y = torch.cat([y, F.conv2d(bits, signs(block.conv.weight), padding=1)], 1)
        widths.append(y.shape[1])
    assert widths[0] == 7 and widths[-1] == 14 and all(a < b for a, b in pairwise(widths))
    y = batch_norm(y, stage.norm)
    y = torch.where(y > 0, y, y * stage.act.weight.double().view(-1, 1, 1))
    torch.testing.assert_close(stage(x).double(), y, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_branches_of_a_group_meet_through_their_gates() -> None:
    stage = randomize(GroupStage(6, 12, 2, 3, "bireal", branches=2), 3)
    assert isinstance(stage, GroupStage)
    for index, parameter in enumerate([*stage.scales, *stage.gates]):
        parameter.data.copy_(noise(2, seed=index))
    x = noise(2, 6, 7, 5)
    states = [x, x]
    for index in range(3):
        found = [stage.branches[i][index](states[i]) for i in range(2)]
        joined = sum(float(stage.scales[index][i]) * found[i] for i in range(2))
        if index < 2:
            gates = [1 / (1 + float((-stage.gates[index][i]).exp())) for i in range(2)]
            states = [gates[i] * found[i] + (1 - gates[i]) * joined for i in range(2)]
    torch.testing.assert_close(stage(x), joined, rtol=1e-4, atol=1e-5)
    assert len(stage.gates) == 2  # none after the last block


@torch.no_grad()
def test_a_shut_gate_keeps_branches_apart_and_an_open_one_joins_them() -> None:
    stage = randomize(GroupStage(6, 6, 1, 2, "bireal", branches=2), 4)
    assert isinstance(stage, GroupStage)
    x = noise(1, 6, 5, 5)
    first = [branch[0](x) for branch in stage.branches]
    stage.gates[0].data.fill_(40.0)
    apart = sum(stage.scales[1][i] * branch[1](first[i]) for i, branch in enumerate(stage.branches))
    torch.testing.assert_close(stage(x), apart)
    stage.gates[0].data.fill_(-100.0)
    mean = stage.scales[0][0] * first[0] + stage.scales[0][1] * first[1]
    joined = sum(stage.scales[1][i] * branch[1](mean) for i, branch in enumerate(stage.branches))
    torch.testing.assert_close(stage(x), joined)


# What holds for every block


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("stride", "sides"), [(1, (7, 5)), (2, (4, 3))])
def test_sides_are_rounded_up(name: str, stride: int, sides: tuple[int, int]) -> None:
    stage = BLOCKS.build(OPTIONS.get(name, name), 16, 32, stride, 2, "bireal")
    assert stage(noise(2, 16, 7, 5)).shape == (2, 32, *sides)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS_TRIED)
def test_every_block_trains_in_every_method(name: str, method: str) -> None:
    net = backbone(name, method)
    levels = net.levels(torch.randint(0, 256, (2, 3, 32, 48)).float())
    assert [tuple(level.shape) for level in levels] == [(2, 16, 8, 12), (2, 32, 4, 6)]
    sum(level.square().mean() for level in levels).backward()
    for parameter_name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_the_float_twin_has_the_same_parameters_and_is_not_linear(name: str) -> None:
    twin, binary = backbone(name, "fp"), backbone(name, "bnn")
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in binary.named_parameters()]
    stage = randomize(BLOCKS.build(OPTIONS.get(name, name), 16, 16, 1, 1, "fp"), 0)
    x, zero = noise(1, 16, 5, 5), torch.zeros(1, 16, 5, 5)
    at_zero = stage(zero)
    assert not torch.allclose(stage(x) - at_zero, -(stage(-x) - at_zero), atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["fp", "rbcn_matrix"])
def test_every_block_packs(name: str, method: str) -> None:
    network = randomize(Coarsest(backbone(name, method)), 5)
    model = export_model(network, name="n", task="other", settings={}, provenance={}, accuracy={})
    assert verify(network, model, (32, 48)) < 1e-4


def test_blocks_keep_the_names_of_their_weights() -> None:
    """Checkpoints of earlier versions go on working."""
    names = set(backbone("bireal").state_dict())
    assert {"stages.0.0.conv.weight", "stages.1.1.norm.running_var"} <= names
    assert "stages.1.0.spatial_act.beta" in backbone("react").state_dict()


def test_every_structure_names_a_block_that_exists() -> None:
    backbones = {
        name: method.config["model"]["network"]["backbone"]
        for name, method in METHODS.items()
        if method.kind == "structure"
    }
    assert backbones["tentaclenet"] == {"type": "tentacles", "branches": 3}
    chosen = {name: change["block"] for name, change in backbones.items() if "block" in change}
    assert {"xnornet", "binary_densenet", "meliusnet", "groupnet", "hierarchical"} <= set(chosen)
    for name, block in chosen.items():
        assert backbone(block, name).levels(torch.zeros(2, 3, 16, 16))[-1].shape[1] == 32


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "group", "branches": 0}, "branches=0: expected at least one"),
        ({"type": "group", "branch": 3}, "block 'group': .*branch"),
        ("densenet", "unknown block 'densenet'.*Did you mean 'dense'"),
    ],
)
def test_blocks_that_cannot_be_are_refused(block: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        backbone(block)


def test_more_dense_blocks_than_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 blocks that add 4 channels"):
        DenseStage(8, 8, 1, 5, "bnn")
