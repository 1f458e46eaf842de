"""Losses of detectors against plain loops in NumPy's float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from binvision.detectors.losses import box_corners, centre_loss, detection_losses, generalised_iou
from tests.support.detection_losses import (
    STRIDE,
    corners_by_hand,
    entropy,
    overlap_by_hand,
    sigmoid,
)

BATCH, CLASSES, ROWS, COLUMNS = 2, 3, 4, 5


@pytest.fixture
def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (BATCH, CLASSES, ROWS, COLUMNS)
    centres = rng.uniform(0, 0.9, shape) * (rng.random(shape) < 0.5)
    centres[rng.random(shape) < 0.1] = -1
    centres[0, 0, 1, 1] = centres[0, 2, 3, 0] = centres[1, 1, 0, 4] = 1
    start = rng.uniform(0, 30, (BATCH, 2, ROWS, COLUMNS))
    boxes = np.concatenate([start, start + rng.uniform(1, 30, start.shape)], 1)
    weights = rng.uniform(0, 2, (BATCH, ROWS, COLUMNS)) * (rng.random((BATCH, ROWS, COLUMNS)) < 0.4)
    raw = rng.normal(0, 1.5, (BATCH, CLASSES + 5, ROWS, COLUMNS))
    raw[0, -1, 0, 0], raw[0, -2, 0, 0] = 9.0, -12.0  # beyond the limits
    return {"raw": raw, "centres": centres, "boxes": boxes, "weights": weights}


def in_torch(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in batch.items()}


def test_all_losses(batch: dict[str, np.ndarray]) -> None:
    raw, centres, boxes, weights = batch.values()
    centre = box = quality = 0.0
    for n, i, j in np.ndindex(BATCH, ROWS, COLUMNS):
        for k in range(CLASSES):
            y, p = centres[n, k, i, j], sigmoid(raw[n, k, i, j])
            if y == 1:
                centre -= (1 - p) ** 2 * math.log(p)
            elif y >= 0:
                centre -= (1 - y) ** 4 * p**2 * math.log(1 - p)
        found = corners_by_hand(raw[n, -4:, i, j], i, j)
        iou, generalised = overlap_by_hand(found, boxes[n, :, i, j].tolist())
        box += weights[n, i, j] * (1 - generalised)
        quality += weights[n, i, j] * entropy(raw[n, CLASSES, i, j], iou)
    losses = detection_losses(**in_torch(batch), stride=STRIDE)
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(
        {
            "loss_centre": centre / 3,
            "loss_box": 5 * box / weights.sum(),
            "loss_quality": quality / weights.sum(),
        },
        rel=1e-4,
    )


def test_what_is_not_judged_has_no_gradient(batch: dict[str, np.ndarray]) -> None:
    tensors = in_torch(batch)
    tensors["raw"].requires_grad_()
    sum(detection_losses(**tensors, stride=STRIDE).values()).backward()
    gradient = tensors["raw"].grad.numpy()
    judged = batch["centres"] >= 0
    assert (gradient[:, :CLASSES][~judged] == 0).all() and not judged.all()
    assert (gradient[:, :CLASSES][judged] != 0).all()
    owned = batch["weights"] > 0
    assert (gradient[:, CLASSES:].transpose(0, 2, 3, 1)[~owned] == 0).all()
    # Quality learns the IoU as it is: boxes must not become worse to please it.
    only_quality = in_torch(batch)
    only_quality["raw"].requires_grad_()
    detection_losses(**only_quality, stride=STRIDE)["loss_quality"].backward()
    assert (only_quality["raw"].grad[:, -4:] == 0).all()


def test_nothing_to_find() -> None:
    raw = torch.full((1, 2 + 5, 3, 3), -1.0, requires_grad=True)
    nothing = torch.zeros(1, 3, 3)
    losses = detection_losses(raw, torch.zeros(1, 2, 3, 3), torch.zeros(1, 4, 3, 3), nothing, 8)
    sum(losses.values()).backward()
    p = sigmoid(-1)
    assert losses["loss_centre"].item() == pytest.approx(-18 * p**2 * math.log(1 - p), rel=1e-5)
    assert losses["loss_box"].item() == losses["loss_quality"].item() == 0
    assert torch.isfinite(raw.grad).all()


def test_sure_answers_stay_finite() -> None:
    for logit in (-200.0, 200.0):
        logits = torch.full((1, 1, 2, 2), logit, requires_grad=True)
        centres = torch.tensor([[[[1.0, 0.0], [0.5, -1.0]]]])
        loss = centre_loss(logits, centres)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_a_perfect_answer_costs_nothing() -> None:
    centres = torch.tensor([[[[1.0, 0.0]]]])
    assert float(centre_loss(torch.tensor([[[[40.0, -40.0]]]]), centres)) == pytest.approx(0)
    box = torch.tensor([[[3.0]], [[4.0]], [[15.0]], [[26.0]]])[None]
    assert [float(value) for value in generalised_iou(box, box)] == [1, 1]


def test_corners_in_every_cell() -> None:
    logs = np.random.default_rng(1).normal(0, 3, (2, 4, 3, 5))
    got = box_corners(torch.from_numpy(logs), STRIDE).numpy()
    for n, i, j in np.ndindex(2, 3, 5):
        assert got[n, :, i, j] == pytest.approx(corners_by_hand(logs[n, :, i, j], i, j)), (n, i, j)


def test_overlaps_of_boxes_apart_and_without_area() -> None:
    a = [0.0, 0.0, 10.0, 10.0]
    for b in ([20.0, 30.0, 24.0, 38.0], [10.0, 0.0, 20.0, 10.0], [2.0, 3.0, 4.0, 9.0]):
        pair = (torch.tensor(box, dtype=torch.float64).view(1, 4, 1) for box in (a, b))
        got = [float(value) for value in generalised_iou(*pair)]
        assert got == pytest.approx(overlap_by_hand(a, b))
    point = torch.full((1, 4, 1), 5.0)
    assert [float(value) for value in generalised_iou(point, point)] == [0, 0]
