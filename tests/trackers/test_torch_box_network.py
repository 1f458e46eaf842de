"""The torch network behind the loop: the same numbers, channels last."""

from __future__ import annotations

import numpy as np
import torch

from binvision.trackers.box_model import BoxTracker, BoxTrackerConfig, middle
from binvision.trackers.torch_box_network import TorchBoxNetwork


def test_maps_are_the_networks_own() -> None:
    torch.manual_seed(0)
    config = BoxTrackerConfig("bireal", 1, 1, 128, 64, 1, tracker={"search_size": 191})
    network = BoxTracker(config)
    wrapped = TorchBoxNetwork(network)
    rng = np.random.default_rng(0)
    given, crop = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (127, 191))

    exemplar = wrapped.look(given)
    scores, boxes = wrapped.search(crop, exemplar)

    pixels = [torch.from_numpy(each.transpose(2, 0, 1)[None]).float() for each in (given, crop)]
    with torch.inference_mode():
        fine, coarse = network.features(pixels[0])
        expected = network(pixels[1], middle(fine, 7), middle(coarse, 6))
    assert wrapped.settings.search_size == 191
    assert exemplar.fine.shape == (7, 7, 64)
    assert exemplar.coarse.shape == (6, 6, 64)
    np.testing.assert_allclose(scores, expected[0][0, 0].numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(boxes, expected[1][0].permute(1, 2, 0).numpy(), rtol=1e-4, atol=1e-5)
