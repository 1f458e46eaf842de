"""The detector network: maps of every backbone and stride, settings, checkpoints, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.detectors.model import load_checkpoint
from binvision.detectors.settings import DetectorSettings
from binvision.detectors.torch_network import TorchNetwork
from binvision.errors import ConfigError, ModelFileError, ModelTaskError
from tests.support.checkpoints import (
    SMALL_DETECTOR,
    small_detector,
    write_checkpoint,
    write_detector_checkpoint,
)
from tests.support.torch_networks import random_images

STAGED: dict[str, Any] = SMALL_DETECTOR["backbone"]
BACKBONES: dict[str, dict[str, Any]] = {
    "staged": STAGED,
    "react": {**STAGED, "block": "react"},
    "melius": {**STAGED, "type": "melius", "growth": 8},
}


@pytest.mark.parametrize("size_hw", [(16, 16), (48, 80)])
@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_cell_of_the_map_has_a_number_for_each_answer(
    backbone: str, stride: int, size_hw: tuple[int, int]
) -> None:
    network = small_detector(backbone=BACKBONES[backbone], stride=stride).eval()
    with torch.inference_mode():
        raw = network(torch.zeros(2, 3, *size_hw))
    assert raw.shape == (2, 2 + 1 + 4, size_hw[0] // stride, size_hw[1] // stride)
    assert network.multiple == 16


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("method", ["fp", "activations", "bireal", "rbcn"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_weight_learns(backbone: str, method: str, stride: int) -> None:
    torch.manual_seed(0)
    network = small_detector(backbone={**BACKBONES[backbone], "method": method}, stride=stride)
    raw = network(torch.randint(0, 256, (2, 3, 64, 32)).float())
    raw.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_the_float_twin_has_the_same_weights() -> None:
    twin, binary = (
        small_detector(backbone={**STAGED, "method": method}) for method in ("fp", "bireal")
    )
    shapes = [{name: p.shape for name, p in n.named_parameters()} for n in (twin, binary)]
    assert shapes[0] == shapes[1]


def test_a_new_network_sees_background() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        raw = small_detector().eval()(torch.randint(0, 256, (1, 3, 64, 64)).float())
    assert 0.003 < raw[:, :2].sigmoid().mean() < 0.03


def test_towers_and_widths() -> None:
    # Levels of 16 channels need no lateral convolution where the neck has 16 as well.
    assert isinstance(small_detector(width=16).laterals[-1], torch.nn.Identity)
    network = small_detector(width=24, tower=0)
    assert not len(network.tower) and len(network.neck) == 1
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 7, 4, 4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(None, {}), ({"score_threshold": 0.3, "iou_threshold": 0.6}, {"score_threshold": 0.3})],
)
def test_settings_are_those_of_inference(settings: Any, expected: dict[str, float]) -> None:
    network = small_detector(stride=4, input_size=96, settings=settings)
    read = DetectorSettings.from_mapping(network.settings(), "test")
    assert (read.classes, read.stride, read.multiple, read.input_size) == (
        ("car", "bus"), 4, 16, 96,
    )  # fmt: skip
    assert {name: getattr(read, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": 32}, "stride=32: backbone 'staged' has maps at 4, 8, 16"),
        ({"classes": []}, "classes: expected at least one name"),
        (
            {"backbone": {"type": "residual", "method": "fp"}},
            "backbone 'residual' has maps at one stride only",
        ),
        ({"backbone": {**STAGED, "method": "float"}}, "unknown binarisation method 'float'"),
    ],
)
def test_configurations_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_detector(**changes)


def test_a_checkpoint_gives_the_network_back(tmp_path: Path) -> None:
    path = tmp_path / "last.pth"
    written = write_detector_checkpoint(path, 3, stride=4)
    network, record = load_checkpoint(path)
    assert record == {"experiment": "random", "seed": 0} and not network.training
    assert network.config == written.config and network.settings() == written.settings()
    images = random_images(1, (32, 48), 0)
    with torch.inference_mode():
        expected = written(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    found = TorchNetwork.from_checkpoint(path).run(images)
    assert found.dtype == np.float32 and found.shape == (8, 12, 7)
    np.testing.assert_allclose(found.transpose(2, 0, 1), expected[0], rtol=1e-4, atol=1e-4)


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"gone\.pth: no such checkpoint"):
        load_checkpoint(tmp_path / "gone.pth")
    (tmp_path / "torn.pth").write_bytes(b"PK\x03\x04 torn")
    write_checkpoint(tmp_path / "tracker.pth")
    with pytest.raises(ModelTaskError, match="for tracking/siamfc; expected one for detection/"):
        load_checkpoint(tmp_path / "tracker.pth")
    path = tmp_path / "last.pth"
    write_detector_checkpoint(path)
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["network.head.bias"]
    torch.save(content, tmp_path / "lacking.pth")
    for name in ("torn", "lacking"):
        with pytest.raises(ModelFileError, match="not a checkpoint that 'binvision train' wrote"):
            load_checkpoint(tmp_path / f"{name}.pth")
