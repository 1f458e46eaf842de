"""Clips with a hidden target keep what they promise, and outcomes are counted right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("got10k")

from benchmarks import lost_and_found
from benchmarks.following import follow
from benchmarks.hiding import HIDDEN, KINDS, PASSING, SEEN, HiddenClip, make_clips
from binvision.errors import DataError, UsageError
from binvision.trackers import Tracker, TrackResult
from binvision.trackers.evaluation.entrants import Entrant, enter
from binvision.trackers.evaluation.folder_layout import find_sequences
from tests.support.footage import moving_patch, texture, write_images
from tests.support.numpy_embedder import NumpyEmbedder
from tests.support.sequences import moving_boxes, write_sequence
from tests.support.tracking_models import write_tracker

SIDE = 32


def write_patches(root: Path, name: str, count: int = 30, seed: int = 0) -> Path:
    """A patch that goes right over a ground that stands still."""
    places = [(60.0 + 5 * index, 110.0) for index in range(count)]
    frames, boxes = moving_patch(places, (200, 280), [float(SIDE)] * count, seed)
    folder = write_images(root / name, frames)
    lines = [",".join(f"{value:g}" for value in box) for box in boxes]
    (folder / "groundtruth.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sequences")
    write_patches(root, "one", seed=0)
    write_patches(root, "two", seed=5)
    return root


@pytest.fixture(scope="module")
def clips(root: Path) -> list[HiddenClip]:
    return list(make_clips(find_sequences([root]), 1))


def likeness(frame: np.ndarray, box: np.ndarray, patch: np.ndarray) -> float:
    """Correlation of what is at a box with the target."""
    x, y, w, h = (round(value) for value in box)
    here = frame[y : y + h, x : x + w].astype(float).ravel()
    return float(np.corrcoef(here, patch.astype(float).ravel())[0, 1])


@pytest.mark.parametrize("number", range(4))
def test_the_target_goes_and_comes_back(clips: list[HiddenClip], number: int) -> None:
    clip = clips[number]
    assert (clip.sequence, clip.kind) == (("one", "two")[number // 2], KINDS[number % 2])
    assert len(clip.frames) == len(clip.truth_xywh) == len(clip.states)
    hidden = np.flatnonzero(clip.states == HIDDEN)
    assert 10 <= len(hidden) <= 60
    assert (np.diff(hidden) == 1).all()
    assert clip.leaves >= 20 and len(clip.states) - clip.returns >= 30
    assert (clip.states[: clip.leaves] == SEEN).all() and (
        clip.states[clip.returns :] == SEEN
    ).all()
    assert (PASSING in clip.states) == (clip.kind == "occluder")
    x, y, w, h = (round(value) for value in clip.truth_xywh[0])
    patch = clip.frames[0][y : y + h, x : x + w]
    for frame, box, state in zip(clip.frames, clip.truth_xywh, clip.states, strict=True):
        assert frame.shape == (200, 280, 3) and frame.dtype == np.uint8
        if state == HIDDEN:
            assert likeness(frame, box, patch) < 0.8
    assert likeness(clip.frames[-1], clip.truth_xywh[-1], patch) > 0.99
    assert likeness(clip.frames[10], clip.truth_xywh[10], patch) > 0.99
    steps = np.abs(np.diff(clip.truth_xywh[:, 0]))
    assert steps.max() == pytest.approx(5), "to and fro, without jumps"


def test_a_ground_that_stands_still_is_put_back(clips: list[HiddenClip]) -> None:
    clip = clips[1]
    assert clip.kind == "cut-out"
    ground = texture(200, 280, 0, grain=5.0) // 2 + 60
    for index in np.flatnonzero(clip.states == HIDDEN):
        difference = np.abs(clip.frames[index].astype(int) - ground)
        assert difference.mean() < 0.5 and difference.max() < 40


def test_the_seed_decides_and_other_sequences_do_not(root: Path, clips: list[HiddenClip]) -> None:
    sequences = find_sequences([root])
    again, other = (next(make_clips(sequences, 1, seed)) for seed in (0, 1))
    assert np.array_equal(again.frames, clips[0].frames)
    assert not np.array_equal(again.truth_xywh[:20], other.truth_xywh[:20])
    cut_out = list(make_clips(sequences[1:], 1))[1]
    assert np.array_equal(cut_out.frames, clips[3].frames)


def test_short_sequences_are_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path, "short", moving_boxes(19))
    with pytest.raises(DataError, match="none of 1 sequences shows its target in 20 frames"):
        next(make_clips(find_sequences([tmp_path]), 1))


HERE, THERE = (10.0, 10.0, 20.0, 20.0), (60.0, 10.0, 20.0, 20.0)


def test_outcome() -> None:
    states = np.array([SEEN] * 4 + [PASSING] + [HIDDEN] * 4 + [PASSING] + [SEEN] * 31)
    clip = HiddenClip("one occluder 0", "one", "occluder", [], np.array([HERE] * 41), states)
    here, there = TrackResult(HERE, 0.9, False), TrackResult(THERE, 0.9, False)
    lost = TrackResult(HERE, 0.1, True)
    run = [here, lost, here, here, there, there, lost, lost, lost, there]
    found = lost_and_found.outcome(clip, [*run, lost, there, *[here] * 29])
    assert found == lost_and_found.Outcome("one occluder 0", "one", "occluder", True, 1, 3, 1, 4, 2)
    assert lost_and_found.outcome(clip, [*run, *[lost] * 31]).found_after is None
    late = lost_and_found.outcome(clip, [*run, *[lost] * 30, here])
    assert late.found_after is None, "in the 31st frame"
    unsure = lost_and_found.outcome(clip, [*run[:3], there, *run[4:], *[lost] * 31])
    assert not unsure.followed
    both = lost_and_found.summarise([found, unsure])
    assert (both.found, both.found_of_followed, both.found_after) == (0.5, 1.0, 2)
    assert (both.false_alarms, both.doubts) == (2 / 8, 2 / 6)
    assert both.interval == (0.5, 0.5), "one sequence"
    assert lost_and_found.summarise([unsure]).found_of_followed is None


def test_a_tracker_that_can_finds_it_again(clips: list[HiddenClip]) -> None:
    clip = clips[1]
    run = follow(Tracker(NumpyEmbedder()), clip.frames, tuple(clip.truth_xywh[0]))
    found = lost_and_found.outcome(clip, run)
    assert found.followed and found.doubts == 0 and found.found_after is not None
    assert found.false_alarms < found.hidden


def test_it_runs(
    root: Path,
    clips: list[HiddenClip],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = [
        replace(
            clip,
            frames=clip.frames[::8],
            truth_xywh=clip.truth_xywh[::8],
            states=clip.states[::8],
        )
        for clip in clips[:2]
    ]
    monkeypatch.setattr(lost_and_found, "make_clips", lambda *_: iter(short))
    threads = cv2.getNumThreads()
    model = write_tracker(tmp_path / "random.safetensors")
    options = ["--root", root / "one", "--model", model, "--rival", "mil", "--clips", 1]
    options += ["--json", tmp_path / "found.json", "--out", tmp_path / "videos"]
    lost_and_found.main(list(map(str, options)))
    cv2.setNumThreads(threads)
    printed = capsys.readouterr()
    rows = [line.split() for line in printed.out.splitlines() if " all " in line]
    assert [row[0] for row in rows] == ["random", "mil"]
    assert "isa" in printed.out
    assert printed.err.count("found again after random") == 2
    document = json.loads((tmp_path / "found.json").read_text())
    random, mil = document["trackers"]
    assert random["identity"]["kind"] == "packed" and mil["identity"]["rival"] == "mil"
    assert random["summaries"]["all"]["clips"] == len(random["outcomes"]) == 2
    assert mil["summaries"]["all"]["false_alarms"] == 1.0, "it never reports failure"
    assert {path.name for path in (tmp_path / "videos").iterdir()} == {
        "one_occluder_0.mp4",
        "one_cut-out_0.mp4",
    }


def test_what_is_wrong_is_one_line(root: Path) -> None:
    with pytest.raises(SystemExit, match="error: nothing to evaluate"):
        lost_and_found.main(["--root", str(root)])
    (rival,) = enter([], ["mil"], {})
    with pytest.raises(UsageError, match="mil: is OpenCV's, and has no model of ours"):
        Entrant.load(rival)
