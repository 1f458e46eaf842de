"""``binvision track --detect`` in this process: what it writes, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from binvision.media import open_source
from tests.support.detection_models import SCORE, SETTINGS, street, write_detector
from tests.support.footage import write_images
from tests.support.tracking_models import write_tracker


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tracker with random weights, and a detector of full colours."""
    folder = tmp_path_factory.mktemp("models")
    detector = write_detector(folder / "colours.bv", settings={**SETTINGS, "input_size": 96})
    return write_tracker(folder / "random.safetensors"), detector


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two black pictures, then a car that drives by, and a bus that stands."""
    pictures = [street((64, 96))] * 2
    pictures += [street((64, 96), cars=[(2, column)], buses=[(5, 4)]) for column in range(2, 10)]
    return write_images(tmp_path_factory.mktemp("clip") / "frames", pictures)


@pytest.fixture
def track(
    command: Callable[..., Any], frames: Path, models: tuple[Path, Path]
) -> Callable[..., Any]:
    """Run ``binvision track frames --detect`` with both models and these options."""
    tracker, detector = models

    def run(*options: str | Path) -> Any:
        own = ["--detect", "--detector", detector, "--model", tracker, "--detect-every", "1"]
        return command("track", frames, *own, *options)

    return run


def test_targets_are_found_when_they_come(track: Any, tmp_path: Path) -> None:
    done = track("--results", tmp_path / "r.csv")
    assert done.code == 0, done
    head, *lines = (tmp_path / "r.csv").read_text().splitlines()
    assert head == "frame,target,x,y,w,h,score,lost,class"
    rows = [line.split(",") for line in lines]
    # Seen twice, so known from the fourth frame on.
    assert [row[0] for row in rows] == [str(frame) for frame in range(3, 10) for _ in "cb"]
    named = {(row[1], row[8]) for row in rows}
    assert {label for _, label in named} == {"car", "bus"}
    assert len(named) == 2, "each target keeps number and class"
    car = next(row for row in rows if row[8] == "car")
    assert [float(value) for value in car[2:6]] == pytest.approx([16, 8, 24, 24], abs=0.1)
    assert float(car[6]) == pytest.approx(SCORE, abs=1e-3)


def test_a_tracker_with_a_box_head(track: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from binvision import runtime
    from binvision.trackers.box_exporting import pack_box_checkpoint
    from tests.support.checkpoints import write_box_checkpoint

    write_box_checkpoint(tmp_path / "net.pth")
    path = tmp_path / "boxes.safetensors"
    runtime.save(path, pack_box_checkpoint(tmp_path / "net.pth", name="boxes", accuracy={})[0])
    figures = json.loads(track("--model", path, "--results", tmp_path / "r.csv", "--json").out)
    assert (figures["model"], figures["detector"]) == ("boxes", "colours")
    _, *lines = (tmp_path / "r.csv").read_text().splitlines()
    assert {line.rsplit(",", 1)[1] for line in lines} == {"car", "bus"}


def test_the_final_line_tells_targets_and_the_cost_of_the_detector(track: Any) -> None:
    done = track()
    number = r"\d+(\.\d+)?"
    assert re.fullmatch(
        rf"10 frames, 2 targets, mean score 0\.\d\d, lost in 0; tracker alone \d+ fps, "
        rf"detector {number} ms in 10 frames, whole \d+ fps \(ms a frame: decode {number}, "
        rf"detect {number}, crop {number}, network {number}, post {number}, output {number}\)\n",
        done.out,
    )


def test_json_holds_the_same_figures(track: Any) -> None:
    figures = json.loads(track("--json").out)
    assert (figures["model"], figures["detector"]) == ("random", "colours")
    assert (figures["targets"], figures["frames"], figures["detections"]) == (2, 10, 10)
    assert figures["ms_per_detection"] > 0
    assert set(figures["ms_per_frame"]) == {
        "decode",
        "detect",
        "crop",
        "network",
        "post",
        "output",
    }


def test_motchallenge(track: Any, tmp_path: Path) -> None:
    assert track("--results", tmp_path / "r.mot.txt").code == 0
    rows = [line.split(",") for line in (tmp_path / "r.mot.txt").read_text().splitlines()]
    assert {len(row) for row in rows} == {10}
    assert sorted({int(row[0]) for row in rows}) == list(range(4, 11))
    assert {row[1] for row in rows} == {"1", "2"}
    assert {tuple(row[7:]) for row in rows} == {("-1", "-1", "-1")}


def test_classes_that_are_followed(track: Any, tmp_path: Path) -> None:
    done = track("--classes", "bus", "--results", tmp_path / "r.json", "--json")
    assert json.loads(done.out)["targets"] == 1
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["detector"] == "colours"
    assert {row["class"] for row in content["rows"]} == {"bus"}


def test_best_is_one(track: Any) -> None:
    assert json.loads(track("--targets", "best", "--json").out)["targets"] == 1


def test_nothing_is_found_above_a_high_score(track: Any, tmp_path: Path) -> None:
    done = track("--score", "0.9999", "--results", tmp_path / "r.csv", "--json")
    figures = json.loads(done.out)
    assert (figures["targets"], figures["frames"], figures["mean_score"]) == (0, 10, None)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 1


def test_targets_are_drawn(track: Any, tmp_path: Path, frames: Path) -> None:
    assert track("--out", tmp_path / "o.mp4").code == 0
    with open_source(tmp_path / "o.mp4") as drawn:
        assert len(list(drawn)) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--init", "1,2,3,4"), "--detect finds the targets itself: leave out --init"),
        (("--select",), "--detect finds the targets itself"),
        (("--classes", "car,tram"), "unknown class 'tram': the model knows car, bus"),
        (("--classes", "car,"), "unknown class '': the model knows car, bus"),
        (("--detect-every", "0"), "--detect-every"),
        (("--score", "1.5"), "--score"),
        (("--size", "100000"), "input size 100000: expected 1 to 8192 pixels"),
        (("--targets", "some"), "--targets"),
        (("--results", "r.txt"), r"r\.txt: a line of \.txt holds one box .* \.mot\.txt"),
    ],
)
def test_wrong_use(track: Any, options: tuple[str, ...], message: str) -> None:
    done = track(*options)
    assert done.code == 2, done
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert re.search(message, line), line


def test_options_of_the_detector_without_it(command: Any, frames: Path) -> None:
    done = command("track", frames, "--init", "1,2,30,40", "--classes", "car", "--score", "0.3")
    assert done.code == 2
    assert "--classes, --score: means something with --detect only" in done.err


def test_a_model_that_detects_nothing(track: Any, models: tuple[Path, Path]) -> None:
    done = track("--detector", models[0])
    assert done.code == 1
    assert "is for tracking/siamfc, but detection needs one for detection/anchor_free" in done.err
