"""A sweep changes what it says, in every model, and compares on the same clips."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("got10k")

from benchmarks import tracker_settings
from benchmarks.tracker_settings import Trial, parse_values, parse_variations
from binvision.errors import UsageError
from tests.support.sequences import moving_boxes, write_sequence
from tests.support.tracking_models import write_tracker


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two models and two clips, and one that is too short."""
    root = tmp_path_factory.mktemp("sweep")
    for index in range(2):
        write_sequence(root / "clips", f"clip{index}", moving_boxes(4))
    write_sequence(root / "clips", "short", moving_boxes(3))
    models = [write_tracker(root / f"seed{number}.safetensors") for number in (1, 2)]
    options = ["--root", root / "clips", "--min-frames", 4]
    return list(map(str, [*options, *(part for model in models for part in ("--model", model))]))


def test_what_is_written_is_read() -> None:
    assert parse_values(["a=1", "b=.5"]) == {"a": 1, "b": 0.5}
    assert isinstance(parse_values(["a=3"])["a"], int)
    assert parse_variations(["a=1,2", "b=0.5"]) == [("a", 1), ("a", 2), ("b", 0.5)]
    for wrong in ("a", "=1", "a=", "a=1,x", "a=1,"):
        with pytest.raises(UsageError, match="expected NAME=VALUE with a number"):
            parse_variations([wrong])


def test_it_runs_and_goes_on(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--vary", "scale_count=1,3", "--fix", "search_size=239", "--out", tmp_path / "out"]
    options += ["--csv", tmp_path / "table.csv"]
    tracker_settings.main([*arguments, *map(str, options)])
    printed = capsys.readouterr().out
    assert "2 models, 2 clips, 4 starts" in printed
    lines = [line.split() for line in printed.splitlines()]
    (one,) = (line for line in lines if line[:2] == ["scale_count", "1"])
    (three,) = (line for line in lines if line[:2] == ["scale_count", "3"])
    (own,) = (line for line in lines if line[:2] == ["own", "values"])
    assert three[6:] == ["+0.0000", "+0.0000", "-", "+0.0000", "0", "of", "2"], "the default"
    assert own[2:] == three[2:6]
    assert one[-2:] == ["of", "2"]
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["setting"], row["value"], row["model"]) for row in rows] == [
        (setting, value, model)
        for setting, value in (("", ""), ("scale_count", "1"), ("scale_count", "3"))
        for model in ("seed1", "seed2")
    ]
    for row in rows:
        mean = (float(row["clip0"]) + float(row["clip1"])) / 2
        assert float(row["ao"]) == pytest.approx(mean, abs=1e-4)

    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.txt")}
    assert len(stored) == 3 * 2 * 2 * 5, "four boxes and the times, a trial, a model, a clip"
    tracker_settings.main([*arguments, *map(str, options[:-2])])
    assert capsys.readouterr().out == printed
    assert stored == {path: path.stat().st_mtime_ns for path in stored}


def test_differences(capsys: pytest.CaptureFixture[str]) -> None:
    own = Trial(None, np.array([[0.4, 0.6], [0.5, 0.7]]))
    other = Trial(("lr", 0.25), np.array([[0.5, 0.8], [0.45, 0.65]]))
    tracker_settings.report([own, other], 2)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["own", "values", "0.5500", "0.500", "-", "0.600"] in lines
    (row,) = (line for line in lines if line[:2] == ["lr", "0.25"])
    # Model by model +.15 and -.05; clip by clip +.025 and +.075.
    assert row[2:] == "0.6000 0.550 - 0.650 +0.0500 +0.0250 - +0.0750 1 of 2".split()


def test_what_no_model_has_is_one_line(arguments: list[str]) -> None:
    for vary, message in (
        ("speed=1", "--set: unknown tracking settings speed; this version knows context"),
        ("scale_lr=2", "--set: .*scale_lr"),
    ):
        with pytest.raises(SystemExit, match=f"error: {message}"):
            tracker_settings.main([*arguments, "--vary", vary])
    with pytest.raises(SystemExit, match="error: no clip has 9 frames; lower --min-frames"):
        tracker_settings.main([*arguments, "--vary", "scale_lr=0.5", "--min-frames", "9"])
