"""Further losses of detectors against plain loops in NumPy's float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from binvision.detectors.guidance import (
    bottleneck_loss,
    feature_loss,
    instance_loss,
    sparse_object_loss,
)
from tests.support.detection_losses import (
    STRIDE,
    corners_by_hand,
    entropy,
    overlap_by_hand,
    sigmoid,
)

CLASSES = 2


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1.5, shape)


def both(first: np.ndarray, second: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(first), torch.from_numpy(second)


def test_feature_loss() -> None:
    own, guide = random(2, 5, 3, 4), random(2, 7, 3, 4, seed=1)
    expected = 0.0
    for a, b in zip(own, guide, strict=True):
        maps = [(x**2).sum(0) for x in (a, b)]
        maps = [x / math.sqrt((x**2).sum()) for x in maps]
        expected += ((maps[0] - maps[1]) ** 2).sum() / 2
    assert float(feature_loss(*both(own, guide))) == pytest.approx(expected, rel=1e-5)
    # Only where a network looks counts, not how strongly.
    assert float(feature_loss(*both(own, own * -3))) == pytest.approx(0, abs=1e-6)


def test_instance_loss() -> None:
    raw, guide = random(2, CLASSES + 5, 3, 4), random(2, CLASSES + 5, 3, 4, seed=1)
    classes = boxes = total = 0.0
    for n, i, j in np.ndindex(2, 3, 4):
        p, q = ([sigmoid(x) for x in part[n, :CLASSES, i, j]] for part in (raw, guide))
        for k in range(CLASSES):
            classes += (p[k] - q[k]) ** 2 * entropy(raw[n, k, i, j], q[k])
        corners = [corners_by_hand(part[n, -4:, i, j], i, j) for part in (raw, guide)]
        boxes += max(q) * (1 - overlap_by_hand(*corners)[1])
        total += max(q)
    got = float(instance_loss(*both(raw, guide), STRIDE))
    assert total > 1 and got == pytest.approx((classes + boxes) / total, rel=1e-4)
    assert float(instance_loss(*both(guide, guide), STRIDE)) == pytest.approx(0, abs=1e-6)


def test_a_twin_that_sees_nothing_teaches_no_boxes() -> None:
    guide = torch.full((1, CLASSES + 5, 3, 4), -60.0)
    raw = torch.from_numpy(random(1, CLASSES + 5, 3, 4)).requires_grad_()
    instance_loss(raw, guide, STRIDE).backward()
    assert float(raw.grad[:, -4:].abs().max()) < 1e-9
    assert float(raw.grad[:, :CLASSES].min()) > 0  # scores go down everywhere


def test_bottleneck_loss() -> None:
    features = random(2, 3, 4, 5)
    expected = 0.0
    for value in features.flat:
        p = sigmoid(value)
        expected += p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    got = float(bottleneck_loss(torch.from_numpy(features)))
    assert got == pytest.approx(expected / features.size, rel=1e-5)
    assert float(bottleneck_loss(torch.zeros(1, 2, 3, 3))) == pytest.approx(0, abs=1e-7)
    extreme = torch.tensor([[[[-300.0, 300.0]]]], requires_grad=True)
    loss = bottleneck_loss(extreme)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and torch.isfinite(extreme.grad).all()


def test_sparse_object_loss() -> None:
    raw = random(2, CLASSES + 5, 4, 5)
    expected = 0.0
    for picture in raw:
        scores = []
        for k, i, j in np.ndindex(CLASSES, 4, 5):
            around = picture[k, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            if picture[k, i, j] == around.max():
                scores.append(sigmoid(picture[k, i, j]))
        assert 2 < len(scores) < CLASSES * 20
        shares = np.array(scores) / sum(scores)
        expected -= (shares * np.log(shares)).sum() / 2
    got = float(sparse_object_loss(torch.from_numpy(raw)))
    assert got == pytest.approx(expected, rel=1e-4)


def test_one_peak_costs_least() -> None:
    raw = torch.full((1, 1 + 5, 6, 6), -30.0)
    raw[0, 0, 1, 1] = 3.0
    assert float(sparse_object_loss(raw)) == pytest.approx(0, abs=1e-4)
    raw[0, 0, 4, 4] = 3.0
    assert float(sparse_object_loss(raw)) == pytest.approx(math.log(2), abs=1e-3)
