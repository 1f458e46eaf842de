"""Which frames count as right and wrong, and what is printed, written and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("got10k")
pytest.importorskip("matplotlib")

from benchmarks import score_reliability
from benchmarks.calibration import Platt
from benchmarks.hiding import HIDDEN, PASSING, make_clips
from benchmarks.score_reliability import Reliability, Scores, collect, judge
from binvision.trackers import TrackResult
from binvision.trackers.evaluation.folder_layout import find_sequences
from tests.support.sequences import moving_boxes, write_sequence
from tests.support.tracking_models import write_tracker


class Still:
    """Keeps its first box, and is ever less sure."""

    def init(self, frame: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        self._box, self._age = box_xywh, 0

    def update(self, frame: np.ndarray) -> TrackResult:
        self._age += 1
        return TrackResult(self._box, 0.9**self._age, False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sequence(tmp_path / "clips", "one", moving_boxes(24))
    absent = moving_boxes(6, step=4)
    absent[3] = np.nan
    write_sequence(tmp_path / "clips", "two", absent)
    return tmp_path / "clips"


def test_frames_of_four_starts(root: Path) -> None:
    scores = collect(Still(), find_sequences([root]), 0, 0)
    # Of 24 frames from 0 and back from 23, from 8, back from 16; the first ones do not count.
    assert scores.sequences.count("one") == 23 + 15 + 23 + 16
    # Of 6, of which one shows nothing: from 0, 2, and back from 5 and 4.
    assert scores.sequences.count("two") == 4 + 2 + 4 + 3
    assert scores.score[:23].tolist() == pytest.approx([0.9**age for age in range(1, 24)])
    # A box of 10 pixels overlaps one that is 3 away by 7 / 13, and one that is 4 away by 6 / 14.
    assert scores.right[:23].tolist() == [True] * 3 + [False] * 20
    assert scores.right[-13:].sum() == 0


def test_hidden_targets_are_never_right(root: Path) -> None:
    sequences = find_sequences([root])
    plain = collect(Still(), sequences, 0, 0)
    both = collect(Still(), sequences, 1, 0)
    clips = list(make_clips(sequences, 1))
    counted = [(clip.states[1:] != PASSING).sum() for clip in clips]
    assert len(clips) == 2, "the other one is too short"
    assert len(both.score) == len(plain.score) + sum(counted)
    added = both.right[len(plain.right) :]
    states = np.concatenate([clip.states[1:][clip.states[1:] != PASSING] for clip in clips])
    assert not added[states == HIDDEN].any()
    assert added[states != HIDDEN].any()


def test_it_pays_where_both_errors_fall() -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(size=2000)
    right = rng.uniform(size=2000) < Platt(0.4, -1.0)(score)
    groups = ("a", "b") * 1000
    assert judge(Scores(score, right, groups)).pays
    honest = Scores(score, rng.uniform(size=2000) < score, groups)
    worse = Reliability(honest, np.clip(score + 0.2, 0, 1), Platt(1.0, 0.0))
    assert not worse.pays


def test_it_runs(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = cv2.getNumThreads()
    model = write_tracker(tmp_path / "random.safetensors")
    options = ["--root", root, "--model", model, "--json", tmp_path / "scores.json"]
    score_reliability.main([*map(str, options), "--plot", str(tmp_path / "scores.svg")])
    cv2.setNumThreads(threads)
    printed = capsys.readouterr().out
    (row,) = (line.split() for line in printed.splitlines() if "random" in line)
    assert row[1] == "90"
    assert "isa" in printed
    (tracker,) = json.loads((tmp_path / "scores.json").read_text())["trackers"]
    assert tracker["frames"] == sum(one["frames"] for one in tracker["bins"]) == 90
    assert float(row[4]) == pytest.approx(tracker["ece"], abs=1e-4)
    assert set(tracker["platt"]) == {"scale", "bias"}
    picture = (tmp_path / "scores.svg").read_text()
    assert "<svg" in picture


def test_another_ending_is_one_line(root: Path) -> None:
    options = ["--root", str(root), "--model", "rb-siamfc", "--plot", "scores.pdf"]
    with pytest.raises(SystemExit, match=r"error: scores.pdf: expected a name that ends in .png"):
        score_reliability.main(options)
