"""Losses of features against their formulas, restated in NumPy, and in the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.binary import METHODS
from binvision.classifiers.features import FEATURE_LOSSES, CentreLoss
from binvision.classifiers.training import ClassifierTraining
from binvision.errors import ConfigError
from binvision.training.run import TrainingRequest, prepare_config
from tests.support.labelled_pictures import write_pictures


@pytest.mark.parametrize("name", ["centre", "bayesian"])
def test_loss_and_gradients(name: str) -> None:
    rng = np.random.default_rng(1)
    loss = FEATURE_LOSSES.build({"type": name, "weight": 0.3}, 4, 6).double()
    for parameter in loss.parameters():
        torch.nn.init.normal_(parameter)
    values, labels = rng.normal(size=(5, 6)), np.array([0, 3, 3, 1, 0])
    features = torch.from_numpy(values).requires_grad_()
    result = loss(features, torch.from_numpy(labels))
    result.backward()

    centres = loss.centres.detach().numpy()
    log_variance = loss.log_variance.detach().numpy() if name == "bayesian" else None
    total = 0.0
    by_feature, by_centre, by_log = np.zeros((5, 6)), np.zeros((4, 6)), np.zeros((4, 6))
    for m, y in enumerate(labels):
        for n in range(6):
            error = values[m, n] - centres[y, n]
            term, slope = error**2, 2 * error
            if log_variance is not None:
                variance = np.exp(log_variance[y, n])
                term += error**2 / variance + np.log(variance)
                slope += 2 * error / variance
                by_log[y, n] += 0.3 / 2 / 5 * (1 - error**2 / variance)
            total += 0.3 / 2 / 5 * term
            by_feature[m, n] = 0.3 / 2 / 5 * slope
            by_centre[y, n] -= 0.3 / 2 / 5 * slope
    np.testing.assert_allclose(result.item(), total, rtol=1e-12)
    np.testing.assert_allclose(features.grad, by_feature, atol=1e-12)
    np.testing.assert_allclose(loss.centres.grad, by_centre, atol=1e-12)
    if log_variance is not None:
        np.testing.assert_allclose(loss.log_variance.grad, by_log, atol=1e-12)


def test_learned_variances_are_those_of_the_features() -> None:
    torch.manual_seed(2)
    features = 2 + 0.5 * torch.randn(4000, 3)
    loss = FEATURE_LOSSES.build("bayesian", 1, 3)
    optimizer = torch.optim.Adam(loss.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (loss(features, torch.zeros(4000, dtype=torch.long)) / loss.weight).backward()
        optimizer.step()
    assert torch.allclose(loss.centres[0], features.mean(0), atol=0.01)
    assert torch.allclose(loss.log_variance[0].exp(), features.var(0, correction=0), rtol=0.03)


def make_training(method: str = "bonn", **options: Any) -> ClassifierTraining:
    torch.manual_seed(3)
    backbone = {"type": "residual", "method": method, "stem_channels": 8, "channels": 8}
    backbone |= {"blocks": 1, "out_channels": 8}
    return ClassifierTraining({"backbone": backbone, "classes": ["a", "b"]}, **options)


def test_a_training_adds_the_loss_of_its_features() -> None:
    training = make_training(features=METHODS["bonn"].config["model"]["features"])
    images, labels = torch.rand(4, 3, 32, 32) * 255, torch.tensor([0, 1, 1, 0])
    losses = training(images, labels)
    features = training.network.backbone(images).mean((2, 3))
    expected = training.features(features, labels)
    assert losses["loss_features"].item() == pytest.approx(expected.item(), rel=1e-5)
    sum(losses.values()).backward()
    assert training.features.centres.grad.abs().sum() > 0
    assert "loss_features" not in make_training()(images, labels)
    assert not [name for name in training.network.state_dict() if "centres" in name]


@pytest.mark.parametrize("method", ["mcn", "mcn_weights"])
def test_modulated_networks_draw_features_to_the_centres_of_their_classes(
    method: str, tmp_path: Path
) -> None:
    data = write_pictures(tmp_path / "pictures.npz")
    request = TrainingRequest("classification/cifar10", tmp_path, data, method=method)
    training = make_training(method, features=prepare_config(request).model.features)
    images, labels = torch.rand(4, 3, 32, 32) * 255, torch.tensor([0, 1, 1, 0])
    losses = training(images, labels)
    features = training.network.backbone(images).mean((2, 3))
    centres = training.features.centres.detach().double().numpy()
    assert type(training.features) is CentreLoss and (centres == 0).all()
    away = features.detach().double().numpy() - centres[labels]
    expected = 1e-3 / 2 * (away**2).sum() / 4
    assert losses["loss_features"].item() == pytest.approx(expected, rel=1e-5)
    losses["loss_features"].backward()
    pull = np.stack([-1e-3 / 4 * away[labels == y].sum(0) for y in range(2)])
    np.testing.assert_allclose(training.features.centres.grad, pull, rtol=1e-4, atol=1e-8)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown feature loss 'center'.*'centre'"):
        make_training(features="center")
