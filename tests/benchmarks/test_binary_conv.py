"""The kernel benchmark runs, and refuses figures of a wrong kernel."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

pytest.importorskip("got10k")  # names the machine

from benchmarks import binary_conv
from binvision.errors import DataError


@pytest.fixture
def threads() -> None:
    """The benchmark holds torch to one thread; other tests get theirs back."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_figures(threads, tmp_path: Path, capsys) -> None:
    table = tmp_path / "results" / "conv.csv"
    binary_conv.main(["--smoke", "--rounds", "2", "--repeats", "2", "--csv", str(table)])
    out = capsys.readouterr().out
    for word in ("6x6 64>32", "5x5 70>20", "xnor", "torch fp32", "isa", "cpu", "threads 1"):
        assert word in out
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == ["6x6 64>32", "5x5 70>20"]
    for row in rows:
        assert row["cpu"] and row["isa"] and row["commit"]
        ratio = float(row["xnor"]) / float(row["torch fp32"])
        assert float(row["ratio"]) == pytest.approx(ratio, abs=0.2 + 0.2 * ratio)
        assert 0 < float(row["with packing"]) <= float(row["xnor"])


def test_wrong_results_are_refused(monkeypatch) -> None:
    def nothing(layer: binary_conv.Layer) -> None:
        layer.out[:] = 1.5

    monkeypatch.setattr(binary_conv.Layer, "convolve", nothing)
    with pytest.raises(DataError, match="6x6 64>32: 1152 of 1152 outputs are not the sum of"):
        binary_conv.measure(binary_conv.SMOKE[0], 1, 1)
    with pytest.raises(SystemExit, match="error: 6x6 64>32: 1152 of"):
        binary_conv.main(["--smoke"])
