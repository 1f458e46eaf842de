"""Real convolutions rounded to eight bits after training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from binvision.backbones import build_backbone
from binvision.binary import EightBitConv2d, QuantConv2d
from binvision.errors import ExportError
from binvision.export import export_model, round_to_eight_bits
from binvision.runtime import PackedModel, Runner
from tests.support.in_torch import evaluate
from tests.support.torch_networks import random_images, randomize


def pixels(count: int, size_hw: tuple[int, int], seed: int) -> Tensor:
    return torch.from_numpy(random_images(count, size_hw, seed)).permute(0, 3, 1, 2).float()


def exported(network: nn.Module) -> PackedModel:
    fields: dict[str, Any] = dict(settings={}, provenance={}, accuracy={})
    return export_model(network, name="random", task="tracking/siamfc", **fields)


@pytest.mark.parametrize(("groups", "bias"), [(1, False), (2, True)])
def test_layer_is_the_formula(groups: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(groups)
    conv = nn.Conv2d(6, 4, 3, 2, 1, groups=groups, bias=bias)
    x = (
        torch.randn(2, 6, 9, 8, generator=generator)
        * torch.tensor([9, 1, 4, 0, 2, 30.0])[:, None, None]
    )
    largest = x.abs().amax((0, 2, 3)) * 0.9  # so that some values are clipped
    layer = EightBitConv2d(conv, largest)

    levels = 127 / np.maximum(largest.numpy(), np.float32(1e-6))
    a = np.clip(np.rint(x.numpy() * levels[:, None, None]), -128, 127)
    assert (a == 127).any() and (a == -128).any()
    share = 6 // groups
    v = conv.weight.detach().numpy().astype(np.float64)
    for o in range(4):
        first = o // (4 // groups) * share
        v[o] /= levels[first : first + share, None, None]
    step = np.abs(v).max((1, 2, 3))
    q = np.rint(v / step[:, None, None, None] * 127)
    exact = nn.functional.conv2d(
        torch.from_numpy(a.astype(np.float64)), torch.from_numpy(q), None, 2, 1, 1, groups
    )
    y = exact.numpy() * (step / 127)[:, None, None]
    if bias:
        y = y + conv.bias.detach().numpy()[:, None, None]
    np.testing.assert_allclose(layer(x).detach().numpy(), y, rtol=1e-6, atol=1e-6 * np.abs(y).max())


def test_rounding_changes_little_and_leaves_the_original_alone() -> None:
    network = randomize(build_backbone({"type": "residual", "method": "rbcn"}), 3)
    image, other = pixels(1, (79, 79), 0), pixels(2, (95, 63), 1)
    rounded = round_to_eight_bits(network, [other, image])
    assert isinstance(network.head, nn.Conv2d) and isinstance(rounded.head, EightBitConv2d)
    assert isinstance(rounded.stem, QuantConv2d)
    with torch.inference_mode():
        real, eight = network(image), rounded(image)
    error = (real - eight).square().mean().sqrt() / real.square().mean().sqrt()
    assert 1e-4 < error < 0.03


class Deep(nn.Module):
    """Real convolutions of floats with groups, padding, a bias and a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = QuantConv2d(3, 12, 3, 2)
        self.wide = nn.Conv2d(12, 20, 3, 2, 1, groups=2)
        self.norm = nn.BatchNorm2d(20)
        self.point = nn.Conv2d(20, 20, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.wide(self.stem(x))))
        return self.point(x) + x


def test_packed_layers_agree_with_torch() -> None:
    network = round_to_eight_bits(randomize(Deep(), 1), [pixels(2, (31, 40), 0)])
    model, images = exported(network), random_images(1, (31, 40), 5)
    assert [step.op for step in model.steps] == ["conv"] * 3
    assert [str(model.tensor(step, "weight").dtype) for step in model.steps] == ["int8"] * 3
    ours = Runner(model, batch=1, size_hw=(31, 40))(images)["features"]
    steps = evaluate(model, images)["features"].permute(0, 2, 3, 1).numpy()
    with torch.inference_mode():
        theirs = network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    theirs = theirs.permute(0, 2, 3, 1).numpy()
    # A value within rounding of a half may be rounded the other way: one of 255 levels.
    size = np.sqrt(np.mean(theirs**2))
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 1e-4 * size
    assert np.sqrt(np.mean((ours - steps) ** 2)) < 1e-4 * size


def test_nothing_to_measure_on() -> None:
    with pytest.raises(ExportError, match="layer 'point' saw no picture; give some"):
        round_to_eight_bits(randomize(Deep(), 1), [])


def test_ranges_that_are_not_finite() -> None:
    network = randomize(Deep(), 1)
    with torch.no_grad():
        network.stem.weight.fill_(torch.nan)
    with pytest.raises(ExportError, match="layer 'wide': its input holds NaN or infinity"):
        round_to_eight_bits(network, [pixels(1, (31, 40), 0)])
