"""The tracking loop around a PyTorch network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from binvision.errors import ModelFileError
from binvision.trackers import Tracker
from binvision.trackers.torch_embedder import TorchEmbedder
from tests.support.checkpoints import write_checkpoint


def test_features_are_those_of_the_network(tmp_path: Path) -> None:
    network = write_checkpoint(tmp_path / "net.pth", method="fp").eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 127, 127, 3), dtype=np.uint8)
    features = TorchEmbedder.from_checkpoint(tmp_path / "net.pth").embed(images)
    nchw = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float()
    with torch.no_grad():
        expected = network.embed(nchw).numpy().transpose(0, 2, 3, 1)
    assert features.flags.c_contiguous and features.dtype == np.float32
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_settings_come_from_the_checkpoint(tmp_path: Path) -> None:
    network = write_checkpoint(tmp_path / "net.pth")
    settings = TorchEmbedder.from_checkpoint(tmp_path / "net.pth").settings
    assert settings.response_scale == pytest.approx(network.settings()["response_scale"])
    assert settings.exemplar_crop == network.config.exemplar_crop


def test_a_tracker_runs_on_it_with_the_threads_asked_for(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "net.pth", method="fp")
    before = torch.get_num_threads()
    try:
        tracker = Tracker(TorchEmbedder.from_checkpoint(tmp_path / "net.pth", threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    frame = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    tracker.init(frame, (40, 30, 25, 20))
    x, y, w, h = tracker.update(frame).box_xywh
    assert abs(x - 40) < 12 and abs(y - 30) < 12  # the same frame: the target has not moved
    assert tracker.timings.frames == 1 and tracker.timings.network > 0


def test_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"something else")
    with pytest.raises(ModelFileError, match=r"net\.pth: not a checkpoint"):
        TorchEmbedder.from_checkpoint(tmp_path / "net.pth")
    with pytest.raises(ModelFileError, match=r"gone\.pth: no such checkpoint"):
        TorchEmbedder.from_checkpoint(tmp_path / "gone.pth")
