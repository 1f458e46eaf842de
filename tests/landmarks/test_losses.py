"""Losses of heat maps against formulas written out in NumPy, and what their least is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from binvision.landmarks.losses import (
    SHARPNESS,
    expected_points,
    gaussian_maps,
    guide_loss,
    heat_map_losses,
)

STRIDE = 4


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Maps of 3 pictures, 2 points each, the last picture without a subject."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(3, 2, 5, 7, generator=generator)
    points = torch.rand(3, 2, 2, generator=generator) * torch.tensor([27.0, 19.0])
    weights = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    return maps, points, weights, torch.tensor([1.0, 1.0, 0.0])


def softmax(values: np.ndarray) -> np.ndarray:
    exponents = np.exp(values - values.max())
    return exponents / exponents.sum()


def gaussian(point: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Around the cell whose centre is at (cell + .5) * stride - .5 pixels."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    x, y = (point + 0.5) / STRIDE - 0.5
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2)


def test_softmax_losses_are_the_written_formulas() -> None:
    maps, points, weights, present = batch()
    losses = heat_map_losses(maps, points, weights, present, STRIDE, "softmax")
    crossed, distance = [], []
    for n, p in [(0, 0), (0, 1), (1, 0)]:
        probability = softmax(maps[n, p].double().numpy())
        target = gaussian(points[n, p].double().numpy(), (5, 7))
        crossed.append(-(target / target.sum() * np.log(probability)).sum())
        found = (probability.sum(0) @ np.arange(7), probability.sum(1) @ np.arange(5))
        truth = (points[n, p].double().numpy() + 0.5) / STRIDE - 0.5
        distance.append(np.abs(np.array(found) - truth).sum())
    uneven = [
        (np.log(1 / 35) - np.log(softmax(maps[2, p].double().numpy()))).mean() for p in (0, 1)
    ]
    assert float(losses["loss_map"]) == pytest.approx(np.mean(crossed), rel=1e-5)
    assert float(losses["loss_point"]) == pytest.approx(0.5 * np.mean(distance), rel=1e-5)
    assert float(losses["loss_absent"]) == pytest.approx(0.2 * np.mean(uneven), rel=1e-4)


@pytest.mark.parametrize("loss", ["sigmoid", "l2"])
def test_pixel_wise_losses_are_the_written_formulas(loss: str) -> None:
    maps, points, weights, present = batch(1)
    (value,) = heat_map_losses(maps, points, weights, present, STRIDE, loss).values()
    expected = []
    for n, p in [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]:
        found = maps[n, p].double().numpy()
        target = gaussian(points[n, p].double().numpy(), (5, 7)) * (n < 2)
        if loss == "l2":
            expected.append(100 * ((target - found) ** 2).mean())
        else:
            s = 1 / (1 + np.exp(-found))
            expected.append(-(target * np.log(s) + (1 - target) * np.log(1 - s)).mean())
    assert float(value) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("loss", sorted(SHARPNESS))
def test_descent_finds_the_points(loss: str) -> None:
    """After some steps on the maps themselves, decoding them as inference does gives the points."""
    _, points, weights, present = batch(2)
    points = 10 + points * torch.tensor([0.3, 0.05])  # Gaussians that the map's edge does not cut
    maps = torch.zeros(3, 2, 5, 7, requires_grad=True)
    optimiser = torch.optim.Adam([maps], lr=0.3)
    for _ in range(300):
        optimiser.zero_grad()
        sum(heat_map_losses(maps, points, weights, present, STRIDE, loss).values()).backward()
        optimiser.step()
    probability = (maps.detach() * SHARPNESS[loss]).flatten(2).softmax(2).view_as(maps)
    found = STRIDE * (expected_points(probability) + 0.5) - 0.5
    error = (found - points).abs()[weights > 0]
    assert float(error.max()) < (0.7 * STRIDE)
    if loss == "softmax":
        assert float(error.max()) < 0.1 * STRIDE
        assert torch.allclose(probability[2], torch.tensor(1 / 35), atol=1e-2)  # nobody there


def test_gaussians_peak_in_their_cells() -> None:
    maps = gaussian_maps(torch.tensor([[[2.0, 1.0], [6.4, 4.4]]]), (5, 7))
    assert maps.shape == (1, 2, 5, 7) and float(maps[0, 0, 1, 2]) == 1.0
    assert divmod(int(maps[0, 1].argmax()), 7) == (4, 6)


def test_a_batch_without_subjects_has_finite_gradients() -> None:
    maps, points, weights, present = batch()
    for loss in SHARPNESS:
        own = maps.clone().requires_grad_()
        losses = heat_map_losses(own, points, weights * 0, present * 0, STRIDE, loss)
        sum(losses.values()).backward()
        assert own.grad is not None and torch.isfinite(own.grad).all()


def test_guidance_is_the_divergence_and_least_at_the_twins_maps() -> None:
    own, _, weights, _ = batch(3)
    guide, *_ = batch(4)
    expected = []
    for n, p in [(0, 0), (0, 1), (1, 0)]:
        q, r = softmax(own[n, p].double().numpy()), softmax(guide[n, p].double().numpy())
        expected.append((r * np.log(r / q)).sum())
    assert float(guide_loss(own, guide, weights)) == pytest.approx(np.mean(expected), rel=1e-5)
    assert float(guide_loss(guide + 3, guide, weights)) == pytest.approx(0, abs=1e-6)
