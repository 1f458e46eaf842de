"""A backbone that starts from a packed model computes what the model does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from binvision.backbones import ResidualBackbone
from binvision.errors import ConfigError, ModelFileError
from binvision.trackers import PackedEmbedder
from binvision.training.unpacking import take_packed_weights


def test_the_shipped_tracker_can_be_unpacked() -> None:
    backbone = ResidualBackbone("bireal").eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 71, 71, 3), dtype=np.uint8)

    take_packed_weights(backbone, "rb-siamfc")

    with torch.inference_mode():
        found = backbone(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    expected = PackedEmbedder("rb-siamfc").embed(images)
    difference = np.abs(found.permute(0, 2, 3, 1).numpy() - expected)
    # The packed head rounds what it reads to 8 bits; all before it is the same to a float's end.
    assert difference.max() < 0.1 * np.abs(expected).mean()


def test_a_backbone_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"blocks\.4"):
        take_packed_weights(ResidualBackbone("bireal", blocks=5), "rb-siamfc")
    with pytest.raises(ConfigError, match=r"shape|channels"):
        take_packed_weights(ResidualBackbone("bireal", channels=64), "rb-siamfc")


def test_a_real_network_has_no_signs_to_start_from() -> None:
    with pytest.raises(ConfigError, match="no kernel of signs"):
        take_packed_weights(ResidualBackbone("fp"), "rb-siamfc")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelFileError):
        take_packed_weights(ResidualBackbone("bireal"), "no-such-model")
