"""Packed detectors: the numbers of the checkpoint, its settings, rounding to eight bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from binvision import runtime
from binvision.detectors.exporting import pack_checkpoint, pictures_in
from binvision.detectors.network import PackedNetwork
from binvision.detectors.settings import DetectorSettings
from binvision.errors import DataError, ModelTaskError, SourceError
from binvision.runtime import PackedModel
from tests.support.checkpoints import SMALL_DETECTOR, write_checkpoint, write_detector_checkpoint
from tests.support.torch_networks import random_images

STAGED: dict[str, Any] = SMALL_DETECTOR["backbone"]
BACKBONES: dict[str, dict[str, Any]] = {
    "staged": STAGED,
    "react": {**STAGED, "block": "react"},
    "melius": {**STAGED, "type": "melius", "growth": 8},
    "twin": {**STAGED, "method": "fp"},
}


def packed(path: Path, images: Path | None = None) -> tuple[PackedModel, nn.Module]:
    paths = pictures_in(images) if images else []
    model, network, examples = pack_checkpoint(
        path, name="small", accuracy={"AP": 0.5}, pictures=paths
    )
    assert bool(examples) == (images is not None)
    assert all(each.dtype == np.uint8 and each.shape[1] % 16 == 0 for each in examples)
    return model, network


def run(model: PackedModel, images: np.ndarray, folder: Path) -> np.ndarray:
    """What the inference side computes of the written file."""
    runtime.save(folder / "small.safetensors", model)
    return PackedNetwork(folder / "small.safetensors").run(images)


def in_torch(network: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        raw = network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    return raw[0].permute(1, 2, 0).numpy()


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index, picture in enumerate(random_images(count, (40, 70), 0)):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    return folder


@pytest.mark.parametrize("size_hw", [(16, 80), (64, 48)])
@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_packed_network_computes_what_the_checkpoint_does(
    tmp_path: Path, backbone: str, stride: int, size_hw: tuple[int, int]
) -> None:
    write_detector_checkpoint(tmp_path / "last.pth", backbone=BACKBONES[backbone], stride=stride)
    model, network = packed(tmp_path / "last.pth")
    images = random_images(1, size_hw, 1)
    ours, theirs = run(model, images, tmp_path), in_torch(network, images)
    assert ours.shape == (size_hw[0] // stride, size_hw[1] // stride, 7)
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-4


def test_packed_detector_says_what_it_is(tmp_path: Path) -> None:
    settings = {"score_threshold": 0.3}
    written = write_detector_checkpoint(tmp_path / "last.pth", settings=settings)
    model, _ = packed(tmp_path / "last.pth")
    assert model.name == "small" and model.task == "detection/anchor_free"
    assert model.outputs == ("head",) and model.accuracy == {"AP": 0.5}
    assert model.provenance["checkpoint"] == "last.pth"
    assert model.provenance["experiment"] == "random"
    found = DetectorSettings.from_mapping(model.settings, "small")
    assert found == DetectorSettings.from_mapping(written.settings(), "small")
    assert found.score_threshold == 0.3
    assert "iou_threshold" in model.settings  # a default of today stays this model's own


@pytest.mark.parametrize("backbone", ["staged", "melius"])
def test_eight_bits(tmp_path: Path, backbone: str) -> None:
    write_detector_checkpoint(tmp_path / "last.pth", backbone=BACKBONES[backbone])
    folder = pictures(tmp_path / "pictures", 3)
    model, network = packed(tmp_path / "last.pth", folder)
    assert model.provenance["eight_bit"] == {"images": "pictures", "pictures": 3}
    convolutions = [step for step in model.steps if step.op == "conv"]
    assert all(model.tensor(step, "weight").dtype == np.int8 for step in convolutions)
    images = random_images(1, (48, 64), 1)
    ours, theirs = run(model, images, tmp_path), in_torch(network, images)
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-4
    _, unrounded = packed(tmp_path / "last.pth")
    change = np.abs(theirs - in_torch(unrounded, images)).mean() / np.abs(theirs).mean()
    assert 0 < change < 0.3


def test_ranges_are_those_of_pictures_as_the_detector_sees_them(tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "last.pth")
    folder = pictures(tmp_path / "pictures", 100)
    model, _ = packed(tmp_path / "last.pth", folder)
    assert model.provenance["eight_bit"]["pictures"] == 48  # 40x70 fits no network as it is


def test_no_pictures(tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "last.pth")
    with pytest.raises(DataError, match="none: no such folder of pictures"):
        packed(tmp_path / "last.pth", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: has no pictures; give the folder"):
        packed(tmp_path / "last.pth", tmp_path / "empty")
    (tmp_path / "empty" / "torn.png").write_bytes(b"torn")
    with pytest.raises(SourceError, match=r"torn\.png: cannot be decoded"):
        packed(tmp_path / "last.pth", tmp_path / "empty")


def test_checkpoint_of_a_tracker(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pth")
    with pytest.raises(ModelTaskError, match="for tracking/siamfc; expected one for detection/"):
        packed(tmp_path / "last.pth")
