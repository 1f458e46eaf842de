"""The ZIP for GOT-10k's server, against what the toolkit packs from the same results."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from binvision.cli import reporting
from binvision.errors import DataError, SinkError, UsageError
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.sequences import Sequence
from binvision.trackers.evaluation.submission import check_complete, write_submission
from tests.support.sequences import StillEntrant, moving_boxes, write_sequence

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k

NAMES = [f"GOT-10k_Test_{index:06d}" for index in range(1, 5)]


@pytest.fixture
def secret(tmp_path: Path) -> tuple[Sequence, ...]:
    """A test set in its official layout: one true box a sequence, and a list beside them."""
    sequences = []
    for place, name in enumerate(NAMES):
        folder = write_sequence(tmp_path / "test", name, moving_boxes(3 + place))
        box = moving_boxes(1)
        (folder / "groundtruth.txt").write_text("4.0,5.0,10.0,8.0\n")
        truth = np.full((3 + place, 4), np.nan)
        truth[0] = box
        frames = tuple(sorted(folder.glob("*.jpg")))
        sequences.append(Sequence(name, "got10k", frames, truth, origin=0))
    (tmp_path / "test" / "list.txt").write_text("\n".join(NAMES) + "\n")
    return tuple(sequences)


def tracks_of(sequences: tuple[Sequence, ...]) -> dict[str, Track]:
    rng = np.random.default_rng(2)
    return {
        s.name: Track(rng.uniform(0, 90, (len(s), 4)).round(3), rng.uniform(0, 1, len(s)).round(8))
        for s in sequences
    }


def test_it_holds_what_the_toolkit_packs(tmp_path: Path, secret: tuple[Sequence, ...]) -> None:
    tracks = tracks_of(secret)
    experiment = ExperimentGOT10k(str(tmp_path), "test", result_dir=str(tmp_path / "results"))
    for name, track in tracks.items():
        record = Path(experiment.result_dir) / "still" / name / f"{name}_001.txt"
        experiment._record(str(record), track.boxes_xywh, track.seconds)
    experiment.report(["still"])
    write_submission(tmp_path / "still.zip", secret, tracks)

    with (
        zipfile.ZipFile(tmp_path / "results" / "GOT-10k" / "still.zip") as theirs,
        zipfile.ZipFile(tmp_path / "still.zip") as ours,
    ):
        files = [name for name in theirs.namelist() if not name.endswith("/")]
        assert sorted(ours.namelist()) == sorted(files)
        assert len(files) == 2 * len(NAMES)
        for name in files:
            assert ours.read(name) == theirs.read(name), name


def test_equal_results_give_equal_bytes(tmp_path: Path, secret: tuple[Sequence, ...]) -> None:
    tracks = tracks_of(secret)
    write_submission(tmp_path / "a.zip", secret, tracks)
    write_submission(tmp_path / "b.zip", secret[::-1], tracks)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_incomplete_submission_is_not_written(
    tmp_path: Path, secret: tuple[Sequence, ...]
) -> None:
    path, tracks = tmp_path / "still.zip", tracks_of(secret)
    with pytest.raises(DataError, match=rf"list\.txt: 2 of its 4 .* no results, first {NAMES[2]}"):
        write_submission(path, secret[:2], tracks)
    track = tracks[NAMES[1]]
    boxes = track.boxes_xywh.copy()
    boxes[2, 1] = np.nan
    for wrong, message in (
        (Track(boxes, track.seconds), "frame 3 has a box or a time that is not finite"),
        (Track(track.boxes_xywh[:3], track.seconds), "3 boxes and 4 times for 4 pictures"),
        (Track(track.boxes_xywh, track.seconds[:2]), "4 boxes and 2 times for 4 pictures"),
    ):
        with pytest.raises(DataError, match=f"{NAMES[1]}: {message}"):
            write_submission(path, secret, tracks | {NAMES[1]: wrong})
    (tmp_path / "test" / "list.txt").unlink()
    with pytest.raises(DataError, match=r"test/list\.txt: no such file; it names the sequences"):
        write_submission(path, secret, tracks)
    assert not path.exists()
    (tmp_path / "test" / "list.txt").write_text("\n".join(NAMES))
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot write"):
        write_submission(tmp_path / "file" / "still.zip", secret, tracks)


@pytest.mark.parametrize("content", ["\ufeff{}\r\n{}\r\n{}\r\n{}\r\n", "{}\n\n{}\n{}\n  {}  \n"])
def test_the_list_is_read_as_the_benchmark_reads_it(
    tmp_path: Path, secret: tuple[Sequence, ...], content: str
) -> None:
    names = [name.replace("_", " ") for name in NAMES]
    renamed = tuple(replace(s, name=name) for s, name in zip(secret, names, strict=True))
    (tmp_path / "test" / "list.txt").write_text(content.format(*names), encoding="utf-8")
    check_complete(renamed)


def test_a_campaign_without_truth_hands_over_the_zip_and_no_score(
    tmp_path: Path, secret: tuple[Sequence, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = Campaign((StillEntrant(),), secret, 1, None)
    reporting.check_plan(campaign, tmp_path / "out")
    tracks, folder = run_campaign(campaign), tmp_path / "out" / "got10k"
    reporting.hand_over(campaign, tracks, BENCHMARKS["folder"], (), folder, as_json=False)
    printed = capsys.readouterr()
    assert printed.out == f"{folder / 'still.zip'}\n"
    assert "4 sequences whose truth only the server has; upload at http://got-10k" in printed.err
    assert [path.name for path in folder.iterdir()] == ["still.zip"]
    reporting.hand_over(campaign, tracks, BENCHMARKS["folder"], (), folder, as_json=True)
    assert f'"submissions": [\n    "{folder / "still.zip"}"' in capsys.readouterr().out


def test_what_a_secret_truth_forbids(tmp_path: Path, secret: tuple[Sequence, ...]) -> None:
    campaign = Campaign((StillEntrant(),), secret, 1, None)
    with pytest.raises(UsageError, match="only the benchmark's server has .* --out DIR"):
        reporting.check_plan(campaign, None)
    with pytest.raises(UsageError, match="--starts 4: these sequences have .*; leave it at 1"):
        reporting.check_plan(replace(campaign, starts=4), tmp_path)
    with pytest.raises(DataError, match="1 of its 4 sequences have no results"):
        reporting.check_plan(replace(campaign, sequences=secret[1:]), tmp_path)
