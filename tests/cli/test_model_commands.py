"""export, info and models through the real command line: output, exit codes, one clear line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from binvision import runtime, zoo
from binvision.cli.app import main
from binvision.detectors.network import PackedNetwork
from binvision.detectors.torch_network import TorchNetwork
from binvision.trackers.box_network import PackedBoxNetwork
from binvision.trackers.embedder import PackedEmbedder
from binvision.trackers.torch_box_network import TorchBoxNetwork
from tests.support.checkpoints import (
    write_box_checkpoint,
    write_checkpoint,
    write_detector_checkpoint,
)
from tests.support.landmark_models import write_chart_model
from tests.support.packed import small_model
from tests.support.photographs import write_archive
from tests.support.torch_networks import random_images

Run = Any


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; returns exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    runtime.save(path, small_model(accuracy={"AO": 0.597}))
    return path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of one model, rb-siamfc."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    monkeypatch.setattr(zoo, "_FOLDER", folder)
    model = small_model(name="rb-siamfc", accuracy={"AO": 0.597, "command": "binvision eval"})
    runtime.save(folder / "rb-siamfc.safetensors", model)
    (folder / "rb-siamfc.md").write_text("# rb-siamfc\n")
    return folder


def fails(result: tuple[int, str, str], code: int, message: str) -> None:
    assert result[0] == code, result
    assert re.search(message, result[2]), result[2]
    assert result[1] == "" and "Traceback" not in result[2] and result[2].count("\n") == 1


# info


def byte_column(text: str) -> tuple[list[int], int]:
    """Bytes of the rows and of the total line, read off the printed table."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = next(line for line in lines if "bytes" in line and "layer" in line)
    end = header.index("bytes") + len("bytes")
    start = header.index("real") + len("real")
    first = lines.index(header) + 2
    last = next(i for i in range(first, len(lines)) if lines[i].lstrip().startswith("total"))
    cells = [line[start:end].strip().replace(",", "") for line in lines[first : last + 1]]
    return [int(cell) for cell in cells[:-1] if cell], int(cells[-1])


def test_info_adds_up_to_the_file(run: Run, packed: Path) -> None:
    code, out, err = run("info", packed)
    rows, total = byte_column(out)
    assert code == 0 and err == ""
    assert sum(rows) == total == packed.stat().st_size


def test_info_shows_every_layer_and_fact(run: Run, packed: Path) -> None:
    _, out, _ = run("info", packed)
    for word in (
        "stem", "4x4/2 3>70", "30x30x70", "binary_conv", "3x3 70>70", "reads 8-bit pixels",
        "real in the trained network", "63x63 pixels", "tracking/siamfc", "AO  0.597",
        "response_scale",
    ):  # fmt: skip
        assert word in out, word
    assert re.search(r"kernels +(avx512|avx2|neon|portable)", out)


def test_info_as_json(run: Run, packed: Path) -> None:
    code, out, err = run("info", packed, "--json")
    report = json.loads(out)
    assert code == 0 and err == ""
    total = report["totals"]
    assert sum(row["bytes"] for row in report["layers"]) == total["tensor_bytes"]
    assert total["tensor_bytes"] + total["header_bytes"] == packed.stat().st_size
    assert total["file_bytes"] == packed.stat().st_size
    assert report["image_size_hw"] == [63, 63]
    assert report["accuracy"] == {"AO": 0.597}


def test_info_of_a_model_without_a_working_size(run: Run, tmp_path: Path) -> None:
    runtime.save(tmp_path / "m", small_model(task="other", settings={}))
    code, out, _ = run("info", tmp_path / "m")
    assert code == 0 and "MACs" not in out
    assert sum(byte_column(out)[0]) == (tmp_path / "m").stat().st_size


def test_info_of_a_cut_file(run: Run, packed: Path) -> None:
    size = packed.stat().st_size
    packed.write_bytes(packed.read_bytes()[:-100])
    message = f"model file {packed}: file: cut short: expected {size} bytes, got {size - 100} bytes"
    fails(run("info", packed), 1, re.escape(message))


