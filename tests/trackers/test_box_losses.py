"""Boxes and scores of a grid of cells, against plain float64 arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from binvision.trackers.box_losses import (
    cell_centres,
    decode_boxes,
    generalized_iou,
    label_cells,
    quality_loss,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_cells_lie_a_stride_apart_from_the_origin_on() -> None:
    centres = cell_centres(3, 16, 3.5, torch.zeros(1))

    assert centres[0, 0].tolist() == [3.5, 19.5, 35.5]  # x along a row
    assert centres[1, :, 0].tolist() == [3.5, 19.5, 35.5]
    assert centres.shape == (2, 3, 3)


def test_sides_are_exponentials_within_a_limit() -> None:
    raw = torch.tensor([0.0, math.log(2), 100.0, -100.0]).view(1, 4, 1, 1)

    box = decode_boxes(raw, torch.tensor([10.0, 20.0]).view(2, 1, 1), 16).flatten().tolist()

    expected = [10 - 16, 20 - 32, 10 + 16 * math.exp(4), 20 + 16 * math.exp(-4)]
    assert box == pytest.approx(expected, rel=1e-6)


def _giou(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return width * height / union, width * height / union - (hull - union) / hull


def test_overlap_follows_the_formula(rng: np.random.Generator) -> None:
    corners = rng.uniform(0, 100, (50, 2, 2, 2))
    boxes = np.concatenate([corners.min(2), corners.max(2) + 1], 2)

    iou, giou = generalized_iou(*(torch.from_numpy(boxes[:, i].copy()) for i in (0, 1)))

    expected = np.array([_giou(first, second) for first, second in boxes])
    np.testing.assert_allclose(np.stack([iou, giou], 1), expected, rtol=1e-9, atol=1e-12)


def test_boxes_apart_are_drawn_together() -> None:
    box = torch.tensor([[0.0, 0, 10, 10]], requires_grad=True)

    _, giou = generalized_iou(box, torch.tensor([[30.0, 0, 40, 10]]))
    giou.sum().backward()

    assert giou.item() < 0
    assert box.grad is not None and box.grad[0, 2] > 0  # to the right: nearer


def test_cells_in_the_middle_are_the_targets_and_those_outside_are_not() -> None:
    centres = cell_centres(12, 16, 3.5, torch.zeros(1))
    box = torch.tensor([[40.0, 60, 120, 160]])

    positive, negative = label_cells(box, centres)

    x, y = centres.numpy().astype(np.float64)
    reach = np.hypot((x - 80) / 40, (y - 110) / 50)
    assert (positive[0].numpy() == (reach < 0.55)).all()
    assert (negative[0].numpy() == (reach > 1)).all()


def test_a_tiny_target_has_the_next_cell_and_an_absent_one_none() -> None:
    centres = cell_centres(5, 16, 3.5, torch.zeros(1))

    positive, negative = label_cells(torch.tensor([[20.0, 36, 22, 38], [0, 0, 0, 0]]), centres)

    assert positive[0].nonzero().tolist() == [[2, 1]]
    assert not positive[1].any()
    assert negative[1].all()


def test_the_score_is_to_be_the_overlap(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(0, 2, (2, 4, 4))).requires_grad_()
    quality = torch.from_numpy(rng.uniform(0, 1, (2, 4, 4)))
    positive = torch.from_numpy(rng.random((2, 4, 4)) < 0.3)
    negative = torch.from_numpy(rng.random((2, 4, 4)) < 0.5) & ~positive

    loss = quality_loss(logits, quality, positive, negative)

    total = 0.0
    for z, q, is_own, is_other in zip(
        *(each.detach().flatten().tolist() for each in (logits, quality, positive, negative)),
        strict=True,
    ):
        p = 1 / (1 + math.exp(-z))
        if is_own:
            total -= max(q, 0.1) * (q * math.log(p) + (1 - q) * math.log(1 - p))
        elif is_other:
            total -= 0.75 * p**2 * math.log(1 - p)
    assert loss.item() == pytest.approx(total / max(1, positive.sum().item()), rel=1e-5)


def test_no_target_at_all_still_teaches() -> None:
    logits = torch.zeros(1, 2, 2, requires_grad=True)
    nothing, everything = torch.zeros(1, 2, 2).bool(), torch.ones(1, 2, 2).bool()

    quality_loss(logits, torch.zeros(1, 2, 2), nothing, everything).backward()

    assert logits.grad is not None and (logits.grad > 0).all()
