"""Training of the tracker that predicts boxes: pairs, losses, and a network that learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.errors import ConfigError
from binvision.trackers.box_model import BoxTracker, BoxTrackerConfig, middle
from binvision.trackers.box_training import BoxTraining, match_pairs

SMALL = dict(
    method="bireal",
    fine_blocks=1,
    coarse_blocks=1,
    coarse_channels=128,
    channels=64,
    tower_blocks=1,
)


def test_every_search_region_meets_its_own_exemplars_and_some_a_foreign_one() -> None:
    search, exemplar, is_own = match_pairs(3, 2, 4, torch.device("cpu"))

    own = is_own.bool()
    assert (search // 4 == exemplar // 2)[own].all()
    assert (search // 4 != exemplar // 2)[~own].all()
    assert own.sum() == 3 * 4 * 2
    assert (~own).sum() == 3 * 2
    assert len(set(zip(search.tolist(), exemplar.tolist(), strict=True))) == len(search)


def test_one_object_alone_has_no_foreign_exemplar() -> None:
    assert match_pairs(1, 2, 4, torch.device("cpu"))[2].all()


@pytest.mark.parametrize(("size", "cells"), [(255, 16), (239, 15), (191, 12)])
def test_maps_of_both_strides_lie_on_one_grid(size: int, cells: int) -> None:
    network = BoxTracker(BoxTrackerConfig(**SMALL)).eval()
    with torch.inference_mode():
        given = network.features(torch.zeros(1, 3, 127, 127))
        score, box, fine, coarse = network(
            torch.zeros(1, 3, size, size), middle(given[0], 7), middle(given[1], 6)
        )

    assert given[0].shape[-1] == 15
    assert given[1].shape[-1] == 8
    assert score.shape == (1, 1, cells, cells)
    assert box.shape == (1, 4, cells, cells)
    assert coarse.shape[-1] == cells
    assert fine.shape[-1] in (2 * cells, 2 * cells - 1)


def _batch() -> dict[str, torch.Tensor]:
    """A bright square on dark noise: easy to find."""
    rng = np.random.default_rng(0)
    exemplars = rng.integers(0, 60, (2, 2, 3, 127, 127)).astype(np.uint8)
    searches = rng.integers(0, 60, (2, 2, 3, 159, 159)).astype(np.uint8)
    boxes = np.zeros((2, 2, 4), np.float32)
    for number in range(2):
        colour = (255, 40) if number else (40, 255)
        exemplars[number, :, 0, 32:96, 32:96], exemplars[number, :, 1, 32:96, 32:96] = colour
        for each in range(2):
            x, y = 30 + 20 * each, 45 - 15 * number
            searches[number, each, 0, y : y + 50, x : x + 70] = colour[0]
            searches[number, each, 1, y : y + 50, x : x + 70] = colour[1]
            boxes[number, each] = (x, y, x + 69, y + 49)
    arrays = {"exemplars": exemplars, "searches": searches, "boxes": boxes}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_a_network_learns_boxes_and_whose_they_are() -> None:
    torch.manual_seed(0)
    model, batch = BoxTraining(SMALL).train(), _batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    history = []
    for _ in range(30):
        losses = model(**batch)
        optimizer.zero_grad()
        (losses["loss_score"] + losses["loss_box"]).backward()
        optimizer.step()
        history.append({name: value.item() for name, value in losses.items()})

    first, last = history[0], history[-1]
    assert last["loss_box"] < 0.75 * first["loss_box"]
    assert last["iou_best"] > first["iou_best"] + 0.3
    assert last["score_own"] > last["score_other"] + 0.1


def test_a_frozen_part_stays_as_it_is() -> None:
    model = BoxTraining(
        {**SMALL, "fine_blocks": 4, "channels": 128}, start="rb-siamfc", frozen=True
    )
    model.train()
    before = {name: value.clone() for name, value in model.network.fine.state_dict().items()}

    losses = model(**_batch())
    (losses["loss_score"] + losses["loss_box"]).backward()

    assert all(parameter.grad is None for parameter in model.network.fine.parameters())
    after = model.network.fine.state_dict()
    assert all((after[name] == value).all() for name, value in before.items())
    assert model.network.join.weight.grad is not None


def test_random_weights_are_not_frozen() -> None:
    with pytest.raises(ConfigError, match="name a start"):
        BoxTraining(SMALL, frozen=True)


def test_other_modes_are_refused() -> None:
    with pytest.raises(ConfigError, match="'loss' only"):
        BoxTraining(SMALL)(**_batch(), mode="predict")