def test_info_of_an_unknown_model(run: Run, shipped: Path) -> None:
    fails(run("info", "rb-siamfx"), 1, "no model 'rb-siamfx': .* did you mean 'rb-siamfc'?")


def test_info_without_a_model(run: Run) -> None:
    fails(run("info"), 2, "(?i)missing argument 'model'")


def test_info_counts_tables(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tables.safetensors"
    tables = {"weight": np.ones((30, 50), np.int8), "bias": np.ones(70, np.float32)}
    runtime.save(path, small_model().with_tables(tables))
    code, out, _ = run("info", path)
    rows, total = byte_column(out)
    assert code == 0 and sum(rows) == total == path.stat().st_size
    assert re.search(r"tables of the task: weight, bias +1,570 +1,780", out)
    totals = json.loads(run("info", path, "--json")[1])["totals"]
    assert totals["table_bytes"] == 1780 and totals["file_bytes"] == path.stat().st_size


def test_info_needs_no_torch(packed: Path) -> None:
    code = (
        "import sys\nfrom binvision.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as e:\n    assert not e.code\n"
        "print({'torch', 'mmengine'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "info", str(packed)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


# models


def test_models(run: Run, shipped: Path) -> None:
    code, out, err = run("models")
    size = (shipped / "rb-siamfc.safetensors").stat().st_size
    assert code == 0 and err == ""
    assert re.search(rf"rb-siamfc +tracking/siamfc +{size:,} +AO 0.597", out)


def test_models_as_json(run: Run, shipped: Path) -> None:
    _, out, _ = run("models", "--json")
    (row,) = json.loads(out)
    path = shipped / "rb-siamfc.safetensors"
    assert row == {
        "name": "rb-siamfc",
        "task": "tracking/siamfc",
        "classes": [],
        "scheme": None,
        "file": str(path),
        "file_bytes": path.stat().st_size,
        "accuracy": {"AO": 0.597, "command": "binvision eval"},
    }


@pytest.mark.parametrize(("count", "shown"), [(2, "c0, c1"), (8, "c0, c1, c2, c3, c4, c5 and 2 m")])
def test_models_that_find_classes(run: Run, shipped: Path, count: int, shown: str) -> None:
    classes = [f"c{index}" for index in range(count)]
    settings = {"classes": classes, "stride": 8, "multiple": 32, "input_size": 250}
    model = small_model(name="d", task="detection/anchor_free", settings=settings)
    runtime.save(shipped / "d.safetensors", model)
    (shipped / "d.md").write_text("# d\n")
    assert re.search(rf"d +detection/anchor_free +{shown}", run("models")[1])
    assert json.loads(run("models", "--json")[1])[0]["classes"] == classes
    _, out, _ = run("info", "d")
    assert "256x256 pixels" in out and re.search(r"input_size +250\b", out)
    assert re.search(r"stride +8\b", out) and re.search(r"classes +c0, c1", out)


def test_models_that_find_points(run: Run, shipped: Path) -> None:
    write_chart_model(shipped / "p.safetensors", name="p", settings={"scheme": "pose14"})
    (shipped / "p.md").write_text("# p\n")
    assert re.search(r"p +landmarks/heat_maps +14 points of a person", run("models")[1])
    assert json.loads(run("models", "--json")[1])[0]["scheme"] == "pose14"
    _, out, _ = run("info", "p")
    assert "128x128 pixels" in out and re.search(r"scheme +pose14\b", out)


def test_models_show_the_first_figure_of_each_set(run: Run, shipped: Path) -> None:
    measured = {"faces": {"points": 68, "NME": 0.0333, "AUC": 0.5}, "others": {"points": 68}}
    runtime.save(shipped / "q.safetensors", small_model(name="q", accuracy=measured))
    (shipped / "q.md").write_text("# q\n")
    (line,) = (row for row in run("models")[1].splitlines() if row.lstrip().startswith("q "))
    assert line.rstrip().endswith(" faces NME 0.0333")


# export


@pytest.mark.parametrize("method", ["rbcn", "fp"])
def test_exported_file_tracks_like_the_checkpoint(run: Run, tmp_path: Path, method: str) -> None:
    network = write_checkpoint(tmp_path / "last.pth", method)
    out_path = tmp_path / "my.safetensors"
    code, out, err = run("export", tmp_path / "last.pth", "-o", out_path)
    assert code == 0, err
    rows, total = byte_column(out)
    assert sum(rows) == total == out_path.stat().st_size
    assert f"{out_path}: {total:,} bytes" in out
    assert re.search(r"results differ from PyTorch's by \S+e-0\d of their size", err)

    embedder = PackedEmbedder(out_path)
    images = random_images(2, (127, 127), 0)
    ours = embedder.embed(images)
    with torch.inference_mode():
        theirs = network.embed(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    error = np.abs(ours - theirs.permute(0, 2, 3, 1).numpy()).max() / theirs.abs().max()
    assert error < 1e-4
    assert embedder.settings.response_scale == pytest.approx(network.settings()["response_scale"])
    assert embedder.name == "my"


def test_exported_file_says_where_it_comes_from(run: Run, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pth")
    (tmp_path / "a.json").write_text('{"AO": 0.6}')
    arguments = ("-o", tmp_path / "m", "--name", "mine", "--accuracy", tmp_path / "a.json")
    assert run("export", tmp_path / "last.pth", *arguments)[0] == 0
    model = runtime.load(tmp_path / "m")
    assert model.name == "mine" and model.accuracy == {"AO": 0.6}
    assert model.provenance["checkpoint"] == "last.pth"
    assert model.provenance["experiment"] == "random"
    assert model.provenance["exported_by"].startswith("binvision ")


def test_exported_heads_of_eight_bits(run: Run, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pth", "rbcn")
    photos = write_archive(tmp_path / "photos.npz")
    real, eight = tmp_path / "real.safetensors", tmp_path / "eight.safetensors"
    assert run("export", tmp_path / "last.pth", "-o", real)[0] == 0
    code, out, _ = run("export", tmp_path / "last.pth", "-o", eight, "--photos", photos)
    assert code == 0 and "rounded to 8 bits" in out
    assert eight.stat().st_size < real.stat().st_size
    record = runtime.load(eight).provenance["eight_bit"]
    assert record == {"photos": ["photos.npz"], "groups": 24, "seed": 0}


def test_exported_detector_answers_like_the_checkpoint(run: Run, tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "last.pth")
    out_path = tmp_path / "my.safetensors"
    code, out, err = run("export", tmp_path / "last.pth", "-o", out_path)
    assert code == 0, err
    rows, total = byte_column(out)
    assert sum(rows) == total == out_path.stat().st_size
    assert re.search(r"results differ from PyTorch's by \S+e-0\d of their size", err)
    image = random_images(1, (32, 64), 0)
    ours = PackedNetwork(out_path).run(image)
    theirs = TorchNetwork.from_checkpoint(tmp_path / "last.pth").run(image)
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-4


def test_exported_tracker_with_boxes(run: Run, tmp_path: Path) -> None:
    write_box_checkpoint(tmp_path / "last.pth")
    out_path = tmp_path / "my.safetensors"
    code, out, err = run("export", tmp_path / "last.pth", "-o", out_path)
    assert code == 0, err
    rows, total = byte_column(out)
    assert sum(rows) == total == out_path.stat().st_size
    assert re.search(r"results differ from PyTorch's by \S+e-0\d of their size", err)
    exemplar, search = (random_images(1, (side, side), side)[0] for side in (127, 191))
    ours, theirs = (
        network.search(search, network.look(exemplar))[0]
        for network in (
            PackedBoxNetwork(out_path),
            TorchBoxNetwork.from_checkpoint(tmp_path / "last.pth"),
        )
    )
    assert np.abs(ours - theirs).max() / np.abs(theirs).max() < 1e-4

    code, out, _ = run("info", out_path, "--json")
    layers = {layer["op"]: layer for layer in json.loads(out)["layers"]}
    assert code == 0 and layers["correlate_channels"]["kernel"] == "7x7/2"
    assert layers["correlate_pixels"]["real_macs"] == 12 * 12 * 36 * 64
    code, out, _ = run("info", out_path)
    assert code == 0 and "correlate_pixels" in out


@pytest.mark.parametrize("kind", ["boxes", "responses"])
def test_exported_tracker_carries_the_settings_given(run: Run, tmp_path: Path, kind: str) -> None:
    write = write_box_checkpoint if kind == "boxes" else write_checkpoint
    write(tmp_path / "last.pth")
    out_path = tmp_path / "my.safetensors"
    arguments = ("export", tmp_path / "last.pth", "-o", out_path)
    assert run(*arguments)[0] == 0
    usual = runtime.load(out_path).settings
    given = ("--set", "lost_threshold=0.125", "--set", "found_threshold=0.75")
    code, _, err = run(*arguments, *given)
    assert code == 0, err
    changed = {"lost_threshold": 0.125, "found_threshold": 0.75}
    assert runtime.load(out_path).settings == usual | changed
    wrong = "size_lr=3" if kind == "boxes" else "scale_lr=3"
    fails(run(*arguments, "--set", wrong), 2, f"{wrong[:-2]} = 3 out of range")
    fails(run(*arguments, "--set", "colour=3"), 2, "expected KEY=VALUE")


def test_settings_are_for_trackers(run: Run, tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "last.pth")
    arguments = ("export", tmp_path / "last.pth", "-o", tmp_path / "m", "--set", "context=0.5")
    fails(run(*arguments), 2, "--set is for trackers")


def test_each_task_has_pictures_of_its_own(run: Run, tmp_path: Path) -> None:
    write_detector_checkpoint(tmp_path / "detector.pth")
    write_checkpoint(tmp_path / "tracker.pth")
    out = ("-o", tmp_path / "m")
    photos = write_archive(tmp_path / "photos.npz")
    result = run("export", tmp_path / "detector.pth", *out, "--photos", photos)
    fails(result, 2, "--photos is not for a detector; give it --images")
    result = run("export", tmp_path / "tracker.pth", *out, "--images", tmp_path)
    fails(result, 2, "--images is not for a tracker; give it --photos")


def test_export_with_bad_photos(run: Run, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pth", "rbcn")
    arguments = ("export", tmp_path / "last.pth", "-o", tmp_path / "m")
    result = run(*arguments, "--photos", tmp_path / "none.npz")
    fails(result, 1, "none.npz: not a photograph archive")
    assert not (tmp_path / "m").exists()


def test_export_of_nothing(run: Run, tmp_path: Path) -> None:
    fails(run("export", tmp_path / "none.pth", "-o", tmp_path / "m"), 1, "none.pth: no such check")


def test_export_of_something_else(run: Run, tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(3)}, tmp_path / "other.pth")
    fails(run("export", tmp_path / "other.pth", "-o", tmp_path / "m"), 1, "not a checkpoint that")
    assert not (tmp_path / "m").exists()


def test_export_without_target(run: Run, tmp_path: Path) -> None:
    fails(run("export", tmp_path / "last.pth"), 2, "Missing option '--out'")


def test_export_into_no_folder(run: Run, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pth")
    result = run("export", tmp_path / "last.pth", "-o", tmp_path / "none" / "m")
    assert result[0] == 1 and "No such file or directory; choose a folder" in result[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file or directory"), ("[]", "not a JSON object"), ("{", "not valid JSON")],
)
def test_export_with_bad_accuracy(run: Run, tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    arguments = ("export", tmp_path / "last.pth", "-o", tmp_path / "m", "--accuracy", path)
    fails(run(*arguments), 2, f"--accuracy {path}: .*{message}")


def test_export_without_the_extra(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("binvision.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "binvision.trackers.model")
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("export", tmp_path / "last.pth", "-o", tmp_path / "m")
    fails(
        result, 1, r"needs the package torch, which is not installed: pip install .binvision.train"
    )
