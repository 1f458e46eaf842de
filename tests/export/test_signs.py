"""Batch norms before signs: the folded network takes exactly the bits of the one that has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from binvision.backbones import build_backbone
from binvision.export import export_model
from binvision.export.graph import Graph, Node
from binvision.export.pack import pack
from binvision.export.signs import fold_into_signs
from binvision.runtime import PackedModel
from tests.support.reference import interpret
from tests.support.torch_networks import random_images, randomize

CONV = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
LARGEST = np.finfo(np.float32).max


def normed(
    rng: np.random.Generator, channels: int, groups: int, **attrs: Any
) -> tuple[Node, Node, Node]:
    """A stem whose outputs are whole numbers, a norm that many of them lie exactly on, a 1-bit
    layer; a third of the scales is negative, some are 0."""
    stem = Node(
        "conv", "stem", ("image",), "stem", {**CONV, "offset": 128.0},
        {
            "weight": rng.integers(-1, 2, (channels, 3, 1, 1)).astype(np.int8),
            "scale": np.ones(channels), "bias": np.zeros(channels),
        },
    )  # fmt: skip
    scale = rng.choice([-3.0, -0.5, -1e-30, 0.0, 0.25, 1.0, 3e38], channels)
    bias = rng.integers(-40, 40, channels) * rng.choice([0.0, 0.25, 1 / 3], channels)
    norm = Node("affine", "norm", ("stem",), "norm", {}, {"scale": scale, "bias": bias})
    conv = Node(
        "binary_conv", "conv", ("norm",), "conv",
        {**CONV, "padding": (1, 1), "groups": groups, "in_channels": channels, **attrs},
        {
            "threshold": rng.choice([0.0, -0.0, 0.25, 1.0], channels).astype(np.float32),
            "signs": rng.choice([-1, 1], (2 * groups, channels // groups, 3, 3)).astype(np.int8),
            "scale": np.ones(2 * groups), "bias": np.zeros(2 * groups),
        },
    )  # fmt: skip
    return stem, norm, conv


def packed(graph: Graph) -> PackedModel:
    steps, tensors = pack(graph)
    image = {"name": "image", "channels": 3, "dtype": "uint8", "order": "bgr"}
    return PackedModel("n", "t", image, steps, tuple(graph.outputs), {}, {}, {}, tensors)


@settings(max_examples=60, deadline=None, print_blob=True)
@given(seed=st.integers(0, 2**32 - 1), channels=st.integers(1, 40), groups=st.integers(1, 2))
def test_the_same_sums(seed: int, channels: int, groups: int) -> None:
    graph = Graph(normed(np.random.default_rng(seed), groups * channels, groups), {"y": "conv"})
    folded = fold_into_signs(graph)
    assert [node.op for node in folded.nodes] == ["conv", "binary_conv"]
    images = random_images(1, (9, 8), seed % 1000)
    with np.errstate(over="ignore"):
        expected = interpret(packed(graph), images)["y"]
    model = packed(folded)
    np.testing.assert_array_equal(interpret(model, images)["y"], expected)
    assert np.abs(model.tensors["conv.threshold"]).max() <= LARGEST


@settings(max_examples=60, deadline=None, print_blob=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_bit_changes_at_the_very_float(seed: int) -> None:
    """At the threshold, one float32 below it, and at random: the bits of the formula."""
    rng = np.random.default_rng(seed)
    stem, norm, conv = normed(rng, 50, 1)
    norm.constants["scale"][:] = rng.normal(size=50) * 10.0 ** rng.integers(-20, 20, 50)
    norm.constants["bias"][:] = rng.normal(size=50)
    *_, folded = fold_into_signs(Graph((stem, norm, conv), {"y": "conv"})).nodes
    threshold = folded.constants["threshold"]
    turned = folded.constants["signs"][0, :, 0, 0] != conv.constants["signs"][0, :, 0, 0]
    scale, bias = (norm.constants[role].astype(np.float32) for role in ("scale", "bias"))
    below = np.nextafter(threshold, np.float32(-LARGEST))
    with np.errstate(over="ignore"):
        for x in (threshold, below, -threshold, rng.normal(size=50).astype(np.float32)):
            expected = x * scale + bias >= conv.constants["threshold"]
            np.testing.assert_array_equal((x >= threshold) != turned, expected)


@pytest.mark.parametrize("pad_value", [1, -1])
def test_padding_with_a_sign_keeps_a_norm_that_falls(pad_value: int) -> None:
    """The sign of the padding cannot change with that of the weights."""
    rng = np.random.default_rng(0)
    stem, norm, conv = normed(rng, 20, 1, pad_value=pad_value)
    graph = Graph((stem, norm, conv), {"y": "conv"})
    assert fold_into_signs(graph) == graph
    norm.constants["scale"][:] = 0.5
    folded = fold_into_signs(graph)
    assert [node.op for node in folded.nodes] == ["conv", "binary_conv"]
    images = random_images(1, (6, 7), 0)
    ours, truth = (interpret(packed(g), images)["y"] for g in (folded, graph))
    np.testing.assert_array_equal(ours, truth)


def test_what_others_read_stays() -> None:
    stem, norm, conv = normed(np.random.default_rng(0), 20, 1)
    folded = fold_into_signs(Graph((stem, norm, conv), {"y": "conv", "z": "norm"}))
    assert [(node.op, node.inputs) for node in folded.nodes[1:]] == [
        ("affine", ("stem",)),
        ("binary_conv", ("stem",)),
    ]


@pytest.mark.parametrize("block", ["hierarchical", "bottleneck"])
@pytest.mark.parametrize("seed", range(2))
def test_blocks_of_points(block: str, seed: int) -> None:
    """No norm is left in an hourglass, and its map is PyTorch's."""
    backbone = build_backbone(
        {
            "type": "hourglass", "method": "bireal", "block": block, "stem_channels": 4,
            "channels": 24, "depth": 1, "stacks": 2,
        }
    )  # fmt: skip
    network = randomize(nn.Sequential(backbone, nn.Conv2d(24, 5, 1)), seed)
    model = export_model(network, name="n", task="t", settings={}, provenance={}, accuracy={})
    assert "affine" not in {step.op for step in model.steps}
    images = random_images(1, (32, 40), seed)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    ours = interpret(model, images)["features"].transpose(0, 3, 1, 2)
    assert np.abs(ours - theirs.numpy()).max() < 0.01 * np.abs(theirs.numpy()).max()
