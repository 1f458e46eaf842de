"""Training runs of classifiers, small but whole: any method, guided, resumed, exported."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from binvision.binary import METHODS
from binvision.classifiers.model import load_checkpoint
from binvision.classifiers.network import PackedNetwork
from binvision.classifiers.pictures import read_pictures
from binvision.classifiers.torch_network import TorchNetwork
from binvision.cli.app import main
from binvision.errors import ConfigError, DataError
from binvision.trackers.model import SiamFC, SiamFCConfig
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.labelled_pictures import CLASSES, write_pictures

SMALL = {
    "model.network.input_size": 8,
    "model.network.backbone.channels": (8, 16),
    "model.network.backbone.blocks": (1, 1),
    "train_dataloader.batch_size": 4,
    "default_hooks.checkpoint.interval": 3,
    "default_hooks.logger.interval": 1,
}


def request(data: Path, work_dir: Path, **more: Any) -> TrainingRequest:
    values = {key: repr(value) for key, value in SMALL.items()}
    return TrainingRequest(
        "classification/cifar10", work_dir, data=data, seed=3, threads=1,
        **{"iterations": 4, "overrides": values, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures") / "pictures.npz")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    return train(request(data, tmp_path_factory.mktemp("twin"), method="fp"))


def test_a_run_leaves_a_checkpoint_and_its_losses(twin: Path) -> None:
    network, record = load_checkpoint(twin)
    assert network.config.backbone["method"] == "fp" and not network.training
    assert tuple(network.config.classes) == CLASSES
    assert (record["iterations"], record["seed"], record["batch"]) == (4, 3, 4)
    (log,) = twin.parent.glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(math.isfinite(row["loss_class"]) for row in rows)


def test_no_picture_is_in_the_checkpoint(twin: Path) -> None:
    state = torch.load(twin, weights_only=True)["state_dict"]
    assert all(name.startswith("network.") for name in state)


def test_a_run_that_goes_on_ends_as_one_that_was_never_cut(data: Path, tmp_path: Path) -> None:
    kept = {key: repr(value) for key, value in SMALL.items()}
    kept["default_hooks.checkpoint.max_keep_ckpts"] = "-1"
    last = train(request(data, tmp_path, iterations=6, overrides=kept))
    whole = torch.load(last, weights_only=True)["state_dict"]
    last.unlink()
    (tmp_path / "iter_6.pth").unlink()
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_3.pth"))
    again = train(request(data, tmp_path, iterations=6, overrides=kept, resume=True))
    resumed = torch.load(again, weights_only=True)["state_dict"]
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_guided_training_leaves_the_teacher_alone(twin: Path, data: Path, tmp_path: Path) -> None:
    before, _ = load_checkpoint(twin)
    last = train(request(data, tmp_path, teacher=twin, iterations=2))
    content = torch.load(last, weights_only=True)["state_dict"]
    for name, value in before.state_dict().items():
        assert torch.equal(content[f"teacher.{name}"], value), name
    (log,) = tmp_path.glob("*/vis_data/scalars.json")
    assert "loss_guide" in json.loads(log.read_text().splitlines()[0])


def test_it_learns(data: Path, tmp_path: Path) -> None:
    last = train(request(data, tmp_path, iterations=40))
    network, pictures = TorchNetwork.from_checkpoint(last), read_pictures(data, "train")
    assert (network.run(pictures.images).argmax(1) == pictures.labels).mean() > 0.9


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_brings_what_belongs_to_it(name: str, data: Path, tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest("classification/cifar10", tmp_path, data, method=name))
    assert config.model.network.backbone.method == name
    for key, value in METHODS[name].config.items():
        assert set(value) <= set(config[key])


def test_a_method_for_any_task(tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest("tracking/siamfc_xnor", tmp_path, method="bnn"))
    assert config.model.network.backbone.method == "bnn"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_other_tasks_build_with_every_method(name: str, tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest("tracking/siamfc_xnor", tmp_path, method=name))
    assert set(config.model) == {"type", "network", "compile"}
    SiamFC(SiamFCConfig(**config.model.network))
    if "optim_wrapper" in METHODS[name].config:
        expected = METHODS[name].config["optim_wrapper"]["optimizer"]["type"]
        assert config.optim_wrapper.optimizer.type == expected


def test_guided_trackers_refuse_an_optimiser(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'bop' brings an optimiser, and this guided training"):
        prepare_config(TrainingRequest("tracking/rb_siamfc", tmp_path, method="bop"))


def test_unknown_methods_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown binarisation method 'birael'.*'bireal'"):
        train(request(data, tmp_path, method="birael"))


def test_there_must_be_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pass --data"):
        train(TrainingRequest("classification/cifar10", tmp_path))


def test_export_verifies_and_packs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, out = train(request(data, tmp_path / "run")), tmp_path / "small.safetensors"
    with pytest.raises(SystemExit, match="0"):
        main(["export", str(last), "-o", str(out)])
    assert "results differ from PyTorch's by" in capsys.readouterr().err
    images = read_pictures(data, "test").images
    packed, real = PackedNetwork(out), TorchNetwork.from_checkpoint(last)
    assert packed.settings == real.settings
    torch.testing.assert_close(
        torch.from_numpy(packed.run(images)), torch.from_numpy(real.run(images)),
        atol=1e-4, rtol=1e-4,
    )  # fmt: skip


def test_train_exports_at_the_end(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "eight.safetensors"
    words = ["train", "classification/cifar10", "--data", str(data), "--export", str(out)]
    words += ["--work-dir", str(tmp_path / "run"), "--iterations", "2", "--method", "bnn"]
    for key, value in SMALL.items():
        words += ["--set", f"{key}={value!r}"]
    with pytest.raises(SystemExit, match="0"):
        main(words)
    assert PackedNetwork(out).run(read_pictures(data, "test").images).shape == (6, 3)
