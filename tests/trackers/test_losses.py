"""Losses on response maps against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.trackers.losses import (
    balanced_logistic_loss,
    contrastive_loss,
    distance_cells,
    own_pairs,
)

OBJECTS, EXEMPLARS, SEARCHES, SIDE = 3, 2, 2, 5


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(OBJECTS * SEARCHES, OBJECTS * EXEMPLARS, SIDE, SIDE))
    offsets = rng.uniform(-14, 14, (OBJECTS * SEARCHES, 2))
    return torch.from_numpy(logits), torch.from_numpy(offsets)


def test_distance_is_zero_where_the_target_is() -> None:
    distance = distance_cells(torch.tensor([[8.0, -16.0], [0.0, 4.0]]), (5, 7), stride=8)
    assert distance.shape == (2, 5, 7)
    assert distance[0, 0, 4] == 0  # one cell right of the centre, two above
    assert distance[1, 2, 3] == 0.5 and distance[1, 3, 3] == 0.5


def test_own_pairs_belong_to_one_object(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, _ = batch
    own = own_pairs(logits, OBJECTS)
    for m in range(OBJECTS * SEARCHES):
        for e in range(EXEMPLARS):
            expected = logits[m, m // SEARCHES * EXEMPLARS + e]
            assert torch.equal(own[m, e], expected)


def test_balanced_logistic_loss(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, offsets = batch
    distance = distance_cells(offsets, (SIDE, SIDE), 8)
    own = own_pairs(logits, OBJECTS)
    losses = []
    for m in range(len(own)):
        for e in range(EXEMPLARS):
            pulls, pushes = [], []
            for d, v in zip(distance[m].flatten(), own[m, e].flatten(), strict=True):
                if d <= 1.2:
                    pulls.append(np.log1p(np.exp(-v.item())))
                if d >= 2.0:
                    pushes.append(np.log1p(np.exp(v.item())))
            pull = np.mean(pulls) if pulls else 0.0
            push = np.mean(pushes) if pushes else 0.0
            losses.append((pull + push) / 2)
    assert balanced_logistic_loss(own, distance).item() == pytest.approx(np.mean(losses), rel=1e-6)


def test_contrastive_loss(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, offsets = batch
    distance = distance_cells(offsets, (SIDE, SIDE), 8)
    losses = []
    for m in range(OBJECTS * SEARCHES):
        for n in range(OBJECTS * EXEMPLARS):
            if m // SEARCHES != n // EXEMPLARS:
                continue
            negatives = [
                logits[k, n].exp().sum()
                for k in range(OBJECTS * SEARCHES)
                if k // SEARCHES != n // EXEMPLARS
            ]
            total = np.log(float(logits[m, n].exp().sum() + sum(negatives)))
            label = np.exp(-0.5 * (distance[m].numpy() / 0.6) ** 2)
            losses.append(total - float((label / label.sum() * logits[m, n].numpy()).sum()))
    got = contrastive_loss(logits, distance, OBJECTS).item()
    assert got == pytest.approx(np.mean(losses), rel=1e-6)


def test_losses_fall_when_the_peak_moves_to_the_target() -> None:
    distance = distance_cells(torch.zeros(2, 2), (SIDE, SIDE), 8)
    good = torch.full((2, 2, SIDE, SIDE), -4.0)
    bad = good.clone()
    for i in range(2):
        good[i, i, 2, 2], bad[i, i, 0, 0] = 4.0, 4.0
    for loss in (
        lambda logits: balanced_logistic_loss(own_pairs(logits, 2), distance),
        lambda logits: contrastive_loss(logits, distance, 2),
    ):
        assert loss(good) < loss(bad)
