"""Training runs, small but whole: plain, guided, resumed, and on two processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from binvision import runtime
from binvision.cli.export import export
from binvision.errors import ConfigError, DataError, ModelFileError
from binvision.trackers.model import SiamFC, SiamFCConfig, load_checkpoint
from binvision.trackers.settings import SiamFCSettings
from binvision.training.run import TrainingRequest, find_config, prepare_config, train
from tests.support.photographs import write_archive

CONFIGS = (
    "tracking/siamfc_fp",
    "tracking/siamfc_xnor",
    "tracking/rb_siamfc",
    "tracking/siamfc_fp_alexnet",
    "tracking/rb_siamfc_alexnet",
)


def small_network(method: str) -> str:
    backbone = {"type": "residual", "method": method, "stem_channels": 8, "channels": 16}
    return repr({"backbone": {**backbone, "blocks": 2, "out_channels": 16}})


SMALL = {
    "model.compile": "False",
    "train_dataloader.batch_size": "2",
    "train_dataloader.dataset.exemplars": "2",
    "train_dataloader.dataset.searches": "2",
    "default_hooks.checkpoint.interval": "3",
    "default_hooks.checkpoint.max_keep_ckpts": "-1",
    "default_hooks.logger.interval": "1",
}


def request(
    config: str, work_dir: Path, photos: Path, method: str, iterations: int = 6, **more: object
) -> TrainingRequest:
    overrides = {**SMALL, "model.network": small_network(method)}
    return TrainingRequest(
        config,
        work_dir,
        photos=(photos,),
        iterations=iterations,
        overrides=overrides,
        seed=3,
        **more,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("data") / "photos.npz")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    work_dir = tmp_path_factory.mktemp("twin")
    return train(request("tracking/siamfc_fp", work_dir, photos, "fp"))


def test_a_run_leaves_a_checkpoint_that_rebuilds_the_network(twin: Path) -> None:
    network, record = load_checkpoint(twin)
    assert network.config.backbone["method"] == "fp" and not network.training
    assert record["iterations"] == 6 and record["seed"] == 3
    assert record["data"] == ["photos.npz"]
    assert record["pairs"] == 6 * 2 * 4 and record["views"] == 6 * 2 * 4
    with torch.inference_mode():
        assert torch.isfinite(network.embed(torch.zeros(1, 3, 127, 127))).all()


def test_a_run_logs_losses_as_json(twin: Path) -> None:
    (log,) = twin.parent.glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all({"loss_logistic", "loss_contrastive", "hit", "lr"} <= set(row) for row in rows)


def test_resuming_continues_the_same_training(twin: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(twin.parent / "iter_3.pth", tmp_path)
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_3.pth"))
    resumed = train(request("tracking/siamfc_fp", tmp_path, photos, "fp", resume=True))
    straight, again = (load_checkpoint(path)[0].state_dict() for path in (twin, resumed))
    early = load_checkpoint(tmp_path / "iter_3.pth")[0].state_dict()
    assert not torch.equal(early["backbone.stem.weight"], again["backbone.stem.weight"])
    for name, value in straight.items():
        torch.testing.assert_close(again[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_second_schedule_starts_from_the_weights_of_the_first(
    twin: Path, photos: Path, tmp_path: Path
) -> None:
    last = train(request("tracking/siamfc_fp", tmp_path, photos, "fp", 2, start_from=twin))
    first, second = (load_checkpoint(path)[0].state_dict() for path in (twin, last))
    drift = (first["backbone.stem.weight"] - second["backbone.stem.weight"]).abs().max()
    assert 0 < drift < 0.01
    both = request("tracking/siamfc_fp", tmp_path, photos, "fp", start_from=twin, resume=True)
    with pytest.raises(ConfigError, match="drop start_from"):
        prepare_config(both)


def test_guided_training_starts_from_the_twin_and_leaves_it_alone(
    twin: Path, photos: Path, tmp_path: Path
) -> None:
    before, _ = load_checkpoint(twin)
    last = train(request("tracking/rb_siamfc", tmp_path, photos, "rbcn", 2, teacher=twin))
    content = torch.load(last, weights_only=True)["state_dict"]
    for name, value in before.state_dict().items():
        assert torch.equal(content[f"teacher.{name}"], value), name
    network, _ = load_checkpoint(last)
    drift = (network.backbone.stem.weight - before.backbone.stem.weight).abs().max()
    assert 0 < drift < 0.01
    (log,) = tmp_path.glob("*/vis_data/scalars.json")
    row = json.loads(log.read_text().splitlines()[0])
    for loss in ("feature", "adversarial", "kernel", "discriminators"):
        assert row[f"loss_{loss}"] > 0, loss


def test_a_method_with_parameters_of_its_own_starts_from_the_twin(
    twin: Path, photos: Path, tmp_path: Path
) -> None:
    last = train(request("tracking/rb_siamfc", tmp_path, photos, "abc", 2, teacher=twin))
    content = torch.load(last, weights_only=True)["state_dict"]
    assert any(name.endswith("activation.beta") for name in content)


def test_trained_weights_export_to_the_same_network(
    twin: Path, photos: Path, tmp_path: Path
) -> None:
    last = train(request("tracking/rb_siamfc", tmp_path, photos, "rbcn", 4, teacher=twin))
    packed_file = tmp_path / "packed.safetensors"
    export(last, packed_file)
    network, _ = load_checkpoint(last)
    packed = runtime.load(packed_file)
    rng = np.random.default_rng(0)
    for size_hw in ((127, 127), (159, 131), (98, 203)):
        images = rng.integers(0, 256, (2, *size_hw, 3), dtype=np.uint8)
        features = runtime.Runner(packed, batch=2, size_hw=size_hw)(images)[packed.outputs[0]]
        with torch.inference_mode():
            expected = network.embed(torch.from_numpy(images).permute(0, 3, 1, 2).float())
        expected = expected.permute(0, 2, 3, 1).numpy()
        assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_teacher_of_another_shape_is_refused(photos: Path, tmp_path: Path, twin: Path) -> None:
    wrong = request("tracking/rb_siamfc", tmp_path, photos, "rbcn", teacher=twin)
    wrong.overrides["model.network"] = wrong.overrides["model.network"].replace(
        "'blocks': 2", "'blocks': 3"
    )
    with pytest.raises(Exception, match="the teacher is not the float twin of this network"):
        train(wrong)


@pytest.mark.parametrize("config", ["tracking/siamfc_xnor", "tracking/rb_siamfc"])
def test_two_processes_under_torchrun(
    config: str, twin: Path, photos: Path, tmp_path: Path
) -> None:
    method = "xnor" if config.endswith("xnor") else "rbcn"
    guide = [] if method == "xnor" else ["--teacher", str(twin)]
    overrides = {**SMALL, "model.network": small_network(method)}
    sets = [part for key, value in overrides.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--master_port", "29517", "-m", "binvision", "train", config]
    command += ["--photos", str(photos), "--work-dir", str(tmp_path), "--iterations", "3"]
    done = subprocess.run(
        [*command, "--threads", "1", *guide, *sets],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, record = load_checkpoint(tmp_path / "last.pth")
    assert record["world_size"] == 2 and record["iterations"] == 3


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configurations_agree_with_their_own_record(name: str, tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest(name, tmp_path))
    dataset, record = config.train_dataloader.dataset, config.record
    assert record.pairs == dataset.objects * dataset.exemplars * dataset.searches >= 500_000
    assert config.train_cfg.max_iters * config.train_dataloader.batch_size == dataset.objects
    assert config.param_scheduler[-1].end == config.train_cfg.max_iters
    network = SiamFC(SiamFCConfig(**config.model.network))
    SiamFCSettings.from_mapping(network.settings(), where=name)


def test_a_shorter_schedule_is_short_in_every_part(tmp_path: Path) -> None:
    config = prepare_config(TrainingRequest("tracking/siamfc_fp", tmp_path, iterations=50))
    warmup, cosine = config.param_scheduler
    assert (warmup.end, cosine.begin, cosine.end) == (5, 5, 50)
    assert config.record.pairs == 50 * 6 * 20


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: {"config": "tracking/siamfc"}, ConfigError, "no configuration.*Did you mean"),
        (lambda p: {"photos": (p / "no.npz",)}, DataError, "no.npz: no such file"),
        (lambda p: {"teacher": p}, ConfigError, "is not guided, so it takes no teacher"),
        (lambda p: {"iterations": 1}, ConfigError, "schedule of 1 steps has no room"),
        (lambda p: {"overrides": {"modle.x": "1"}}, ConfigError, "has no key 'modle.x'"),
    ],
)
def test_faults(make, error, message, tmp_path: Path) -> None:
    arguments = {"config": "tracking/siamfc_xnor", "work_dir": tmp_path, **make(tmp_path)}
    with pytest.raises(error, match=message):
        prepare_config(TrainingRequest(**arguments))


def test_checkpoint_faults(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
    (tmp_path / "torn.pth").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ModelFileError, match="not a checkpoint that 'binvision train' wrote"):
        load_checkpoint(tmp_path / "torn.pth")
    with pytest.raises(ConfigError, match="exemplar_crop=10 cannot be centred in the 15x15"):
        SiamFC(SiamFCConfig({"type": "residual", "method": "fp"}, exemplar_crop=10))


def test_find_config_takes_paths_and_names(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text("_base_ = []\n")
    assert find_config(str(own)) == own
    assert find_config("tracking/rb_siamfc").name == "rb_siamfc.py"
