"""The rules of the evolution, against loops that restate them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from binvision.backbones import build_backbone
from binvision.backbones.plain import XnorBlock
from binvision.binary import BinaryConv2d, QuantConv2d
from binvision.classifiers.search.widths import (
    channels_of,
    cost,
    cross,
    fitness,
    mutate,
    novel,
    select,
)
from tests.support.torch_networks import outputs_of_layers, random_images

RATIOS = (0.25, 0.5, 1, 2, 3, 4)


def test_channels() -> None:
    assert channels_of((0.5, 3.0, 0.25), (128, 10, 2)) == (64, 30, 1)


@pytest.mark.parametrize("side", [8, 15])
def test_cost_is_that_of_the_network(side: int) -> None:
    channels = (8, 12, 5, 20, 6)
    network = build_backbone({"type": "vgg", "method": "bnn", "channels": channels}).eval()
    outputs, _ = outputs_of_layers(network, random_images(1, (side, side), 0))
    total = 0.0
    for name, layer in network.named_modules():
        if isinstance(layer, (BinaryConv2d, QuantConv2d)):
            macs = math.prod(outputs[name].shape[1:]) * layer.weight[0].numel()
            total += macs / 64 if isinstance(layer, BinaryConv2d) else macs
    assert cost(channels, side) == total
    assert isinstance(network.blocks[0], XnorBlock)


def test_fitness_is_accuracy_within_the_limit() -> None:
    assert fitness(0.7, 3.0, 3.0) == 0.7
    assert fitness(0.9, 3.0001, 3.0) == -math.inf


def test_the_fittest_are_selected() -> None:
    scores = {(1.0,): 0.3, (2.0,): 0.9, (3.0,): 0.9, (4.0,): -math.inf}
    assert select(scores, 3) == [(2.0,), (3.0,), (1.0,)]
    assert select(scores, 9) == [(2.0,), (3.0,), (1.0,), (4.0,)]
    assert select({}, 2) == []


def test_mutation_changes_so_many_layers() -> None:
    generator = np.random.default_rng(0)
    parent = (1.0,) * 20_000
    child = np.array(mutate(parent, RATIOS, 0.3, generator))
    # A layer that is drawn anew draws its old ratio once in six.
    assert (child != 1).mean() == pytest.approx(0.3 * 5 / 6, abs=0.015)
    for ratio in RATIOS:
        if ratio != 1:
            assert (child == ratio).mean() == pytest.approx(0.3 / 6, abs=0.01)
    assert mutate(parent, RATIOS, 0.0, generator) == parent


def test_crossover_takes_each_layer_from_a_parent() -> None:
    one, other = (1.0,) * 10_000, (2.0,) * 10_000
    child = np.array(cross(one, other, np.random.default_rng(1)))
    assert set(child) == {1.0, 2.0}
    assert (child == 1).mean() == pytest.approx(0.5, abs=0.02)
    # Each layer by itself: neighbours agree no more often than chance has it.
    assert (child[1:] == child[:-1]).mean() == pytest.approx(0.5, abs=0.02)


def test_individuals_are_new_and_fit() -> None:
    proposals = iter([(1.0,), (2.0,), (2.0,), (3.0,), (4.0,), (5.0,)])
    found = novel(lambda: next(proposals), 2, {(1.0,)}, lambda each: each != (3.0,))
    assert found == [(2.0,), (4.0,)]
    assert novel(lambda: (1.0,), 3, {(1.0,)}, lambda each: True) == []
