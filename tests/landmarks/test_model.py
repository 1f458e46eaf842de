"""The landmark network: sizes, stacks, sharpness, checkpoints, errors; the wrapper around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.errors import ConfigError, ModelFileError, ModelTaskError, UsageError
from binvision.landmarks.losses import SHARPNESS
from binvision.landmarks.model import load_checkpoint
from binvision.landmarks.torch_network import TorchNetwork
from tests.support.checkpoints import (
    SMALL_LANDMARKS,
    small_landmarks,
    write_checkpoint,
    write_landmark_checkpoint,
)
from tests.support.torch_networks import random_images, randomize

BACKBONE: dict[str, Any] = SMALL_LANDMARKS["backbone"]


def pixels(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(random_images(2, (32, 32), seed)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(("scheme", "points"), [("face68", 68), ("pose14", 14)])
@pytest.mark.parametrize("stacks", [1, 2])
def test_a_map_for_each_point(scheme: str, points: int, stacks: int) -> None:
    network = small_landmarks(scheme=scheme, backbone={**BACKBONE, "stacks": stacks}).eval()
    maps = network.all_maps(pixels())
    assert [tuple(each.shape) for each in maps] == [(2, points, 8, 8)] * stacks
    assert torch.equal(network(pixels()), maps[-1])


@pytest.mark.parametrize("loss", sorted(SHARPNESS))
def test_the_output_is_sharpened_for_the_softmax(loss: str) -> None:
    network = randomize(small_landmarks(loss=loss), 0)
    expected = network.all_maps(pixels())[-1] * SHARPNESS[loss]
    torch.testing.assert_close(network(pixels()), expected)


def test_a_checkpoint_gives_the_network_back(tmp_path: Path) -> None:
    network = write_landmark_checkpoint(tmp_path / "last.pth")
    loaded, record = load_checkpoint(tmp_path / "last.pth")
    assert record["seed"] == 0 and loaded.config == network.config
    assert torch.equal(loaded(pixels()), network(pixels()))


def test_the_wrapper_computes_the_maps_of_a_crop(tmp_path: Path) -> None:
    network = write_landmark_checkpoint(tmp_path / "last.pth")
    wrapped = TorchNetwork.from_checkpoint(tmp_path / "last.pth")
    assert wrapped.name == "last.pth"
    assert (wrapped.settings.scheme, wrapped.settings.stride) == ("face68", 4)
    assert (wrapped.settings.input_size, wrapped.settings.crop) == (32, 1.4)
    image = random_images(1, (32, 32), 0)
    maps = wrapped.run(image)
    assert maps.shape == (8, 8, 68) and maps.dtype == np.float32 and maps.flags["C_CONTIGUOUS"]
    with torch.inference_mode():
        expected = network(torch.from_numpy(image).permute(0, 3, 1, 2).float())[0]
    np.testing.assert_allclose(maps, expected.permute(1, 2, 0).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": {"type": "residual", "method": "fp"}}, "'residual' has no maps.*'hourglass'"),
        ({"input_size": 40}, "input_size=40.*multiples of 16"),
        ({"input_size": 0}, "input_size=0"),
        ({"loss": "l1"}, "unknown loss 'l1'; valid: softmax, sigmoid, l2"),
    ],
)
def test_errors_say_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_landmarks(**changes)


def test_unknown_points_are_refused() -> None:
    with pytest.raises(UsageError, match="scheme 'face69' is unknown"):
        small_landmarks(scheme="face69")


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "tracker.pth")
    with pytest.raises(ModelTaskError, match="expected one for landmarks/heat_maps"):
        load_checkpoint(tmp_path / "tracker.pth")
    with pytest.raises(ModelFileError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
