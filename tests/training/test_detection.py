"""Training runs of detectors, small but whole: plain, guided, resumed, and on two processes."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from binvision.cli.app import main
from binvision.detectors.annotations import DetectionSet, read_detection_set, read_picture
from binvision.detectors.evaluation.coco_metric import coco_scores, in_classes
from binvision.detectors.evaluation.entrant import enter
from binvision.detectors.model import load_checkpoint
from binvision.detectors.network import PackedNetwork
from binvision.detectors.scenes import DetectionScenes
from binvision.errors import ConfigError, DataError, ModelFileError, UsageError
from binvision.training.detection import describe
from binvision.training.run import TrainingRequest, prepare_config, train
from tests.support.detection_scenes import CLASSES, write_scenes
from tests.support.face_archives import write_face_archive
from tests.support.photographs import write_archive

CONFIGS = (
    "aerial", "aerial_fp", "cells", "cells_fp", "drone", "drone_fp",
    "face", "face_activations", "face_bidet", "face_fp",
)  # fmt: skip


def small(method: str, **more: Any) -> dict[str, str]:
    """Overrides that make a network and its pictures small."""
    backbone = {"type": "staged", "method": method, "stem_channels": 4}
    backbone |= {"channels": [8, 16, 16], "blocks": [0, 1, 1]}
    network = {"backbone": backbone, "classes": [], "stride": 8, "width": 16, "input_size": 64}
    values = {
        "model.network": {**network, **more},
        "train_dataloader.batch_size": 2,
        "train_dataloader.dataset.size": 64,
        "default_hooks.checkpoint.interval": 3,
        "default_hooks.checkpoint.max_keep_ckpts": -1,
        "default_hooks.logger.interval": 1,
    }
    return {key: repr(value) for key, value in values.items()}


def request(
    config: str, work_dir: Path, data: Path, method: str, iterations: int = 6, **more: Any
) -> TrainingRequest:
    return TrainingRequest(
        f"detection/{config}", work_dir, data, iterations=iterations, seed=3,
        overrides=small(method), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    return train(request("face_fp", tmp_path_factory.mktemp("twin"), data, "fp"))


def test_a_training_tells_of_its_data_and_leaves_a_packed_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(data.read_text())
    for row in content["annotations"][:7]:
        row["bbox"][2] = 0
    lessened = tmp_path / "less.json"
    lessened.write_text(json.dumps(content))
    sets = [f"--set={key}={value}" for key, value in small("bireal").items()]
    target = tmp_path / "mine.safetensors"
    with pytest.raises(SystemExit) as done:
        main(
            [
                "train", "detection/face_fp", "--data", str(lessened), "--images",
                str(data.parent / "set"), "--iterations", "2", "--work-dir", str(tmp_path / "run"),
                "--export", str(target), *sets,
            ]
        )  # fmt: skip
    shown = capsys.readouterr()
    assert not done.value.code, shown.err
    assert re.search(r"all +5 +5 +", shown.err), shown.err
    assert "note: " in shown.err and "left out (x, y, w, h" in shown.err
    assert shown.out.splitlines()[0] == str(tmp_path / "run" / "last.pth")
    assert f"{target}: {target.stat().st_size:,} bytes" in shown.out
    assert PackedNetwork(target).settings.classes == CLASSES


def test_many_problems_are_counted() -> None:
    shown = StringIO()
    found = DetectionSet(("car",), (), tuple(f"fault {index}" for index in range(8)))
    describe(found, Console(file=shown))
    assert "note: fault 4\nnote: and 3 more of 8\n" in shown.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "x.json", "--export", "none/m"), "there is no folder none; make it first"),
        (
            ("--export", "m"),
            "--export is for detectors and landmarks, with --data or --faces; 'binvision export'",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused_before(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["train", "detection/face_fp", *arguments])
    assert done.value.code == 2 and message in capsys.readouterr().err


def logged(work_dir: Path) -> list[dict[str, float]]:
    (log,) = work_dir.glob("*/vis_data/scalars.json")
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_run_leaves_a_checkpoint_that_rebuilds_the_network(twin: Path) -> None:
    network, record = load_checkpoint(twin)
    assert network.config.backbone["method"] == "fp" and not network.training
    assert network.config.classes == list(CLASSES)  # from the data
    assert (record["iterations"], record["seed"], record["world_size"]) == (6, 3, 1)
    assert (record["batch"], record["pictures"]) == (2, 12)
    (name,) = record["data"]
    assert name.endswith("/set.json") and name.count("/") == 1
    with torch.inference_mode():
        assert torch.isfinite(network(torch.zeros(1, 3, 32, 48))).all()


def test_a_run_logs_losses_as_json(twin: Path) -> None:
    rows = logged(twin.parent)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for row in rows:
        for name in ("loss", "loss_centre", "loss_box", "loss_quality", "lr"):
            assert math.isfinite(row[name]), name


@pytest.mark.parametrize(("config", "method"), [("face_fp", "fp"), ("face", "bireal")])
def test_resuming_continues_the_same_training(
    data: Path, tmp_path: Path, config: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(request(config, tmp_path / "straight", data, method))
    (tmp_path / "resumed").mkdir()
    early = tmp_path / "resumed" / "iter_3.pth"
    shutil.copy(straight.parent / "iter_3.pth", early)
    (tmp_path / "resumed" / "last_checkpoint").write_text(str(early))
    rendered = []

    def counted(self: DetectionScenes, index: int) -> Any:
        rendered.append(index)
        return item(self, index)

    item = DetectionScenes.__getitem__
    monkeypatch.setattr(DetectionScenes, "__getitem__", counted)
    resumed = train(request(config, tmp_path / "resumed", data, method, resume=True))
    assert rendered == [6, 7, 8, 9, 10, 11]  # nothing of the three steps before
    weights = [load_checkpoint(path)[0].state_dict() for path in (straight, resumed, early)]
    assert not torch.equal(weights[0]["head.weight"], weights[2]["head.weight"])
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-5, msg=name)
    assert load_checkpoint(resumed)[1]["iterations"] == 6


def test_guided_training_leaves_the_twin_alone(twin: Path, data: Path, tmp_path: Path) -> None:
    before, _ = load_checkpoint(twin)
    last = train(request("face", tmp_path, data, "bireal", 2, teacher=twin))
    content = torch.load(last, weights_only=True)["state_dict"]
    for name, value in before.state_dict().items():
        assert torch.equal(content[f"teacher.{name}"], value), name
    for row in logged(tmp_path):
        assert row["loss_feature"] > 0 and row["loss_instance"] > 0


def test_two_stages(twin: Path, data: Path, tmp_path: Path) -> None:
    """Signs of activations first, then those of weights, from the weights of the first stage."""
    first = train(request("face_activations", tmp_path / "first", data, "activations", 3))
    second = train(request("face", tmp_path / "second", data, "bireal", 2, start_from=first))
    networks = [load_checkpoint(path)[0] for path in (first, second)]
    assert [n.config.backbone["method"] for n in networks] == ["activations", "bireal"]
    drift = (networks[0].head.weight - networks[1].head.weight).abs().max()
    assert 0 < drift < 0.01
    images = torch.randint(0, 256, (1, 3, 64, 64)).float()
    with torch.inference_mode():
        assert not torch.equal(networks[0](images), networks[1](images))


def test_other_classes_start_with_a_new_head(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_scenes(tmp_path / "other")
    document = json.loads(other.read_text())
    document["categories"].append({"id": 2, "name": "middle"})
    other.write_text(json.dumps(document))
    last = train(request("face_fp", tmp_path / "run", other, "fp", 2, start_from=twin))
    before, after = (load_checkpoint(path)[0] for path in (twin, last))
    assert after.config.classes == [*CLASSES, "middle"] and len(after.head.bias) == 8
    assert 0 < (before.neck[0].conv.weight - after.neck[0].conv.weight).abs().max() < 0.01
    assert "other classes; head.weight, head.bias start at random" in capsys.readouterr().err


def test_weights_of_another_network_are_refused(twin: Path, data: Path, tmp_path: Path) -> None:
    wanted = request("face_fp", tmp_path / "run", data, "fp", 2, start_from=twin)
    wanted.overrides.update(small("fp", width=24))
    message = r"last\.pth: is of another network: \d+ of its tensors do not fit, such as laterals"
    with pytest.raises(ConfigError, match=message):
        train(wanted)
    torn = tmp_path / "torn.pth"
    torn.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ModelFileError, match=r"torn\.pth: not a checkpoint that 'binvision train'"):
        train(request("face_fp", tmp_path / "run", data, "fp", 2, start_from=torn))


def test_the_teacher_is_the_one_that_is_named(twin: Path, data: Path, tmp_path: Path) -> None:
    """Not the one of the run whose weights a second schedule starts from."""
    first = train(request("face", tmp_path / "first", data, "bireal", 2, teacher=twin))
    other = train(request("face_fp", tmp_path / "other", data, "fp", 2))
    more = {"teacher": other, "start_from": first}
    last = train(request("face", tmp_path / "last", data, "bireal", 2, **more))
    content = torch.load(last, weights_only=True)["state_dict"]
    for name, value in load_checkpoint(other)[0].state_dict().items():
        assert torch.equal(content[f"teacher.{name}"], value), name


def test_bidet_adds_its_losses(data: Path, tmp_path: Path) -> None:
    train(request("face_bidet", tmp_path, data, "bireal", 2))
    for row in logged(tmp_path):
        parts = [value for name, value in row.items() if name.startswith("loss_")]
        assert row["loss_bottleneck"] > 0 and row["loss_sparse"] > 0
        assert row["loss"] == pytest.approx(sum(parts), rel=1e-4)


def test_learned_scales_add_the_kernel_loss(data: Path, tmp_path: Path) -> None:
    train(request("face", tmp_path, data, "rbcn", 2))
    assert all(row["loss_kernel"] > 0 for row in logged(tmp_path))


def test_faces_and_photographs(data: Path, tmp_path: Path) -> None:
    faces = write_face_archive(tmp_path / "faces.npz", 3)
    photos = write_archive(tmp_path / "photos.npz", boxes=False)
    more = {"faces": (faces,), "photos": (photos,)}
    last = train(request("face", tmp_path / "run", data, "bireal", 2, **more))
    _, record = load_checkpoint(last)
    assert [Path(name).name for name in record["data"]] == ["set.json", "faces.npz", "photos.npz"]


def measured(checkpoint: Path, data: Path) -> dict[str, float]:
    """COCO's numbers as ``binvision eval coco`` has them."""
    entrant = enter(str(checkpoint), score=0.01, threads=1)
    read = read_detection_set(data)
    found = [entrant.detect(read_picture(picture)) for picture in read.pictures]
    found = [in_classes(boxes, read.classes) for boxes in found]
    numbers = coco_scores(read.pictures, found, read.classes).numbers
    return {name: value for name, value in numbers.items() if value is not None}


