"""The layer benchmark runs, checks what it times, and draws what it measured."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("got10k")  # names the machine

from benchmarks import layer, layers, roofline
from benchmarks.layer import FORMS, Shape
from binvision.bench import ceiling
from binvision.errors import DataError


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for milliseconds."""
    monkeypatch.setattr(ceiling, "_ROUND_S", 1e-5)
    monkeypatch.setattr(layers, "memory_bandwidth", lambda: 2e10)


@pytest.fixture
def threads() -> None:
    """The benchmark holds torch to one thread; other tests get theirs back."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_sweep_and_its_picture(tmp_path: Path, capsys) -> None:
    table, picture = tmp_path / "results" / "layers.csv", tmp_path / "roofline.svg"
    layers.main(["--smoke", "--rounds", "2", "--turn", "0.001", "--csv", str(table)])
    out = capsys.readouterr().out
    for word in ("3x3 64>32 at 6x6", "1x1 70>70 at 5x5", "3x3 64>64 at 7x7 /2 in 2 groups", "isa"):
        assert word in out
    rows = rows_of(table)
    assert [row["what"] for row in rows] == [*FORMS] * len(layers.SMOKE)
    for row in rows:
        assert row["cpu"] and row["isa"] and row["commit"]
        speed = float(row["mmac"]) / float(row["ms"])
        assert float(row["gmacs"]) == pytest.approx(speed, rel=1e-3)
        share = float(row["gmacs"]) / float(row["ceiling_gmacs"])
        assert float(row["ceiling"]) == pytest.approx(share, rel=1e-3)
    roofline.main(["--csv", str(table), "--out", str(picture)])
    assert "<svg" in picture.read_text() and list(tmp_path.glob(".*")) == []


def test_engines(threads, tmp_path: Path, capsys) -> None:
    table = tmp_path / "engines.csv"
    options = ["--engines", "--against", "torch", "--smoke", "--rounds", "2", "--turn", "0.001"]
    layers.main([*options, "--csv", str(table)])
    assert "torch bf16" in capsys.readouterr().out
    found = [(row["what"], row["place"]) for row in rows_of(table)]
    assert found == [(form, "alone") for form in FORMS] + [
        ("torch fp32", "alone"), ("torch fp32", "in a chain"),
        ("torch bf16", "alone"), ("torch bf16", "in a chain"),
    ]  # fmt: skip


def test_avx2_has_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess:
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(layers.subprocess, "run", run)
    with pytest.raises(SystemExit) as exit_:
        layers.main(["--engines", "--avx2"])
    ((command, env),) = calls
    assert exit_.value.code == 3
    assert command[1:] == ["-m", "benchmarks.layers", "--engines", "--avx2"]
    assert env["ONEDNN_MAX_CPU_ISA"] == "AVX2" and "avx512" not in env["NUMBA_CPU_FEATURES"]


@pytest.mark.parametrize("shape", layers.SMOKE, ids=str)
def test_macs_and_bytes(shape: Shape) -> None:
    weights = shape.kernel**2 * shape.inputs // shape.groups * shape.outputs
    assert shape.macs == weights * shape.out_side**2
    floats = 4 * (shape.side**2 * shape.inputs + shape.out_side**2 * shape.outputs)
    assert shape.moved("floats") - floats == shape.moved("gemm") - 8 * shape.side**2 * (
        shape.groups * -(-shape.inputs // shape.groups // 64)
    )
    assert shape.moved("gemm") < shape.moved("bits") < shape.moved("floats")


def test_growth_names_what_is_off() -> None:
    def row(side: int, gmacs: float) -> layers.Row:
        shape = Shape(3, side, 64, 64)
        return layers._row(shape, "gemm", "alone", shape.macs / gmacs / 1e9)

    (line,) = layers.growth([row(28, 1000), row(56, 1100), row(112, 1200), row(7, 1)])
    assert line.endswith("of 3 layers, 0 are more than 20 % off the rate of their kind")
    (line,) = layers.growth([row(28, 1000), row(56, 1100), row(112, 1400)])
    assert line.endswith(
        "1 are more than 20 % off the rate of their kind: 3x3 64>64 at 112x112 +27 %"
    )


def test_wrong_sums_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "_sum_windows", lambda *given: 17)
    with pytest.raises(DataError, match=r"3x3 64>32 at 6x6: 17 different bits counted, expected "):
        layer.forms(layers.SMOKE[0])
    with pytest.raises(SystemExit, match="error: 3x3 64>32 at 6x6: 17 different bits"):
        layers.main(["--smoke"])


def test_wrong_outputs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = layer.evaluate
    monkeypatch.setattr(
        layer, "evaluate", lambda *given: {k: v + 9 for k, v in evaluate(*given).items()}
    )
    with pytest.raises(DataError, match="3x3 64>32 at 6x6: its output is wrong by "):
        layer.forms(layers.SMOKE[0])


def test_roofline_wants_a_sweep(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: .*gone\.csv: cannot be read \(No such file"):
        roofline.main(["--csv", str(tmp_path / "gone.csv"), "--out", str(tmp_path / "a.svg")])
    other = tmp_path / "other.csv"
    other.write_text("what,ms\nthing,3\n")
    with pytest.raises(SystemExit, match=r"other\.csv: expected rows of benchmarks\.layers"):
        roofline.main(["--csv", str(other), "--out", str(tmp_path / "a.svg")])
    assert np.all([path.suffix == ".csv" for path in tmp_path.iterdir()])
