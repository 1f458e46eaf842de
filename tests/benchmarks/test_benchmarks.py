"""Every benchmark runs, on little networks; checked is what it prints and refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("got10k")

import cv2
import torch

from benchmarks import model_size, tracker_search, tracking_speed
from binvision import runtime
from binvision.cli.app import main as binvision
from binvision.errors import DataError
from binvision.trackers import Tracker
from binvision.trackers.embedder import PackedEmbedder
from tests.support.checkpoints import write_checkpoint
from tests.support.numpy_embedder import NumpyEmbedder
from tests.support.sequences import moving_boxes, write_sequence


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A packed file and the checkpoint of a float twin, untrained."""
    folder = tmp_path_factory.mktemp("networks")
    write_checkpoint(folder / "binary.pth")
    write_checkpoint(folder / "twin.pth", method="fp")
    packed = folder / "binary.safetensors"
    with pytest.raises(SystemExit) as exit_:
        binvision(["export", str(folder / "binary.pth"), "-o", str(packed)])
    assert not exit_.value.code
    return str(packed), str(folder / "twin.pth")


@pytest.fixture
def threads() -> None:
    """Benchmarks hold OpenCV and torch to one thread; other tests get theirs back."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_tracking_speed(networks, threads, tmp_path: Path, capsys) -> None:
    packed, twin = networks
    results = tmp_path / "results" / "speed.csv"
    options = ["--rounds", "2", "--frames", "3", "--smoke", "--csv", str(results)]
    tracking_speed.main(["--packed", packed, "--twin", twin, *options])
    out = capsys.readouterr().out
    for word in (
        "packed",
        "twin",
        "decode",
        "crop",
        "network",
        "post",
        "isa",
        "threads 1",
        "torch",
    ):
        assert word in out
    with results.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["round"]) for row in rows] == [
        ("packed", "0"), ("packed", "1"), ("twin", "0"), ("twin", "1"),
    ]  # fmt: skip
    assert all(
        0 < float(row[f"{stage}_ms"]) < 10_000 for row in rows for stage in tracking_speed.STAGES
    )
    assert all(row["cpu"] and row["isa"] and row["commit"] for row in rows)


def test_tracking_speed_refuses_a_tracker_that_does_not_track() -> None:
    truth = [(10.0 + 9 * i, 10.0, 20.0, 20.0) for i in range(6)]
    footage = tracking_speed.Footage("clip.mp4", truth[0], truth)
    still = tracking_speed.Round({}, np.array([truth[0]] * 5))
    exact = tracking_speed.Round({}, np.array(truth[1:]))
    tracking_speed.check([exact], footage)
    with pytest.raises(DataError, match=r"mean overlap 0\.\d+ on the rendered clip, expected at"):
        tracking_speed.check([still], footage)


def test_tracking_speed_refuses_results_that_change(tmp_path: Path) -> None:
    class Drifting(NumpyEmbedder):
        """Answers another answer each time."""

        def embed(self, images):
            shape = super().embed(images).shape
            return np.random.default_rng(self.calls).normal(size=shape).astype(np.float32)

    for index in range(1, 7):
        frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), frame)
    footage = tracking_speed.Footage(str(tmp_path), (60, 40, 30, 30), None)
    steady = tracking_speed.measure({"a": Tracker(NumpyEmbedder())}, footage, rounds=2, frames=4)
    assert len(steady["a"]) == 2 and steady["a"][0].boxes_xywh.shape == (4, 4)
    with pytest.raises(DataError, match="a: boxes differ between rounds"):
        tracking_speed.measure({"a": Tracker(Drifting())}, footage, rounds=2, frames=4)


def test_tracking_speed_of_one_model(networks, threads, capsys) -> None:
    tracking_speed.main(["--packed", networks[0], "--rounds", "1", "--frames", "3", "--smoke"])
    out = capsys.readouterr().out
    assert "fps tracker" in out and "twin" not in out and "torch" not in out


def test_model_size_adds_up(networks, capsys) -> None:
    packed, twin = networks
    model_size.main(["--packed", packed, "--twin", twin])
    out = capsys.readouterr().out
    size = Path(packed).stat().st_size
    assert f"packed file: {size:,} bytes" in out
    numbers = sum(
        tensor.numel()
        for name, tensor in torch.load(twin, weights_only=True)["state_dict"].items()
        if "num_batches_tracked" not in name
    )
    assert f"float twin: {numbers:,} numbers, {4 * numbers:,} bytes" in out
    assert f"ratio: {4 * numbers / size:.1f}" in out


def test_model_size_names_a_missing_file(networks) -> None:
    with pytest.raises(SystemExit, match=r"error: no model 'gone\.safetensors'"):
        model_size.main(["--packed", "gone.safetensors", "--twin", networks[1]])


def test_tracker_search(networks, threads, tmp_path: Path, capsys) -> None:
    for index in range(2):
        write_sequence(tmp_path / "clips", f"clip{index}", moving_boxes(5))
    write_sequence(tmp_path / "clips", "short", moving_boxes(3))
    table = tmp_path / "trials.csv"
    arguments = ["--model", networks[0], "--root", str(tmp_path / "clips"), "--min-frames", "4"]
    tracker_search.main(
        [*arguments, "--trials", "3", "--fix", "search_size=239", "--csv", str(table)]
    )
    out = capsys.readouterr().out
    assert "3 trials on 2 clips, 4 starts" in out and "median of the best" in out
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["search_size"] for row in rows] == ["239"] * 3
    assert sum(row["scale_lr"] == "" for row in rows) == 1  # the model as it is
    assert [float(row["ao"]) for row in rows] == sorted(
        (float(r["ao"]) for r in rows), reverse=True
    )
    for row in rows:
        mean = (float(row["clip0"]) + float(row["clip1"])) / 2
        assert float(row["ao"]) == pytest.approx(mean, abs=1e-4)


def test_drawn_settings_are_all_possible(networks) -> None:
    settings = PackedEmbedder(networks[0]).settings
    for drawn in tracker_search.draw(200, 0, {}):
        type(settings).from_mapping({**vars(settings), **drawn}, "trial")
    assert tracker_search.draw(5, 1, {}) == tracker_search.draw(5, 1, {})
    assert tracker_search.draw(5, 1, {}) != tracker_search.draw(5, 2, {})


def test_search_without_clips(networks, tmp_path: Path) -> None:
    write_sequence(tmp_path, "short", moving_boxes(3))
    with pytest.raises(SystemExit, match="error: no clip has 10 frames; lower --min-frames"):
        tracker_search.main(["--model", networks[0], "--root", str(tmp_path)])
    assert runtime.load(networks[0]).task == "tracking/siamfc"
