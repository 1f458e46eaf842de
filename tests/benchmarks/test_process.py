"""The process benchmark runs, and refuses figures of processes that failed."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("got10k")  # names the machine

from benchmarks import process
from binvision.errors import DataError


def test_figures(tmp_path: Path, capsys) -> None:
    table = tmp_path / "process.csv"
    options = ["--repeats", "1", "--frames", "2", "--rounds", "1", "--no-cold"]
    process.main([*options, "--csv", str(table)])
    out = capsys.readouterr().out
    for word in ("import binvision", "first tracked frame", "peak of binvision track, 2 frames"):
        assert word in out
    with table.open(newline="") as file:
        rows = {row["what"]: row for row in csv.DictReader(file)}
    assert all(row["cpu"] and row["isa"] and float(row["value"]) > 0 for row in rows.values())
    whole = float(rows["start to first tracked frame, caches warm"]["value"])
    assert float(rows["python, nothing imported"]["value"]) < whole
    assert float(rows["peak of binvision track, 2 frames"]["value"]) > 50


def test_a_process_is_seen_from_outside() -> None:
    code = "import time; print(1, flush=True); x = bytearray(200_000_000); time.sleep(0.1)"
    seen = process._run([sys.executable, "-c", code])
    assert seen.first_s + 0.1 <= seen.whole_s
    assert seen.peak_mb > 200


def test_a_process_that_fails_is_no_figure() -> None:
    with pytest.raises(DataError, match="failed: ValueError: no such luck"):
        process._run([sys.executable, "-c", "raise ValueError('no such luck')"])
    with pytest.raises(DataError, match="failed: silently"):
        process._run([sys.executable, "-c", "raise SystemExit(3)"])