# What lets a network find something after some dozen steps.
EAGER = {
    "optim_wrapper.optimizer.lr": "0.01",
    "train_dataloader.dataset.ranges": repr({"mosaic": 0.0, "paste": 0, "scale": (0.9, 1.1)}),
    "train_cfg.val_interval": "21",
}


def test_validation_measures_what_an_evaluation_does(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = request("face_fp", tmp_path / "run", data, "fp", 48, val_data=data)
    wanted.overrides.update(EAGER)
    last = train(wanted)
    for path, step in ((last.parent / "iter_21.pth", 21), (last, 48)):
        record = load_checkpoint(path)[1]["validation"]
        assert record.pop("iteration") == step
        numbers = measured(path, data)
        assert record == pytest.approx(numbers)
    assert numbers["AP50"] > 0.05
    # Between two validations a checkpoint has the figures of the one before.
    assert load_checkpoint(last.parent / "iter_24.pth")[1]["validation"]["iteration"] == 21
    written = capsys.readouterr()
    assert written.out == "" and "WARNING" not in written.err
    lines = [line for line in written.err.splitlines() if "AP50" in line]
    assert [line.split(":")[0].split()[-2:] for line in lines] == [
        ["step", str(step)] for step in (21, 42, 48)
    ]
    assert lines[-1].endswith(f"AP {numbers['AP']:.3f}, AP50 {numbers['AP50']:.3f}")
    rows = [row for row in logged(last.parent) if "coco/AP50" in row]
    assert [row["step"] for row in rows] == [21, 42, 48]


def test_validation_changes_no_weight(data: Path, tmp_path: Path) -> None:
    plain = train(request("face", tmp_path / "plain", data, "bireal", 4))
    wanted = request("face", tmp_path / "measured", data, "bireal", 4, val_data=data)
    wanted.overrides["train_cfg.val_interval"] = "1"
    weights = [load_checkpoint(path)[0].state_dict() for path in (plain, train(wanted))]
    for name, value in weights[0].items():
        assert torch.equal(weights[1][name], value), name
    assert "validation" not in load_checkpoint(plain)[1]


def test_classes_that_validation_can_measure(data: Path, tmp_path: Path) -> None:
    """The other set names one class of the network, and one that it does not know."""
    document = json.loads(data.read_text())
    document["categories"] = [{"id": 0, "name": "middle"}, {"id": 1, "name": "right"}]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))

    def prepared() -> Any:
        wanted = request(
            "face", tmp_path, data, "bireal", val_data=other, val_images=data.parent / "set"
        )
        return prepare_config(wanted).val_dataloader.dataset

    assert prepared().classes == ["right"]
    document["categories"][1]["name"] = "top"
    other.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"other\.json: holds no object of the classes left, right"):
        prepared()


