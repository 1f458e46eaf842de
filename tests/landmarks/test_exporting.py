"""Packed landmark networks: the numbers of the checkpoint, its settings, rounding to 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from binvision import runtime
from binvision.errors import DataError, ModelTaskError
from binvision.landmarks.annotations import PointSet, read_point_set
from binvision.landmarks.exporting import pack_checkpoint
from binvision.landmarks.network import PackedNetwork
from binvision.landmarks.settings import LandmarkSettings
from binvision.runtime import PackedModel
from tests.support.checkpoints import (
    SMALL_LANDMARKS,
    write_detector_checkpoint,
    write_landmark_checkpoint,
)
from tests.support.face_archives import write_points
from tests.support.torch_networks import random_images

BACKBONE: dict[str, Any] = SMALL_LANDMARKS["backbone"]
NETWORKS: dict[str, dict[str, Any]] = {
    "hierarchical": {},
    "wide": {"backbone": {**BACKBONE, "channels": 128, "depth": 1}},
    "bottleneck": {"backbone": {**BACKBONE, "block": "bottleneck"}},
    "two stacks": {"backbone": {**BACKBONE, "stacks": 2}},
    "learned scales": {"backbone": {**BACKBONE, "method": "rbcn"}},
    "sharpened": {"loss": "l2"},
    "twin": {"backbone": {**BACKBONE, "method": "fp"}},
}


def packed(path: Path, sets: tuple[PointSet, ...] = ()) -> tuple[PackedModel, nn.Module]:
    model, network, examples = pack_checkpoint(path, name="small", accuracy={"NME": 4}, sets=sets)
    assert bool(examples) == bool(sets)
    assert all(each.shape == (1, 32, 32, 3) and each.dtype == np.uint8 for each in examples)
    return model, network


def run(model: PackedModel, image: np.ndarray, folder: Path) -> np.ndarray:
    """What the inference side computes of the written file."""
    runtime.save(folder / "small.safetensors", model)
    return PackedNetwork(folder / "small.safetensors").run(image)


def in_torch(network: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        maps = network(torch.from_numpy(image).permute(0, 3, 1, 2).float())
    return maps[0].permute(1, 2, 0).numpy()


def agree(ours: np.ndarray, theirs: np.ndarray, most: float) -> bool:
    return bool(np.abs(ours - theirs).max() <= most * np.abs(theirs).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_packed_maps_are_those_of_the_network(name: str, tmp_path: Path) -> None:
    """Most seeds agree to rounding; in the others a value within it fell past its threshold."""
    close = 0
    for seed in range(5):
        network = write_landmark_checkpoint(tmp_path / "last.pth", seed, **NETWORKS[name])
        model, _ = packed(tmp_path / "last.pth")
        image = random_images(1, (32, 32), seed)
        close += agree(run(model, image, tmp_path), in_torch(network, image), 1e-4)
    assert close >= 4


def test_all_settings_are_written(tmp_path: Path) -> None:
    write_landmark_checkpoint(tmp_path / "last.pth", settings={"crop": 1.3, "detector": "bin-face"})
    model, _ = packed(tmp_path / "last.pth")
    settings = LandmarkSettings.from_mapping(model.settings, "small")
    assert (settings.scheme, settings.input_size, settings.stride) == ("face68", 32, 4)
    assert (settings.crop, settings.detector) == (1.3, "bin-face")
    assert set(model.settings) == set(LandmarkSettings.__dataclass_fields__)
    assert model.task == "landmarks/heat_maps" and model.accuracy == {"NME": 4}
    assert model.provenance["checkpoint"] == "last.pth" and model.provenance["seed"] == 0


def test_rounding_to_eight_bits(tmp_path: Path) -> None:
    write_landmark_checkpoint(tmp_path / "last.pth")
    found = read_point_set(write_points(tmp_path / "faces", 3))
    model, network = packed(tmp_path / "last.pth", (found,))
    assert model.provenance["eight_bit"] == {"sets": [found.name], "crops": 3}
    real = [step for step in model.steps if step.op == "conv"]
    assert all(model.tensor(step, "weight").dtype == np.int8 for step in real) and len(real) == 3
    image = random_images(1, (32, 32), 0)
    assert agree(run(model, image, tmp_path), in_torch(network, image), 1e-3)


def test_sets_without_points_are_refused(tmp_path: Path) -> None:
    write_landmark_checkpoint(tmp_path / "last.pth")
    found = read_point_set(write_points(tmp_path / "faces", 1))
    empty = PointSet(found.name, found.scheme, (), ())
    with pytest.raises(DataError, match="no picture with points"):
        packed(tmp_path / "last.pth", (empty,))


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "last.pth")
    with pytest.raises(ModelTaskError, match="expected one for landmarks/heat_maps"):
        packed(tmp_path / "last.pth")
