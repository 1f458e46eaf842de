"""Training runs of landmark networks, small but whole: plain, in two stages, guided, exported."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision.cli.app import main
from binvision.errors import ConfigError, DataError
from binvision.landmarks.losses import SHARPNESS
from binvision.landmarks.model import load_checkpoint
from binvision.landmarks.network import PackedNetwork
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.checkpoints import write_landmark_checkpoint
from tests.support.face_archives import write_points
from tests.support.point_sets import keypoints_row, write_keypoints_json

CONFIGS = (
    "face68", "face68_activations", "face68_bottleneck", "face68_fast", "face68_fast_fp",
    "face68_fp", "pose14", "pose14_bottleneck", "pose14_fp",
)  # fmt: skip


def small(**more: Any) -> dict[str, str]:
    """Overrides that make a network and its crops small."""
    values = {
        "model.network.input_size": 32,
        "model.network.backbone.channels": 16,
        "model.network.backbone.depth": 2,
        "train_dataloader.batch_size": 2,
        "default_hooks.checkpoint.interval": 3,
        "default_hooks.logger.interval": 1,
        **more,
    }
    return {key: repr(value) for key, value in values.items()}


def request(config: str, work_dir: Path, faces: Path, **more: Any) -> TrainingRequest:
    return TrainingRequest(
        f"landmarks/{config}", work_dir, faces=(faces,), seed=3, threads=1,
        **{"iterations": 4, "overrides": small(), **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_points(tmp_path_factory.mktemp("faces") / "faces", 3)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> Path:
    return train(request("face68_fp", tmp_path_factory.mktemp("twin"), faces))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_builds(name: str, faces: Path, tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest(f"landmarks/{name}", tmp_path, faces=(faces,)))
    dataset, network = config.train_dataloader.dataset, config.model.network
    assert (dataset.scheme, dataset.input_size) == (network.scheme, network.input_size)
    assert dataset.crop == network.settings.crop
    assert network.backbone.method == {"fp": "fp", "ns": "activations"}.get(name[-2:], "bireal")


def test_every_step_of_a_set_batch_has_crops_of_its_own(faces: Path, tmp_path: Path) -> None:
    overrides = {"train_dataloader.batch_size": "48"}
    wanted = request("face68", tmp_path, faces, overrides=overrides, iterations=10)
    assert prepare_config(wanted).train_dataloader.dataset.length == 480


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("config", ["face68", "face68_fp"])
def test_replayed_passes_train_alike(config: str, faces: Path, tmp_path: Path) -> None:
    losses = []
    for graph in (False, True):
        overrides = small(**{"model.graph": graph})
        last = train(
            request(config, tmp_path / str(graph), faces, overrides=overrides, iterations=20)
        )
        load_checkpoint(last)
        (log,) = (tmp_path / str(graph)).glob("*/vis_data/scalars.json")
        losses.append([json.loads(line)["loss"] for line in log.read_text().splitlines()])
    np.testing.assert_allclose(*losses, rtol=0.05)


def test_a_run_leaves_a_checkpoint_and_its_losses(twin: Path) -> None:
    network, record = load_checkpoint(twin)
    assert network.config.backbone["method"] == "fp" and not network.training
    assert (record["iterations"], record["seed"], record["batch"], record["pictures"]) == (
        4, 3, 2, 8,
    )  # fmt: skip
    (name,) = record["data"]
    assert name.endswith("/faces")
    (log,) = twin.parent.glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert all(math.isfinite(row[name]) for name in ("loss_map", "loss_point", "loss_absent"))


def test_signs_of_activations_before_those_of_weights(faces: Path, tmp_path: Path) -> None:
    first = train(request("face68_activations", tmp_path / "first", faces))
    second = train(request("face68", tmp_path / "second", faces, start_from=first))
    assert load_checkpoint(second)[0].config.backbone["method"] == "bireal"


def test_guided_training_leaves_the_twin_alone(twin: Path, faces: Path, tmp_path: Path) -> None:
    before, _ = load_checkpoint(twin)
    last = train(request("face68", tmp_path, faces, teacher=twin, iterations=2))
    content = torch.load(last, weights_only=True)["state_dict"]
    for name, value in before.state_dict().items():
        assert torch.equal(content[f"teacher.{name}"], value), name
    (log,) = tmp_path.glob("*/vis_data/scalars.json")
    assert "loss_guide" in json.loads(log.read_text().splitlines()[0])


def test_the_twin_must_have_the_same_points(faces: Path, tmp_path: Path) -> None:
    write_landmark_checkpoint(tmp_path / "other.pth", scheme="pose14")
    with pytest.raises(ConfigError, match="has scheme pose14, the network face68"):
        train(request("face68", tmp_path / "run", faces, teacher=tmp_path / "other.pth"))


@pytest.mark.parametrize("loss", sorted(SHARPNESS))
def test_all_losses_and_stacks(loss: str, faces: Path, tmp_path: Path) -> None:
    backbone = {"type": "hourglass", "method": "bireal", "channels": 16, "depth": 2, "stacks": 2}
    network: dict[str, Any] = {
        "backbone": backbone,
        "scheme": "face68",
        "input_size": 32,
        "loss": loss,
    }
    network["settings"] = {"crop": 1.4}
    overrides = {k: v for k, v in small().items() if not k.startswith("model.")}
    overrides["model.network"] = repr(network)
    last = train(request("face68", tmp_path, faces, overrides=overrides, iterations=2))
    trained, _ = load_checkpoint(last)
    assert trained.config.loss == loss and len(trained.inner_heads) == 1
    assert all(torch.isfinite(value).all() for value in trained.state_dict().values())


def test_poses_train_and_export_from_their_annotations(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"{i}.png", keypoints_row(rng.uniform(5, 50, (14, 2)))) for i in range(4)]
    data = write_keypoints_json(tmp_path / "pose", rows)
    target = tmp_path / "pose.safetensors"
    options = [item for key, value in small().items() for item in ("--set", f"{key}={value}")]
    arguments = ["--data", str(data), "--images", str(data.parent), "--iterations", "2"]
    with pytest.raises(SystemExit) as done:
        main(["train", "landmarks/pose14", *arguments, *options, "--threads", "1",
              "--work-dir", str(tmp_path / "run"), "--export", str(target)])  # fmt: skip
    assert done.value.code == 0
    network = PackedNetwork(target)
    assert network.settings.scheme == "pose14" and network.settings.crop == 1.25
    assert network.run(np.zeros((1, 32, 32, 3), np.uint8)).shape == (8, 8, 14)


def test_a_run_without_points_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no points to train on: pass --faces"):
        train(TrainingRequest("landmarks/face68", tmp_path, iterations=2, overrides=small()))
