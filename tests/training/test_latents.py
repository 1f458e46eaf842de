"""Optimisers of binary weights against their algorithms, restated in NumPy."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from binvision.binary import METHODS, BinaryConv2d
from binvision.training import latents


def make_model(method: str, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), BinaryConv2d(6, 4, 3, method=method), nn.BatchNorm2d(4)
    ).double()


def make_optimizer(model: nn.Module, **optimizer: Any) -> torch.optim.Optimizer:
    config = {"type": "OptimWrapper", "constructor": "LatentConstructor", "optimizer": optimizer}
    return build_optim_wrapper(model, config).optimizer


def set_gradients(model: nn.Module, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    gradients = {}
    for name, parameter in model.named_parameters():
        gradients[name] = 1e-3 * rng.normal(size=parameter.shape)
        parameter.grad = torch.from_numpy(gradients[name].copy())
    return gradients


def test_bop() -> None:
    model = make_model("bop", 1)
    optimizer = make_optimizer(model, type="Bop", gamma=0.3, threshold=4e-4, lr=0.01)
    w = np.where(model[1].weight.detach().numpy() >= 0, 1.0, -1.0)
    m, flipped = np.zeros_like(w), 0
    for step in range(6):
        g = set_gradients(model, step)["1.weight"]
        optimizer.step()
        m = 0.7 * m + 0.3 * g
        flips = (np.abs(m) > 4e-4) & (np.sign(m) == np.sign(w))
        flipped += flips.sum()
        w = np.where(flips, -w, w)
        np.testing.assert_array_equal(model[1].weight.detach(), w)
    assert 10 < flipped < 6 * w.size / 2


def test_bayes_binn() -> None:
    model = make_model("bayes_binn", 2)
    options = {"rate": 0.02, "pictures": 500, "start": 1.5, "momentum": 0.8, "floor": 0.1}
    optimizer = make_optimizer(model, type="BayesBiNN", **options)
    v = 1.5 * np.where(model[1].weight.detach().numpy() >= 0, 1.0, -1.0)
    m = np.zeros_like(v)
    for step in range(1, 7):
        g = set_gradients(model, step)["1.weight"]
        optimizer.step()
        m = 0.8 * m + 0.2 * (500 * g / np.maximum(1 - np.tanh(v) ** 2, 0.1) + v)
        v = v - 0.02 * m / (1 - 0.8**step)
        np.testing.assert_allclose(model[1].weight.detach(), v, atol=1e-12)


@pytest.mark.parametrize("kind", ["Bop", "BayesBiNN"])
def test_all_else_is_trained_by_adam(kind: str) -> None:
    model, twin = make_model("bop", 3), make_model("bop", 3)
    optimizer = make_optimizer(model, type=kind, lr=0.01, weight_decay=0.1)
    others = [p for name, p in twin.named_parameters() if name != "1.weight"]
    adam = torch.optim.AdamW(others, lr=0.01, weight_decay=0.1)
    for step in range(4):
        set_gradients(model, step)
        set_gradients(twin, step)
        optimizer.step()
        adam.step()
    for (name, ours), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs) == (name != "1.weight"), name


def test_real_layers_have_no_latents() -> None:
    for method in ("fp", "activations"):
        optimizer = make_optimizer(make_model(method, 4), type="Bop")
        assert [group["latent"] for group in optimizer.param_groups] == [False]


def test_groups_of_their_own_keep_the_flag() -> None:
    model = make_model("bop", 5)
    config = {
        "type": "OptimWrapper",
        "constructor": "LatentConstructor",
        "optimizer": {"type": "Bop", "lr": 0.01, "weight_decay": 0.1},
        "paramwise_cfg": {"norm_decay_mult": 0.0},
    }
    groups = build_optim_wrapper(model, config).optimizer.param_groups
    latent = [group["params"][0] for group in groups if group["latent"]]
    assert len(latent) == 1 and latent[0] is model[1].weight
    assert {group["weight_decay"] for group in groups} == {0.0, 0.1}


@pytest.mark.parametrize("kind", ["Bop", "BayesBiNN"])
def test_a_schedule_scales_the_rate_and_a_resumed_run_goes_on_alike(kind: str) -> None:
    model = make_model("bop", 6)
    optimizer = make_optimizer(model, type=kind)
    rates = {group["latent"]: group["lr"] for group in optimizer.param_groups}
    assert rates == {False: 1e-3, True: 1e-3}
    set_gradients(model, 0)
    optimizer.step()

    again = make_model("bop", 7)
    again.load_state_dict(model.state_dict())
    resumed = make_optimizer(again, type=kind)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each, run in ((model, optimizer), (again, resumed)):
        set_gradients(each, 1)
        run.step()
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )


@pytest.mark.parametrize("method", ["bop", "bayes_binn"])
def test_methods_name_their_optimiser(method: str) -> None:
    """Each preset's own optimiser fits the responses of a fixed layer."""
    torch.manual_seed(8)
    x = torch.randn(64, 8, 6, 6)
    target = nn.BatchNorm2d(8)(BinaryConv2d(8, 8, 3, method=method).eval()(x)).detach()
    model = nn.Sequential(BinaryConv2d(8, 8, 3, method=method), nn.BatchNorm2d(8))
    settings = METHODS[method].config["optim_wrapper"]
    optimizer = build_optim_wrapper(
        model, {"type": "OptimWrapper", **settings, "optimizer": {**settings["optimizer"]}}
    )
    assert isinstance(optimizer.optimizer, latents.Bop | latents.BayesBiNN)
    losses = []
    for _ in range(60):
        loss = (model(x) - target).square().mean()
        optimizer.update_params(loss)
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.8 * losses[0]


def test_a_steady_gradient_soon_turns_a_weight_of_bayes_binn() -> None:
    """Behind a batch norm gradients are some 1e-4, and a short schedule has 400 steps."""
    model = make_model("bop", 9)
    settings = METHODS["bayes_binn"].config["optim_wrapper"]["optimizer"]
    optimizer = make_optimizer(model, **settings)
    before = model[1].weight.detach() >= 0
    for _ in range(20):
        model[1].weight.grad = torch.where(before, 1e-4, -1e-4).to(model[1].weight)
        optimizer.step()
    assert ((model[1].weight >= 0) != before).all()
