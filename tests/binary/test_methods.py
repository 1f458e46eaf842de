"""What holds for every method in the registry, whatever its parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.binary import METHODS, BinaryConv2d, find_method, register_method
from binvision.errors import ConfigError
from tests.support.torch_networks import randomize

NAMES = sorted(METHODS)


def made(name: str, seed: int, **shape: int) -> BinaryConv2d:
    torch.manual_seed(seed)
    layer = BinaryConv2d(12, 8, 3, padding=1, method=name, **shape)
    assert isinstance(randomize(layer, seed), BinaryConv2d)
    return layer


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    method = METHODS[name]
    assert method.name == name and method.title and method.paper
    assert "=" in method.formula


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("groups", [1, 2])
def test_what_training_computes_is_what_inference_computes(name: str, groups: int) -> None:
    layer = made(name, 1, groups=groups)
    x = torch.randn(2, 12, 7, 5)
    exact = layer.eval()(x)
    if layer.quantizer is not None and layer.quantizer.is_random:  # training is right in the mean
        draws = torch.stack([layer.train()(x).detach() for _ in range(400)])
        assert ((draws.mean(0) - exact).abs() < 6 * draws.std(0) / 400**0.5).all()
        return
    np.testing.assert_allclose(
        layer.train()(x).detach(), exact.detach(), rtol=0, atol=1e-5 * exact.abs().max().item()
    )


@pytest.mark.parametrize("name", NAMES)
def test_folded_constants_give_the_layer(name: str) -> None:
    layer = made(name, 2)
    if not layer.is_binary:
        pytest.skip("keeps weights or activations real")
    if layer.scale is not None and layer.scale.varies:
        pytest.skip("scales each position, which constants cannot hold")
    x = torch.randn(2, 12, 6, 9)
    folded = layer.folded()
    assert set(folded["signs"].unique().tolist()) <= {-1, 1}
    planes = folded["threshold"].view(-1, 12, 1, 1)
    bases = folded["signs"].double()
    scale = folded["scale"].double().view(len(planes), len(bases), -1, 8)
    total = torch.zeros(2, 8, 6, 9, dtype=torch.float64)
    for m, threshold in enumerate(planes):
        bits = torch.where(x >= threshold, 1.0, -1.0).double()
        for k, base in enumerate(bases):
            kernel = base * scale[m, k].t().reshape(
                8, 1, *((3, 3) if scale.shape[2] > 1 else (1, 1))
            )
            total += torch.nn.functional.conv2d(bits, kernel, padding=1)
    result = layer(x).detach()
    np.testing.assert_allclose(result, total, rtol=0, atol=1e-5 * total.abs().max().item())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_learns(name: str) -> None:
    """Fits the responses of a fixed random layer: the loss must fall by a good part."""
    torch.manual_seed(10)
    x = torch.randn(64, 8, 6, 6)
    target = BinaryConv2d(8, 8, 3, method=name).eval()(x).detach()
    layer = BinaryConv2d(8, 8, 3, method=name)
    model = torch.nn.Sequential(layer, torch.nn.BatchNorm2d(8))
    if not layer.weight.requires_grad:  # fixed filters: what learns is the 1x1 that reads them
        model.append(torch.nn.Conv2d(8, 8, 1))
    target = (target - target.mean((0, 2, 3), keepdim=True)) / target.std((0, 2, 3), keepdim=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = (model(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.8 * losses[0]


def test_a_preset_with_changes() -> None:
    layer = BinaryConv2d(3, 4, 3, method={"type": "xnor", "activation": "polynomial"})
    assert layer.method.scale == "mean" and layer.method.activation == "polynomial"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("xnorr", "unknown binarisation method 'xnorr'; valid: .*Did you mean 'xnor'"),
        ({"name": "xnor"}, r"expected a name, or dict\(type=NAME"),
        ({"type": "xnor", "scales": "mean"}, "method 'xnor': .*scales"),
    ],
)
def test_wrong_methods_are_refused(spec: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_method(spec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "clipp"}, "unknown activation quantiser 'clipp'.*Did you mean 'clip'"),
        ({"weight": {"type": "abc", "base": 3}}, "weight quantiser 'abc': .*base"),
        ({"scale": "max"}, "unknown scale 'max'; valid: "),
    ],
)
def test_wrong_parts_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BinaryConv2d(3, 4, 3, method={"type": "xnor", **changes})


def test_a_name_is_given_once() -> None:
    with pytest.raises(ConfigError, match="there is a method 'xnor' already"):
        register_method(METHODS["xnor"])


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown loss 'kernels'.*Did you mean 'kernel'"):
        BinaryConv2d(3, 4, 3, method={"type": "xnor", "losses": {"kernels": 1.0}})
