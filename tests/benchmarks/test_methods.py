"""The comparison of methods: a run from training to its row, what is skipped, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import method_page, methods
from binvision.binary import results
from binvision.binary.results import Result
from tests.support.labelled_pictures import write_pictures

ROW = Result("bnn", 0, 0.5, 100, 10, 4, 1.5, "a GPU", 2, "", 1.0, 1e-7, 8, 3, 20, 9, 99, 0.25, "x")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "rows.csv"
    for function in (results.read_results, results.write_results):
        defaults = tuple(path for _ in function.__defaults__ or ())
        monkeypatch.setattr(function, "__defaults__", defaults)
    monkeypatch.setattr(method_page, "PAGE", tmp_path / "methods.md")
    return path


def test_methods_come_once_before_any_comes_twice() -> None:
    found = methods.runs(["abc", "cbcn", "bnn"], [0, 1])
    assert found == [("abc", 0), ("bnn", 0), ("cbcn", 0), ("abc", 1), ("bnn", 1)]


def test_rows_survive_their_file(kept: Path) -> None:
    rows = [replace(ROW, seed=1), ROW, replace(ROW, method="abc", unpacked="why, then")]
    results.write_results(rows)
    assert results.read_results() == [rows[2], ROW, rows[0]]
    assert [row.seed for row in results.of_method("bnn")] == [0, 1]


def test_from_training_to_the_page(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, work = write_pictures(tmp_path / "a.npz"), tmp_path / "work"
    given = ["--data", str(data), "--work", str(work), "--methods", "bnn,xnor_k,none"]
    small = ["--set", "model.network.input_size=8", "--batch", "4", "--iterations", "2"]
    small += ["--set", "model.network.backbone.channels=(8, 16)"]
    small += ["--set", "model.network.backbone.blocks=(1, 1)"]
    methods.main(["train", *given, *small, "--seeds", "0"])
    assert "unknown binarisation method 'none'" in (work / "none-0" / "failed.txt").read_text()
    times = {path: path.stat().st_mtime_ns for path in work.glob("*/run.json")}
    assert {path.parent.name for path in times} == {"bnn-0", "xnor_k-0"}
    methods.main(["train", *given, *small, "--seeds", "0"])
    assert {path: path.stat().st_mtime_ns for path in work.glob("*/run.json")} == times

    methods.main(["measure", *given])
    packed, unpacked = results.read_results()
    assert (packed.method, packed.agreement, packed.pictures) == ("bnn", 1, 6)
    assert packed.binary_parameters == 8 * 8 * 9 + 8 * 16 * 9 and packed.milliseconds > 0
    assert "xnor" in unpacked.unpacked and unpacked.file_bytes == 0
    page = method_page.PAGE.read_text()
    assert "| `bnn` | early |" in page and "| PyTorch alone | – |" in page


def test_an_order_needs_more_than_the_spread_of_seeds(kept: Path) -> None:
    def rows(name: str, *shares: float) -> list[Result]:
        return [replace(ROW, method=name, seed=i, accuracy=share) for i, share in enumerate(shares)]

    all_rows = rows("fp", 0.9, 0.91) + rows("reactnet", 0.8, 0.81) + rows("bireal", 0.8, 0.82)
    results.write_results(all_rows + rows("xnor", 0.85, 0.86) + rows("bnn", 0.7))
    text = method_page.render()
    assert "`fp` above `reactnet`: holds (+10.0 points, seeds differ by 1.0)" in text
    assert "`reactnet` above `bireal`: no order (-0.5 points" in text
    assert "`bireal` above `xnor`: does not hold here (-4.5 points" in text
    assert "`xnor` above `bnn`: +15.5 points of one seed, too little to tell" in text
