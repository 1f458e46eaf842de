"""The shipped configuration of a tracker with a box head, from training to its packed file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from binvision.cli.export import Pictures, pack
from binvision.runtime import save
from binvision.trackers.box_model import load_checkpoint
from binvision.trackers.box_network import PackedBoxNetwork
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.photographs import write_archive

_SMALL = {
    "fine_blocks": 1,
    "coarse_blocks": 1,
    "coarse_channels": 128,
    "channels": 64,
    "tower_blocks": 1,
}


def test_it_trains_packs_and_runs(tmp_path: Path) -> None:
    photos = write_archive(tmp_path / "photos.npz")
    request = TrainingRequest(
        config="tracking/bin_track",
        work_dir=tmp_path / "work",
        photos=(photos,),
        seed=3,
        iterations=2,
        threads=1,
        overrides={
            "model.network": repr({"_delete_": True, "method": "bireal", **_SMALL}),
            "model.start": "",
            "model.frozen": "False",
            "model.compile": "False",
            "train_dataloader.batch_size": "2",
            "train_dataloader.dataset.exemplars": "1",
            "train_dataloader.dataset.searches": "2",
            "train_dataloader.dataset.search_size": "143",
            "default_hooks.checkpoint.interval": "2",
        },
    )

    last = train(request)

    _, record = load_checkpoint(last)
    assert (record["seed"], record["data"]) == (3, ["photos.npz"])
    packed, _, _ = pack(last, "tiny", {}, Pictures((photos,), None, (), None))
    assert packed.provenance["eight_bit"]["photos"] == ["photos.npz"]
    save(tmp_path / "tiny.safetensors", packed)
    network = PackedBoxNetwork(tmp_path / "tiny.safetensors")
    exemplar = network.look(np.zeros((127, 127, 3), np.uint8))
    scores, boxes = network.search(np.zeros((255, 255, 3), np.uint8), exemplar)
    assert scores.shape == (16, 16)
    assert boxes.shape == (16, 16, 4)


def test_its_method_can_be_chosen(tmp_path: Path) -> None:
    request = TrainingRequest("tracking/bin_track", tmp_path, method="fp")

    assert prepare_config(request).model.network.method == "fp"