def test_two_processes_under_torchrun(twin: Path, data: Path, tmp_path: Path) -> None:
    sets = [part for key, value in small("bireal").items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--master_port", "29518", "-m", "binvision", "train", "detection/face"]
    command += ["--data", str(data), "--teacher", str(twin), "--iterations", "3", "--threads", "1"]
    command += ["--val-data", str(data)]
    done = subprocess.run(
        [*command, "--work-dir", str(tmp_path), *sets],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, record = load_checkpoint(tmp_path / "last.pth")
    assert (record["world_size"], record["iterations"]) == (2, 3)
    assert (record["batch"], record["pictures"]) == (4, 12)
    # Five pictures on two processes: one of them is looked at twice, and counts once.
    assert record["validation"].pop("iteration") == 3
    assert record["validation"] == pytest.approx(measured(tmp_path / "last.pth", data))
    assert not (tmp_path / ".dist_test").exists()


@pytest.mark.parametrize("config", ["detection/face", "tracking/siamfc_xnor"])
def test_every_process_has_pictures_of_its_own(
    config: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {"iterations": 5}
    if config == "detection/face":
        arguments |= {"data": data, "overrides": {"model.network.classes": "[]"}}
    monkeypatch.setenv("WORLD_SIZE", "3")
    made = prepare_config(TrainingRequest(config, tmp_path, **arguments))
    loader = made.train_dataloader
    length = loader.dataset.get("length") or loader.dataset.objects
    assert length == 5 * 3 * loader.batch_size


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configurations_fit_themselves(name: str, tmp_path: Path, data: Path) -> None:
    from binvision.detectors.model import DetectorConfig, DetectorNetwork
    from binvision.detectors.settings import DetectorSettings

    overrides = {"model.network.classes": "[]"}
    config = prepare_config(
        TrainingRequest(f"detection/{name}", tmp_path, data, overrides=overrides)
    )
    dataset = config.train_dataloader.dataset
    network = DetectorNetwork(DetectorConfig(**config.model.network))
    read = DetectorSettings.from_mapping(network.settings(), name)
    assert (dataset.stride, dataset.input_size) == (read.stride, read.input_size)
    assert list(read.classes) == dataset.classes == list(CLASSES)
    assert dataset.size % read.multiple == 0
    assert dataset.length == config.train_cfg.max_iters * config.train_dataloader.batch_size
    assert config.param_scheduler[-1].end == config.train_cfg.max_iters


def test_twins_differ_in_the_method_alone(tmp_path: Path, data: Path) -> None:
    for name in ("aerial", "cells", "drone", "face"):
        own, twin = (
            prepare_config(
                TrainingRequest(
                    f"detection/{config}", tmp_path, data, overrides={"model.network.classes": "[]"}
                )
            )
            for config in (name, f"{name}_fp")
        )
        assert twin.model.network.backbone.method == "fp"
        twin.model.network.backbone.method = own.model.network.backbone.method
        assert own.to_dict() == twin.to_dict(), name


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p, d: {"data": None}, DataError, "no annotations to train on: pass --data annot"),
        (lambda p, d: {"data": p / "gone.json"}, DataError, r"gone\.json: no such file or folder"),
        (lambda p, d: {"images": p / "gone"}, DataError, "gone: no such file or folder"),
        (lambda p, d: {"sequences": (p,)}, ConfigError, "takes no --sequences; it trains on other"),
        (lambda p, d: {"val_data": p / "gone"}, DataError, "gone: no such file or folder"),
        (
            lambda p, d: {
                "config": "tracking/siamfc_xnor",
                "data": None,
                "val_data": d,
                "overrides": {},
            },
            ConfigError,
            "tracking/siamfc_xnor takes no --val-data; it is not validated",
        ),
        (lambda p, d: {"overrides": {}}, UsageError, r"set\.json: no class 'face'; there are left"),
    ],
)
def test_faults(make: Any, error: Any, message: str, tmp_path: Path, data: Path) -> None:
    arguments = {"config": "detection/face", "data": data, "overrides": small("bireal")}
    with pytest.raises(error, match=message):
        prepare_config(TrainingRequest(work_dir=tmp_path, **{**arguments, **make(tmp_path, data)}))


def test_crops_that_do_not_halve_evenly_are_refused(data: Path, tmp_path: Path) -> None:
    wanted = request("face", tmp_path, data, "bireal", 2)
    wanted.overrides["train_dataloader.dataset.size"] = "72"
    with pytest.raises(ConfigError, match=r"dataset\.size=72: this backbone takes multiples of 16"):
        train(wanted)


def test_guidance_that_does_not_fit(twin: Path, data: Path, tmp_path: Path) -> None:
    other = write_scenes(tmp_path / "other")
    document = json.loads(other.read_text())
    document["categories"][0]["name"] = "middle"
    other.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=r"has classes \['left', 'right'\], the network \['mid"):
        train(request("face", tmp_path / "a", other, "bireal", 2, teacher=twin))
