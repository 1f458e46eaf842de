"""Results survive SIGKILL; the full proof, 100 sequences and 10 kills, is the benchmark itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks import killed_evaluation
from benchmarks.killed_evaluation import differences, lost_or_touched, snapshot

pytest.importorskip("got10k")


@pytest.mark.skipif(os.name != "posix", reason="kills by SIGKILL")
def test_twenty_sequences_and_four_kills(capsys: pytest.CaptureFixture[str]) -> None:
    killed_evaluation.main(["--sequences", "20", "--kills", "4"])
    assert (
        "killed 4 times: 20 results, none lost, none written twice, files and report as undisturbed"
        in " ".join(capsys.readouterr().out.split())
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What two sequences leave behind."""
    for name in ("s0", "s1"):
        folder = tmp_path / "a" / "results" / "folder" / "mil" / name
        folder.mkdir(parents=True)
        (folder / f"{name}_001.txt").write_text("1,2,3,4\n")
        (folder / f"{name}_time.txt").write_text("0.5\n")
    tracker = {"fps": 2.0, "ao": 0.5, "sequences": {"s0": {"seconds": 0.5}}}
    (tmp_path / "a" / "folder").mkdir()
    (tmp_path / "a" / "folder" / "report.json").write_text(
        json.dumps({"date": "2026-01-01", "trackers": [tracker]})
    )
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    return tmp_path


def test_times_and_days_do_not_count(out: Path) -> None:
    (out / "b" / "results" / "folder" / "mil" / "s0" / "s0_time.txt").write_text("0.7\n")
    tracker = {"fps": 3.0, "ao": 0.5, "sequences": {"s0": {"seconds": 0.7}}}
    (out / "b" / "folder" / "report.json").write_text(
        json.dumps({"date": "2026-01-02", "trackers": [tracker]})
    )
    assert differences(out / "a", out / "b") == []


def test_every_difference_is_found(out: Path) -> None:
    mil = out / "b" / "results" / "folder" / "mil"
    (mil / "s0" / "s0_001.txt").write_text("1,2,3,5\n")
    (mil / "s1" / ".s1_001.txt.host.1.partial").write_text("1,")
    report = out / "b" / "folder" / "report.json"
    report.write_text(report.read_text().replace('"ao": 0.5', '"ao": 0.6'))
    assert differences(out / "a", out / "b") == [
        "results/folder/mil/s1/.s1_001.txt.host.1.partial is only in one of the two",
        "results/folder/mil/s0/s0_001.txt differs",
        "report.json differs",
    ]


def test_lost_and_repeated_results_are_found(out: Path) -> None:
    before = snapshot(out / "a")
    assert list(before) == ["s0_001.txt", "s1_001.txt"]
    assert lost_or_touched(before, snapshot(out / "a")) == []
    mil = out / "a" / "results" / "folder" / "mil"
    (mil / "s0" / "s0_001.txt").unlink()
    fresh = mil / "s1" / "fresh"
    fresh.write_text("1,2,3,4\n")
    fresh.replace(mil / "s1" / "s1_001.txt")
    assert lost_or_touched(before, snapshot(out / "a")) == [
        "s0_001.txt is lost",
        "s1_001.txt was written again",
    ]
