"""eval 300w, aflw, ..., mpii, coco_keypoints through the command line, on charts of colours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision.cli import eval_landmarks
from binvision.landmarks.evaluation.benchmarks import BENCHMARKS
from binvision.landmarks.formats import aflw
from tests.support import point_benchmarks as trees
from tests.support.landmark_models import write_chart_model

pytest.importorskip("pycocotools")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

Write = Callable[[Path], Any]

# Benchmark to: its scheme, its small tree, groups and lengths of its rows.
TREES: dict[str, tuple[str, Write, list[tuple[str, str]]]] = {
    "300w": (
        "face68",
        lambda root: trees.write_300w(root, ["helen/testset", "lfpw/testset", "ibug"]),
        [
            (group, length)
            for length in ("inter-ocular", "inter-pupil", "box")
            for group in ("full", "common", "challenging")
        ],
    ),
    "aflw": (
        "face19",
        trees.write_aflw,
        [(group, length) for length in ("set's box", "box") for group in ("full", "frontal")],
    ),
    "aflw_pifa": (
        "face34",
        trees.write_aflw_pifa,
        [("all points", "set's box"), ("visible points", "set's box")],
    ),
    "aflw2000": (
        "face68",
        lambda root: trees.write_aflw2000(root, [0, 40, -80, 20]),
        [
            (group, "box")
            for group in ("all", "yaw 0-30", "yaw 30-60", "yaw 60-90", "mean of the three")
        ],
    ),
    "cofw": (
        "face29",
        trees.write_cofw,
        [
            (group, length)
            for length in ("inter-pupil", "inter-ocular")
            for group in ("all points", "visible points", "hidden points")
        ],
    ),
    "wflw": (
        "face98",
        lambda root: trees.write_wflw(root, [[0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]]),
        [(group, "inter-ocular") for group in ("all", "pose", "expression", "blur")],
    ),
    "ytf68": (
        "face68",
        lambda root: trees.write_300w(root, ["."]),
        [(".", length) for length in ("box", "inter-ocular", "inter-pupil")],
    ),
    "mpii": (
        "pose16",
        trees.write_mpii_list,
        [("valid", "head box"), ("valid", "head box"), ("valid", "head")],
    ),
    "coco_keypoints": (
        "pose17",
        trees.write_coco_people,
        [("person_keypoints_val2017", "")],
    ),
}


@pytest.fixture(autouse=True)
def small_aflw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aflw, "_TRAINING", trees.AFLW_TRAINING)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    trees.write_300w(tmp_path / "300w", ["helen/testset", "ibug"])
    return tmp_path / "300w"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_chart_model(tmp_path / "chart.safetensors")


def fails(done: Any, code: int, message: str) -> None:
    assert done.code == code, done
    assert done.out == "" and "Traceback" not in done.err
    assert re.search(message, done.err.splitlines()[-1]), done.err


def test_the_help_knows_every_benchmark() -> None:
    assert set(eval_landmarks.BENCHMARKS) == set(BENCHMARKS)


@pytest.mark.parametrize("benchmark", TREES)
def test_every_benchmark_from_its_layout_to_its_report(
    benchmark: str, command: Any, tmp_path: Path
) -> None:
    if benchmark == "cofw":
        pytest.importorskip("h5py")
    scheme, write, expected = TREES[benchmark]
    root = tmp_path / "root"
    root.mkdir()
    write(root)
    path = write_chart_model(tmp_path / "chart.safetensors", settings={"scheme": scheme})
    # Boxes of the sets are not those of the charts.
    done = command("eval", benchmark, root, "--model", path, "--boxes", "points", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["benchmark"] == benchmark and report["scheme"] == scheme
    if benchmark == "ytf68":  # the archive is read as any set is; here it is a folder
        expected = [(report["scores"][0]["group"], length) for _, length in expected]
    rows = [(row["group"], row["length"]) for row in report["scores"]]
    assert rows == expected
    for row in report["scores"]:
        figures = row["figures"]
        assert row["missed"] == 0
        if benchmark == "cofw":  # one of its pictures is grey, which tells a chart nothing
            assert figures["NME %"] > 0
        elif "NME %" in figures:
            # A chart's points are found to some pixels; its eyes may be close to each other.
            assert figures["NME %"] < (4 if "box" in row["length"] else 30), row
        elif "PCK %" in figures:
            assert figures["PCK %"] > 80 or row["limit"] == 0.1, row
        else:
            assert figures["AP50"] > 0.8, row


def test_the_report_in_words(command: Any, faces: Path, model: Path) -> None:
    done = command("eval", "300w", faces, "--model", model)
    assert done.code == 0
    assert "chart on 300-W" in done.out and "4 subjects, face68, boxes from the points" in done.out
    head = r"group +subjects +missed +points +divided by +limit +NME % +contour % +inner % +AUC"
    assert re.search(head, done.out)
    assert re.search(r"helen/testset\+ibug +4 +0 +68 +inter-ocular +8% +\d+\.\d\d", done.out)
    assert re.search(r"challenging +2 +0 +68 +box +8% +\d\.\d\d", done.out)
    assert "lfpw/testset is not there" in done.err


def test_files_and_resume(
    command: Any, faces: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from binvision.landmarks.estimator import PointEstimator

    out = tmp_path / "out"
    first = command("eval", "300w", faces, "--model", model, "--out", out, "--json")
    assert first.code == 0
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    plots = {"cumulative_error.png", "cumulative_error.svg"}
    assert {"report.json", "points.jsonl", "worst/01.jpg", *plots} <= written
    assert json.loads((out / "report.json").read_text()) == json.loads(first.out)
    assert cv2.imread(str(out / "worst/01.jpg")).shape == (512, 512, 3)
    svg = (out / "cumulative_error.svg").read_text()
    assert "error, % of inter-ocular" in svg and "challenging" in svg

    lines = (out / "points.jsonl").read_text().splitlines(keepends=True)
    (out / "points.jsonl").write_text("".join(lines[:3]) + lines[3][:20])  # killed while writing
    calls = []
    estimate = PointEstimator.__call__
    monkeypatch.setattr(
        PointEstimator, "__call__", lambda *given: (calls.append(1), estimate(*given))[1]
    )
    again = command("eval", "300w", faces, "--model", model, "--out", out, "--json")
    assert len(calls) == 2  # of four, two were kept
    assert json.loads(again.out)["scores"] == json.loads(first.out)["scores"]


def test_what_was_found_otherwise_is_refused(
    command: Any, faces: Path, model: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "out")
    assert command("eval", "300w", faces, "--model", model, *out).code == 0
    done = command("eval", "300w", faces, "--model", model, *out, "--box-noise", "0.1")
    fails(done, 2, r"points\.jsonl: was made with another box_noise, seed; choose another --out")
    points = faces / "ibug" / "face_0.pts"
    points.write_text(points.read_text().replace("{\n", "{\n1", 1))
    done = command("eval", "300w", faces, "--model", model, *out)
    fails(done, 2, "was made with another points")


def test_ctrl_c_says_what_is_kept(
    command: Any, faces: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from binvision.landmarks.estimator import PointEstimator

    calls = []
    estimate = PointEstimator.__call__

    def interrupted(*given: Any) -> Any:
        calls.append(1)
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return estimate(*given)

    monkeypatch.setattr(PointEstimator, "__call__", interrupted)
    done = command("eval", "300w", faces, "--model", model, "--out", tmp_path / "out")
    fails(done, 130, r"interrupted; 2 of 4 subjects are finished and kept in .*points\.jsonl")
    calls.clear()
    done = command("eval", "300w", faces, "--model", model)
    fails(done, 130, "interrupted; nothing is kept; with --out DIR")


def test_a_checkpoint_is_measured_before_its_export(
    command: Any, faces: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from binvision.landmarks.crop import box_of
    from binvision.landmarks.estimator import PointEstimator
    from binvision.landmarks.formats.three_hundred_w import read_300w_test
    from binvision.landmarks.torch_network import TorchNetwork
    from tests.support.checkpoints import write_landmark_checkpoint

    checkpoint, out = tmp_path / "last.pth", tmp_path / "out"
    write_landmark_checkpoint(checkpoint)
    done = command("eval", "300w", faces, "--model", checkpoint, "--json", "--out", out)
    assert done.code == 0, done.err
    assert json.loads(done.out)["identity"]["model"] == "last.pth"
    picture = read_300w_test(faces).pictures[2]
    estimator = PointEstimator(TorchNetwork.from_checkpoint(checkpoint))
    expected = estimator(picture.read(), box_of(picture.points))
    rows = [json.loads(line) for line in (out / "points.jsonl").read_text().splitlines()[1:]]
    assert rows[2]["picture"] == picture.name
    assert np.abs(np.array(rows[2]["points"]) - expected.points).max() < 2e-3


def test_noise_makes_boxes_worse_and_is_the_same_again(
    command: Any, faces: Path, model: Path
) -> None:
    def nme(*options: str) -> float:
        done = command("eval", "300w", faces, "--model", model, "--json", *options)
        value: float = json.loads(done.out)["scores"][0]["figures"]["NME %"]
        return value

    shaken = nme("--box-noise", "0.15", "--seed", "3")
    assert shaken == nme("--box-noise", "0.15", "--seed", "3")
    assert len({shaken, nme("--box-noise", "0.15"), nme()}) == 3
    assert "moved and scaled at random by up to 15%" in command(
        "eval", "300w", faces, "--model", model, "--box-noise", "0.15"
    ).out  # fmt: skip


def test_boxes_of_a_file_and_a_missed_face(
    command: Any, faces: Path, model: Path, tmp_path: Path
) -> None:
    lines = ["picture,x,y,w,h"]
    for path in sorted(faces.rglob("*.pts"))[1:]:
        text = path.read_text()
        rows = text[text.index("{") + 1 : text.index("}")].split()
        points = np.array(rows, float).reshape(-1, 2) - 1
        x, y = points.min(0)
        w, h = np.ptp(points, 0)
        name = path.with_suffix(".png").relative_to(faces).as_posix()
        lines.append(f"{name},{x},{y},{w},{h}")
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(lines))
    done = command("eval", "300w", faces, "--model", model, "--boxes", boxes)
    assert done.code == 0 and "1 subjects had no box and count as failed" in done.out
    assert re.search(r"helen/testset\+ibug +4 +1 +68 .* 25\.00 *$", done.out, re.MULTILINE)


def test_boxes_of_the_models_detector(command: Any, tmp_path: Path) -> None:
    """The detector of faces finds none on charts of colours: all are missed."""
    trees.write_300w(tmp_path / "300w", ["ibug"])
    path = write_chart_model(tmp_path / "c.safetensors", settings={"detector": "bin-face"})
    done = command("eval", "300w", tmp_path / "300w", "--model", path, "--boxes", "detector")
    assert done.code == 0
    assert "boxes from the detector; 2 subjects had no box" in done.out
    assert re.search(r"ibug +2 +2 +68 +box +8% +- +- +- +0\.000 +100\.00", done.out)


def test_mirrored_crops(command: Any, faces: Path, model: Path) -> None:
    done = command("eval", "300w", faces, "--model", model, "--mirror")
    assert done.code == 0 and "with the mirrored crop" in done.out


def test_work_that_fails(command: Any, faces: Path, model: Path, tmp_path: Path) -> None:
    evaluate = ("eval", "300w", faces, "--model")
    fails(command(*evaluate, "gone"), 1, "no model 'gone'")
    fails(command(*evaluate, model, "--boxes", "detector"), 2, "chart names no detector")
    fails(command(*evaluate, model, "--boxes", "set"), 1, "the set gives no box; --boxes points")
    fails(command(*evaluate, model, "--boxes", "gone.csv"), 1, r"gone\.csv")
    fails(command(*evaluate, model, "--box-noise", "2"), 2, "box noise 2: expected a part")
    fails(command("eval", "300w", tmp_path / "x", "--model", model), 1, r"no \.pts file")
    other = write_chart_model(tmp_path / "c.safetensors", settings={"scheme": "face29"})
    fails(command(*evaluate, other), 1, "finds the 29 points of face29, but .* the 68 of face68")


def test_missing_packages_are_found_before_the_work(
    command: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pycocotools", None)
    done = command("eval", "coco_keypoints", tmp_path / "gone", "--model", model)
    fails(done, 1, r'pycocotools, which is not installed: pip install "binvision\[eval\]"')
