"""The packed network of a tracker with a box head: PyTorch's answers, from bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from binvision import runtime
from binvision.errors import ModelTaskError
from binvision.trackers.box_exporting import pack_box_checkpoint
from binvision.trackers.box_model import BoxTracker, BoxTrackerConfig
from binvision.trackers.box_network import PackedBoxNetwork
from binvision.trackers.torch_box_network import TorchBoxNetwork

CONFIG = BoxTrackerConfig("bireal", 1, 1, 128, 64, 1, tracker={"search_size": 191})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights and statistics, as training leaves it."""
    torch.manual_seed(0)
    network = BoxTracker(CONFIG)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    path = tmp_path_factory.mktemp("box") / "last.pth"
    record = {"task": network.task, "network": vars(CONFIG), "training": {"seed": 0}}
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "binvision": record}, path)
    return path


@pytest.fixture(scope="module")
def packed(checkpoint: Path) -> PackedBoxNetwork:
    model, _ = pack_box_checkpoint(checkpoint, name="tiny", accuracy={})
    path = checkpoint.with_name("tiny.safetensors")
    runtime.save(path, model)
    return PackedBoxNetwork(path)


def _crop(side: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 8 + 1, side // 8 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 0).repeat(8, 1)[:side, :side])


def test_it_answers_as_pytorch_does(checkpoint: Path, packed: PackedBoxNetwork) -> None:
    torched = TorchBoxNetwork.from_checkpoint(checkpoint)
    assert packed.settings == torched.settings

    for seed in range(3):
        exemplars = [network.look(_crop(127, seed)) for network in (packed, torched)]
        found = packed.search(_crop(191, 10 + seed), exemplars[0])
        expected = torched.search(_crop(191, 10 + seed), exemplars[1])

        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_an_exemplar_is_kept_until_another_comes(packed: PackedBoxNetwork) -> None:
    first, second = packed.look(_crop(127, 1)), packed.look(_crop(127, 2))
    crop = _crop(191, 3)

    one = packed.search(crop, first)[0].copy()
    other = packed.search(crop, second)[0].copy()

    assert not np.array_equal(one, other)
    assert np.array_equal(packed.search(crop, first)[0], one)


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(ModelTaskError, match=r"tracking/siamfc.*tracking/box"):
        PackedBoxNetwork("rb-siamfc")
