"""``binvision bench``: its tables, its JSON, its warnings and its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields

import pytest

from binvision.bench import ceiling, contest
from binvision.bench.contest import Absent, Figure
from binvision.bench.report import Report, StepFigure


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for milliseconds."""
    monkeypatch.setattr(ceiling, "_ROUND_S", 1e-5)
    monkeypatch.setattr("binvision.bench.report.memory_bandwidth", lambda: 2e10)
    monkeypatch.setattr(contest, "_ROUND_S", 0.0)
    monkeypatch.setattr("binvision.bench.report._PROFILE_RUNS", 2)


def test_tables(short, command) -> None:
    done = command("bench", "--size", "63", "--batch", 1, "--rounds", 1, "--profile")
    assert done.code == 0
    for word in ("rb-siamfc", "CPU", "kernels", "ceiling", "1 x 63x63", "images/s", "GB/s"):
        assert word in done.out
    for word in (
        "blocks.3.conv",
        "binary_conv",
        "3x3 128>128",
        "GMAC/s",
        "of ceiling",
        "of memory",
    ):
        assert word in done.out
    assert "other engines" not in done.out


def test_json_has_every_field(short, command) -> None:
    done = command("bench", "rb-siamfc", "--size", "47x63", "--rounds", 1, "--profile", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert list(report) == [field.name for field in fields(Report)]
    assert (report["size_hw"], report["batch"], report["threads"]) == ([47, 63], 3, 1)
    assert list(report["steps"][0]) == [field.name for field in fields(StepFigure)]
    assert list(report["engines"][0]) == [field.name for field in fields(Figure)]
    assert report["popcount_ceiling"] > 0 and report["absent"] == []


def test_absent_engines_are_named(short, command, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = 'not installed: pip install "binvision[bench]"'
    monkeypatch.setattr(
        "binvision.bench.report.contestants", lambda *_: [Absent("openvino", reason)]
    )
    given = ("bench", "--size", "31", "--batch", 1, "--rounds", 1, "--against", "openvino")
    done = command(*given)
    assert done.code == 0
    assert "Not timed" in done.out and reason in done.out
    assert json.loads(command(*given, "--json").out)["absent"][0]["reason"] == reason


def test_the_portable_path_is_warned_of(short, command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("binvision.bench.report.isa", lambda: "portable")
    done = command("bench", "--size", "31", "--batch", 1, "--rounds", 1)
    assert done.code == 0
    assert "warning: this CPU has none of AVX-512 VPOPCNTDQ, AVX2 and NEON" in done.err
    assert "portable" in done.out


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--size", "0x9"], 2, "--size: expected HxW in pixels, such as 240x320, got '0x9'"),
        (["--size", "axb"], 2, "--size: expected HxW in pixels, such as 240x320, got 'axb'"),
        (["--size", "4x4"], 1, "give larger images"),
        (["--against", "tvm"], 2, "engine 'tvm': expected some of torch, onnxruntime, openvino"),
        (["--threads", "0"], 2, "--threads"),
        (["gone.safetensors"], 1, "no model 'gone.safetensors'"),
    ],
)
def test_faults(short, command, options: list[str], code: int, text: str) -> None:
    done = command("bench", *options, *([] if "--size" in options else ["--size", "31"]))
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ") and text in done.err and done.err.count("\n") == 1


def test_runs_without_the_training_world() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'mmengine', 'onnx', 'openvino']))\n"
        "from binvision.cli.app import main\n"
        "main(['bench', '--size', '31', '--batch', '1', '--rounds', '1', '--against', 'torch'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ.copy(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "not installed" in done.stdout
