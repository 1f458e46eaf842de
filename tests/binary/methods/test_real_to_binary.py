"""Stages from a real to a binary network, and what one teaches the next."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from binvision.binary import LOSSES, BinaryConv2d, auxiliary_losses
from binvision.binary.methods.real_to_binary import attention_map
from binvision.training.methods import MethodHook

METHOD = {
    "type": "real_to_binary",
    "activation": {"type": "staged", "until": 0.3},
    "weight": {"type": "staged", "until": 0.6},
}


def make_layer(seed: int, progress: float) -> BinaryConv2d:
    torch.manual_seed(seed)
    layer = BinaryConv2d(6, 4, 3, padding=1, method=METHOD).double()
    torch.nn.init.normal_(layer.weight, std=0.8)
    torch.nn.init.uniform_(layer.scale.rectification, 0.1, 1)
    for part in (layer.activation, layer.quantizer):
        part.progress.fill_(progress)
    return layer


def signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0)


def passes(values: np.ndarray) -> np.ndarray:
    return (np.abs(values) <= 1).astype(float)


@pytest.mark.parametrize("progress", [0.0, 0.29, 0.3, 0.59, 0.6, 1.0])
def test_parts_of_each_stage(progress: float) -> None:
    layer = make_layer(1, progress)
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    activations = layer.binarize_activation(x)
    activations.sum().backward()
    values = x.detach().numpy()
    is_real = progress < 0.3
    np.testing.assert_allclose(
        activations.detach(), np.tanh(values) if is_real else signs(values), atol=1e-12
    )
    slope = 1 - np.tanh(values) ** 2 if is_real else passes(values)
    np.testing.assert_allclose(x.grad, slope, atol=1e-12)

    quantized = layer.binarize_weight()
    quantized.sum().backward()
    w, c = layer.weight.detach().numpy(), layer.scale.rectification.detach().numpy()
    magnitude = np.abs(w).mean((1, 2, 3), keepdims=True)
    is_real = progress < 0.6
    np.testing.assert_allclose(
        quantized.detach(), c * (w / magnitude if is_real else signs(w)), atol=1e-12
    )
    slope = c / magnitude * np.ones_like(w) if is_real else c * passes(w)
    np.testing.assert_allclose(layer.weight.grad, slope, atol=1e-12)


def test_attention_of_a_layer_and_its_teacher() -> None:
    layer = make_layer(2, 1.0)
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 3, 4, 5, 5))
    layer.last_output = torch.from_numpy(a).requires_grad_()
    assert LOSSES["attention"](layer) == 0

    layer.guide = (attention_map(torch.from_numpy(b)), torch.tensor(1.0))
    loss = LOSSES["attention"](layer)
    loss.backward()
    total, gradient = 0.0, np.empty_like(a)
    for n in range(3):
        q, t = ((maps[n] ** 2).sum(0).ravel() for maps in (a, b))
        length, unit = np.sqrt((q**2).sum()), q / np.sqrt((q**2).sum())
        error = unit - t / np.sqrt((t**2).sum())
        distance = np.sqrt((error**2).sum())
        total += distance / 3
        direction = error / distance
        by_q = (direction - unit * (unit @ direction)) / length / 3
        gradient[n] = by_q.reshape(5, 5) * 2 * a[n]
    np.testing.assert_allclose(loss.item(), total, rtol=1e-12)
    np.testing.assert_allclose(layer.last_output.grad, gradient, atol=1e-14)

    layer.guide = (layer.guide[0], torch.tensor(0.0))
    assert LOSSES["attention"](layer) == 0


def test_equal_attention_and_an_empty_map_have_finite_gradients() -> None:
    for output in (torch.randn(2, 4, 3, 3), torch.zeros(2, 4, 3, 3)):
        layer = make_layer(4, 1.0)
        layer.last_output = output.requires_grad_()
        layer.guide = (attention_map(output.detach()), torch.tensor(1.0))
        LOSSES["attention"](layer).backward()
        assert torch.isfinite(output.grad).all()


def make_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Module()
    model.network = nn.Sequential(
        BinaryConv2d(3, 6, 3, method=METHOD),
        nn.BatchNorm2d(6),
        BinaryConv2d(6, 4, 3, method=METHOD),
    )
    return model


def train(model: nn.Module, hook: MethodHook, first: int, last: int) -> list[dict[str, Any]]:
    """Steps of a run of ten, at a fixed rate; returns what each step's losses were."""
    runner = SimpleNamespace(model=model, iter=first, max_iters=10)
    hook.before_train(runner)  # type: ignore[arg-type]
    seen = []
    for step in range(first, last):
        runner.iter = step
        hook.before_train_iter(runner, step)  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(step)
        y = model.network(torch.randn(8, 3, 7, 7, generator=generator))
        losses = auxiliary_losses(model)
        seen.append({name: loss.item() for name, loss in losses.items()})
        model.zero_grad()
        (y.square().mean() + sum(losses.values())).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.05 * parameter.grad
        hook.after_train_iter(runner, step)  # type: ignore[arg-type]
    runner.iter = last
    checkpoint: dict[str, Any] = {}
    hook.before_save_checkpoint(runner, checkpoint)  # type: ignore[arg-type]
    return [*seen, checkpoint]


def test_each_stage_is_taught_by_the_one_before() -> None:
    model, hook = make_model(5), MethodHook()
    *losses, checkpoint = train(model, hook, 0, 10)
    values = [loss["loss_attention"] for loss in losses]
    assert values[:3] == [0, 0, 0] and min(values[3:]) > 0
    assert checkpoint == {}  # at the end it has served
    assert not any("progress" in name for name in model.state_dict())


def test_the_teacher_is_the_network_before_the_border() -> None:
    model, hook = make_model(6), MethodHook()
    train(model, hook, 0, 3)
    twin = make_model(0).network
    twin.load_state_dict(model.network.state_dict())
    for layer in (twin[0], twin[2]):
        layer.activation.progress.fill_(0.2)
        layer.quantizer.progress.fill_(0.2)
    twin.train()[1].eval()
    runner = SimpleNamespace(model=model, iter=3, max_iters=10)
    hook.before_train_iter(runner, 3)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 7, 7)
    model.network(x)
    twin(x)
    expected = attention_map(twin[2].last_output)
    assert torch.equal(model.network[2].guide[0], expected)
    hook.after_train(runner)  # type: ignore[arg-type]
    model.network[2].guide = None
    model.network(x)
    assert model.network[2].guide is None


@pytest.mark.parametrize("cut", [2, 4, 7])
def test_a_resumed_run_goes_on_alike(cut: int) -> None:
    whole = make_model(7)
    *expected, _ = train(whole, MethodHook(), 0, 10)

    model = make_model(7)
    *_, checkpoint = train(model, MethodHook(), 0, cut)
    again, hook = make_model(8), MethodHook()
    again.load_state_dict(model.state_dict())
    hook.after_load_checkpoint(None, copy.deepcopy(checkpoint))  # type: ignore[arg-type]
    *losses, _ = train(again, hook, cut, 10)
    assert losses == expected[cut:]
    for ours, theirs in zip(again.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)
