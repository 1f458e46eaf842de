"""Endurance in short minutes: who is followed, what is flat, and what is not."""

from __future__ import annotations

import csv
import sys
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("got10k")

from benchmarks import endurance
from benchmarks.endurance import Minute, Verdict, judge, measure
from binvision.errors import DataError
from binvision.trackers import TrackResult
from binvision.trackers.evaluation.folder_layout import find_sequences
from tests.support.sequences import moving_boxes, write_sequence
from tests.support.tracking_models import write_tracker


class Knowing:
    """Answers the true boxes of a sequence that is played to and fro, and is lost at its ends."""

    def __init__(self, boxes: np.ndarray) -> None:
        self._boxes, self._starts = boxes, 0

    def init(self, frame: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        assert box_xywh == tuple(self._boxes[0])
        self._starts, self._age = self._starts + 1, 0

    def update(self, frame: np.ndarray) -> TrackResult:
        assert self._starts == 1, "never started again"
        self._age += 1
        period = 2 * (len(self._boxes) - 1)
        place = self._age % period
        place = min(place, period - place)
        box = tuple(self._boxes[place])
        return TrackResult(box, 1.0, place in (0, len(self._boxes) - 1))


def test_to_and_fro(tmp_path: Path) -> None:
    boxes = moving_boxes(5, step=8)
    (sequence,) = find_sequences([write_sequence(tmp_path, "one", boxes)])
    marks = count(100)
    minutes = list(
        measure(Knowing(boxes), sequence, 3, seconds=0.05, memory_mb=lambda: float(next(marks)))
    )
    assert [one.memory_mb for one in minutes] == [100, 101, 102]
    for one in minutes:
        assert one.frames > 8 and one.ms > 0 and one.decode_ms > 0
        assert one.followed == 1, "a frame too early or too late would miss it"
        assert one.lost == pytest.approx(0.25, abs=2 / one.frames)


def test_a_target_that_goes_is_refused(tmp_path: Path) -> None:
    boxes = moving_boxes(5)
    boxes[3] = np.nan
    (sequence,) = find_sequences([write_sequence(tmp_path, "one", boxes)])
    with pytest.raises(DataError, match="one: needs a true box in every frame"):
        next(measure(Knowing(boxes), sequence, 1))


def minute(ms: float, memory_mb: float, decode_ms: float = 5.0) -> Minute:
    return Minute(1000, ms, decode_ms, memory_mb, 1.0, 0.0)


def test_verdicts() -> None:
    warm_up = minute(20.0, 50.0)
    calm = [minute(10.0, 200.0), minute(10.2, 201.0), minute(10.1, 201.5), minute(9.9, 200.0)]
    verdict = judge([warm_up, *calm])
    assert verdict == Verdict(0.5, pytest.approx(10.0 / 10.1 - 1))
    assert verdict.memory_is_flat and verdict.speed_is_flat
    leaking = judge([warm_up, *(minute(10.0, 200.0 + 2 * index) for index in range(4))])
    assert leaking.memory_mb == 4 and not leaking.memory_is_flat
    slowing = judge([warm_up, *(minute(10.0 + index, 200.0) for index in range(4))])
    assert not slowing.speed_is_flat and slowing.memory_is_flat
    assert judge([minute(11.0, 1.0), minute(10.0, 1.0)]).speed_is_flat, "faster is no fault"
    busy = [minute(10.0 + index, 1.0, 5.0 + index / 2) for index in range(4)]
    assert judge([warm_up, *busy]).speed == pytest.approx(0), "a slower machine is no fault"
    assert judge([warm_up]) == Verdict(0.0, 0.0)
    assert judge([minute(10.0, 1.0), minute(20.0, 9.0)]) == Verdict(8.0, 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_this_process() -> None:
    before = endurance.resident_mb()
    held = np.ones(50_000_000, np.uint8)
    assert 45 < endurance.resident_mb() - before < 60
    assert held.all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = endurance.measure
    monkeypatch.setattr(endurance, "measure", lambda *args: real(*args, seconds=0.2))
    monkeypatch.setattr(endurance, "_DEMO_FRAMES", 4)
    threads = cv2.getNumThreads()
    model = write_tracker(tmp_path / "random.safetensors")
    options = ["--model", model, "--minutes", 3, "--csv", tmp_path / "minutes.csv"]
    with pytest.raises(SystemExit) as exit_:
        endurance.main(list(map(str, options)))
    cv2.setNumThreads(threads)
    printed = capsys.readouterr()
    assert "isa" in printed.out and "minute 3:" in printed.err
    flat = printed.out.count(": flat,")
    assert (exit_.value.code == 0) == (flat == 2)
    with (tmp_path / "minutes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["minute"]) for row in rows] == [("random", n) for n in "123"]
    assert all(float(row["memory_mb"]) > 10 and row["cpu"] for row in rows)


def test_a_model_that_is_not_there_is_one_line() -> None:
    with pytest.raises(SystemExit, match="error: no model 'nope'"):
        endurance.main(["--model", "nope"])
