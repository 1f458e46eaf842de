"""eval through the real command line, on small sequences and small models."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision import runtime
from binvision.cli.app import main
from binvision.trackers.evaluation import campaign
from tests.support.packed import small_model
from tests.support.repository import ROOT
from tests.support.sequences import moving_boxes, write_sequence

pytest.importorskip("got10k")

Run = Any

# Of a network of stride 8, so small that a test takes no time.
SETTINGS = {
    "exemplar_size": 63, "search_size": 127, "exemplar_crop": 4, "stride": 8,
    "response_scale": 0.01, "response_bias": 0.0,
}  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``binvision eval``; returns exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["eval", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sequence(tmp_path / "data", "plain", moving_boxes(4))
    write_sequence(tmp_path / "data", "Deer", moving_boxes(5), layout="otb", separator="\t")
    return tmp_path / "data"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    runtime.save(path, small_model(settings=SETTINGS))
    return path


def fails(result: tuple[int, str, str], code: int, message: str) -> None:
    assert result[0] == code, result
    assert re.search(message, result[2]), result[2]
    assert result[1] == "" and "Traceback" not in result[2] and result[2].count("\n") == 1


def test_a_packed_model_and_a_rival_in_one_table(run: Run, root: Path, packed: Path) -> None:
    code, out, err = run("folder", "--root", root, "--model", packed, "--rival", "mil")
    assert code == 0 and "error" not in err  # a first run says there that it compiles
    assert "2 sequences, one pass, 7 scored frames" in out
    rows = [line.split() for line in out.splitlines() if line.split()[:1] in (["small"], ["mil"])]
    assert len(rows) == 2
    for row in rows:  # name, AO, SR.50, SR.75, AUC, P20, NP, low - high, fps
        ao, low, high = float(row[1]), float(row[7]), float(row[9])
        assert 0 <= low <= ao <= high <= 1
        assert float(row[10]) > 0
    assert float(rows[0][1]) >= float(rows[1][1])  # ranked


def test_report_files_json_and_a_second_run(run: Run, root: Path, packed: Path) -> None:
    out_folder = root.parent / "out"
    arguments = ("folder", "--root", root, "--model", packed, "--starts", "4", "--json")
    code, out, err = run(*arguments, "--out", out_folder)
    assert code == 0 and "error" not in err
    report = json.loads(out)
    assert report["starts"] == 4 and report["benchmark"] == "folder"
    assert sorted(report["sequences"]) == ["Deer", "plain"]
    (tracker,) = report["trackers"]
    assert tracker["name"] == "small" and tracker["identity"]["kind"] == "packed"
    assert len(tracker["sequences"]["plain"]["runs"]) == 4
    assert json.loads((out_folder / "folder-starts4" / "report.json").read_text()) == report
    assert (
        f"| small | {tracker['mean']['ao']:.3f} |"
        in (out_folder / "folder-starts4" / "report.md").read_text()
    )
    # Speeds are measured, so that an equal report means that nothing ran again.
    assert json.loads(run(*arguments, "--out", out_folder)[1]) == report


def test_settings_are_replaced_and_guarded(run: Run, root: Path, packed: Path) -> None:
    out = ("--out", root.parent / "out")
    arguments = ("folder", "--root", root, "--model", packed, "--json")
    changed = json.loads(run(*arguments, "--set", "scale_lr=0.9", "--set", "search_size=79")[1])
    assert changed["trackers"][0]["identity"]["settings"] == {"scale_lr": 0.9, "search_size": 79}
    assert run(*arguments, *out)[0] == 0
    result = run(*arguments, *out, "--set", "scale_lr=0.9")
    fails(result, 2, "results of small were made with another settings; choose another --out")


def test_checkpoints_run_in_the_same_loop_as_their_export(run: Run, root: Path) -> None:
    pytest.importorskip("torch")
    from tests.support.checkpoints import write_checkpoint

    checkpoint, packed = root.parent / "net.pth", root.parent / "packed.safetensors"
    write_checkpoint(checkpoint)
    with pytest.raises(SystemExit) as exit_:
        main(["export", str(checkpoint), "-o", str(packed)])
    assert not exit_.value.code
    code, out, err = run(
        "folder", "--root", root, "--model", checkpoint, "--model", packed, "--json"
    )
    assert code == 0, err
    scores = {
        t["identity"]["kind"]: t["mean"] for t in json.loads(out[out.index("{") :])["trackers"]
    }
    assert scores["checkpoint"]["ao"] == pytest.approx(scores["packed"]["ao"], abs=2e-3)


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    """A real process, killed with SIGKILL once it has written something."""
    for index in range(10):
        write_sequence(tmp_path / "data", f"s{index:02d}", moving_boxes(7, step=0.5))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "binvision", "eval", "folder", "--root", tmp_path / "data",
               "--rival", "mil", "--out", out, "--json"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        list(map(str, command)), env=environment, stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    deadline = time.monotonic() + 60
    while len(finished := sorted(out.rglob("*_001.txt"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    finished = sorted(out.rglob("*_001.txt"))
    assert 3 <= len(finished) < 10
    stamps = {path: path.stat().st_mtime_ns for path in finished}

    again = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, cwd=tmp_path
    )
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == stamps
    assert len(list(out.rglob("*_001.txt"))) == 10
    # Each sequence is the same footage and MIL starts alike: so must be all results, and no
    # difference can be left between those before the kill and those after it.
    results = {path.read_text() for path in out.rglob("*_001.txt")}
    assert len(json.loads(again.stdout)["trackers"][0]["sequences"]) == 10
    assert sys.platform == "win32" or len(results) == 1


def test_two_evaluations_share_one_folder(tmp_path: Path) -> None:
    """At the same time, with processes each: both give the whole report, of the same files."""
    for index in range(12):
        write_sequence(tmp_path / "data", f"s{index:02d}", moving_boxes(6, step=0.1 * index))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "binvision", "eval", "folder", "--root", tmp_path / "data",
               "--rival", "mil", "--jobs", "2", "--out", out, "--json"]  # fmt: skip
    both = [
        subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    reports = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    scores = [
        {name: part["mean"] for name, part in report["trackers"][0]["sequences"].items()}
        for report in reports
    ]
    assert scores[0] == scores[1] and len(scores[0]) == 12
    results = [path for path in (out / "results").rglob("*") if path.is_file()]
    assert len(results) == 2 * 12 + 1  # boxes and times, and what made them; nothing half written


def test_a_sequence_that_fails_is_left_out_on_demand(run: Run, root: Path) -> None:
    picture = root / "plain" / "0003.jpg"
    whole = picture.read_bytes()
    picture.write_bytes(b"no picture")
    out = ("--out", root.parent / "out")
    arguments = ("folder", "--root", root, "--rival", "mil", "--json", *out)
    fails(run(*arguments), 1, rf"error: mil on plain: {picture}: cannot be decoded")
    code, text, err = run(*arguments, "--keep-going")
    assert code == 1
    first, last = err.splitlines()
    assert first.startswith(f"skipped: plain: mil: {picture}: cannot be decoded")
    assert last == "1 of 2 sequences were skipped: plain"
    assert list(json.loads(text)["trackers"][0]["sequences"]) == ["Deer"]
    picture.write_bytes(whole)
    code, text, err = run(*arguments)
    assert code == 0 and err == ""
    assert sorted(json.loads(text)["trackers"][0]["sequences"]) == ["Deer", "plain"]


def test_nothing_is_left_to_measure(run: Run, root: Path) -> None:
    picture = root / "plain" / "0001.jpg"
    picture.write_bytes(b"no picture")
    code, out, err = run("folder", "--root", root / "plain", "--rival", "mil", "--keep-going")
    assert code == 1 and out == ""
    assert err.splitlines()[-1].startswith("error: every sequence failed; the first, plain: ")


@pytest.mark.skipif(sys.platform == "win32", reason="sends Ctrl-C to a process group")
def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(tmp_path: Path) -> None:
    write_sequence(tmp_path / "data", "short", moving_boxes(3, step=0.5))
    for name in ("long1", "long2"):
        write_sequence(tmp_path / "data", name, moving_boxes(1500, step=0.002))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "binvision", "eval", "folder", "--root", tmp_path / "data",
               "--rival", "mil", "--jobs", "3", "--out", out]  # fmt: skip
    process = subprocess.Popen(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    done = out / "results" / "folder" / "mil" / "short" / "short_001.txt"
    deadline = time.monotonic() + 60
    while not done.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert (process.returncode, stdout) == (130, "")
    assert stderr == (
        f"error: interrupted; 1 of 3 results are finished and kept in {done.parents[2]}; "
        f"the same command goes on from there\n"
    )


def test_ctrl_c_without_a_folder(run: Run, root: Path, monkeypatch: Any) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "run_campaign", interrupted)
    result = run("folder", "--root", root, "--rival", "mil")
    fails(
        result, 130, "^error: interrupted; nothing is kept; with --out DIR the same command would"
    )


def test_wrong_use(run: Run, root: Path, packed: Path) -> None:
    folder = ("folder", "--root", root)
    fails(run(*folder), 2, "nothing to evaluate; name a tracker with --model or --rival")
    fails(run(*folder, "--rival", "tld"), 2, "unknown rival 'tld'; expected one of mil, kcf, csrt")
    fails(run(*folder, "--rival", "mil", "--starts", "2"), 2, "cannot start 2 times; --starts is 1")
    fails(run(*folder, "--model", packed, "--set", "speed=3"), 2, "--set speed=3: expected KEY=VAL")
    fails(run(*folder, "--model", packed, "--set", "scale_lr=fast"), 2, "'fast' is not a number")
    fails(run(*folder, "--model", packed, "--set", "scale_lr=3"), 2, "scale_lr = 3 out of range")
    fails(run(*folder, "--rival", "mil", "--rival", "mil"), 2, "two trackers are called mil")
    fails(run(*folder, "--model", packed, "--model", packed), 2, "two trackers are called .*small")
    fails(run("vot", "--root", root), 2, "No such command 'vot'")
    fails(run("folder"), 2, "--root")


def test_a_bad_model_is_found_before_the_good_one_runs(run: Run, root: Path, packed: Path) -> None:
    bad, out = root.parent / "bad.safetensors", root.parent / "out"
    bad.write_bytes(b"no model" * 9)
    models = ("--model", packed, "--model", bad)
    fails(run("folder", "--root", root, *models, "--out", out), 1, r"model file .*bad\.safetensors")
    assert not out.exists()


def test_work_that_fails(run: Run, root: Path, packed: Path, monkeypatch: Any) -> None:
    rival = ("--rival", "mil")
    fails(run("folder", "--root", root / "gone", *rival), 1, r"gone: no such folder")
    fails(run("otb", "--root", root / "plain", *rival), 1, r"expected NAME/img/\*\.jpg")
    fails(run("folder", "--root", root, "--model", root / "no.pth"), 1, r"no\.pth: no such checkp")
    fails(run("folder", "--root", root, "--model", "rb-siamf"), 1, r"no model 'rb-siamf'")
    monkeypatch.delattr(cv2, "TrackerCSRT_create", raising=False)
    fails(run("folder", "--root", root, "--rival", "csrt"), 1, "opencv-contrib-python-headless<5")
    (root / "plain" / "0003.jpg").write_bytes(b"no picture")
    fails(run("folder", "--root", root, *rival), 1, r"plain/0003\.jpg: cannot be decoded")
    (root / "plain" / "0003.jpg").unlink()
    fails(run("folder", "--root", root, *rival), 1, r"4 boxes for 3 pictures.*0003\.jpg is missing")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("a/net.safetensors", "b/other.safetensors"), {"net", "other"}),
        (("a/net.safetensors", "a/net.packed"), {"net.safetensors", "net.packed"}),
        (("a/net.safetensors", "b/net.safetensors"), {"a-net", "b-net"}),
        (("a/n.x", "a/n.y", "b/n.x"), {"a-n.x", "a-n.y", "b-n.x"}),
    ],
)
def test_names_tell_models_apart(run: Run, root: Path, files: Any, names: set[str]) -> None:
    models: list[str | Path] = []
    for file in files:
        path = root.parent / file
        path.parent.mkdir(exist_ok=True)
        runtime.save(path, small_model(settings=SETTINGS))
        models += ["--model", path]
    code, out, _ = run("folder", "--root", root / "plain", *models, "--json")
    assert code == 0
    assert {tracker["name"] for tracker in json.loads(out)["trackers"]} == names


def test_processes_print_one_report(run: Run, root: Path, packed: Path) -> None:
    arguments = ("folder", "--root", root, "--model", packed, "--json")
    alone, shared = (json.loads(run(*arguments, *jobs)[1]) for jobs in ((), ("--jobs", "2")))
    ao = [np.round(report["trackers"][0]["mean"]["ao"], 9) for report in (alone, shared)]
    assert ao[0] == ao[1]
