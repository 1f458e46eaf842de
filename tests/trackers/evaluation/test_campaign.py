from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from binvision.errors import DataError, SinkError, UsageError
from binvision.media.boxes import read_boxes
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.results import ResultStore, write_atomically
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scores import TrackerScores
from binvision.trackers.evaluation.scoring import score_campaign
from tests.support.sequences import CountingEntrant, StillEntrant, moving_boxes, write_sequence

pytest.importorskip("got10k")


@pytest.fixture
def sequences(tmp_path):
    for index in range(5):
        boxes = moving_boxes(4 + index, step=0.3 * index)
        layout = ("folder", "otb")[index % 2]
        write_sequence(tmp_path / "data", f"s{index}", boxes, layout=layout)
    return find_sequences([tmp_path / "data"])


def measure(campaign: Campaign, jobs: int = 1) -> tuple[TrackerScores, ...]:
    return score_campaign(campaign, run_campaign(campaign, jobs=jobs), RULES["folder"])


def without_times(scores: tuple[TrackerScores, ...]) -> str:
    rows = json.loads(json.dumps([asdict(score) for score in scores]))
    for row in rows:
        row.pop("fps")
        for sequence in row["sequences"].values():
            sequence.pop("seconds")
    return json.dumps(rows)


@pytest.mark.parametrize("starts", [1, 4])
def test_stored_results_score_exactly_like_fresh_ones(tmp_path, sequences, starts):
    fresh = measure(Campaign((StillEntrant(),), sequences, starts, None))
    store = ResultStore(tmp_path / "out")
    campaign = Campaign((StillEntrant(),), sequences, starts, store)
    measure(campaign)
    again = measure(campaign)
    assert without_times(again) == without_times(fresh)
    assert again == measure(campaign)  # times included: nothing is measured anew


def test_processes_give_the_same_results(tmp_path, sequences):
    campaign = Campaign((StillEntrant("a"), StillEntrant("b")), sequences, 4, None)
    stored = Campaign(campaign.entrants, sequences, 4, ResultStore(tmp_path / "out"))
    expected = without_times(measure(campaign))
    assert without_times(measure(stored, jobs=2)) == expected
    assert without_times(measure(stored)) == expected


@pytest.mark.parametrize("limit", range(0, 20, 3))
def test_a_killed_campaign_goes_on_where_it_stood(tmp_path, sequences, limit):
    log, store = tmp_path / "log", ResultStore(tmp_path / "out")
    killed = CountingEntrant(log, limit)
    with pytest.raises(InterruptedError):
        run_campaign(Campaign((killed,), sequences, 4, store))
    finished = limit // 4
    calls = []
    resumed = Campaign((CountingEntrant(log),), sequences, 4, store)
    tracks = run_campaign(resumed, on_done=lambda entrant, sequence: calls.append(sequence.name))
    # Each sequence has four starts: finished ones are not started again, the rest once.
    assert killed.starts() == limit + 1 + 4 * (len(sequences) - finished)
    assert sorted(calls) == [sequence.name for sequence in sequences]
    undisturbed = Campaign((CountingEntrant(tmp_path / "log2"),), sequences, 4, None)
    assert without_times(score_campaign(resumed, tracks, RULES["folder"])) == without_times(
        measure(undisturbed)
    )


def test_half_written_files_do_not_count_as_results(tmp_path, sequences):
    store, log = ResultStore(tmp_path / "out"), tmp_path / "log"
    campaign = Campaign((CountingEntrant(log),), sequences, 4, store)
    run_campaign(campaign)
    folder = tmp_path / "out" / "counting" / "s1"
    (folder / "s1_004.txt").rename(folder / ".s1_004.txt.1234")  # killed before the rename
    run_campaign(campaign)
    assert CountingEntrant(log).starts() == 4 * (len(sequences) + 1)


def test_results_of_another_tracker_are_not_taken_over(tmp_path, sequences):
    store = ResultStore(tmp_path / "out")
    run_campaign(Campaign((StillEntrant(),), sequences, 1, store))
    changed = Campaign((StillEntrant(version=2),), sequences, 1, store)
    with pytest.raises(UsageError, match="still were made with another version; choose another"):
        run_campaign(changed)


def test_files_have_the_toolkits_layout_and_the_truths_convention(tmp_path, sequences):
    store = ResultStore(tmp_path / "out")
    run_campaign(Campaign((StillEntrant(),), sequences, 1, store))
    folder = tmp_path / "out" / "still" / "s1"
    assert sorted(path.name for path in folder.iterdir()) == ["s1_001.txt", "s1_time.txt"]
    assert (folder / "s1_001.txt").read_text() == "4.000,5.000,10.000,8.000\n" * 5
    assert np.loadtxt(folder / "s1_time.txt").shape == (5,)
    assert np.isfinite(read_boxes(folder / "s1_001.txt")).all()


def test_damaged_results_are_named(tmp_path, sequences):
    store = ResultStore(tmp_path / "out")
    campaign = Campaign((StillEntrant(),), sequences, 1, store)
    run_campaign(campaign)
    folder = tmp_path / "out" / "still" / "s0"
    boxes = (folder / "s0_001.txt").read_text()
    (folder / "s0_001.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match="s0: 1 tracked boxes for 4 frames"):
        measure(campaign)
    (folder / "s0_001.txt").write_text(boxes)
    (folder / "s0_time.txt").write_text("fast\n")
    with pytest.raises(DataError, match=r"s0_time\.txt: cannot read times"):
        measure(campaign)
    (folder / "s0_time.txt").write_text("1,1\n" * 4)
    with pytest.raises(DataError, match=r"s0_time\.txt: 2 columns of times for 1 runs"):
        measure(campaign)
    (folder.parent / "tracker.json").write_text("{")
    with pytest.raises(DataError, match=r"tracker\.json: cannot read what made these results"):
        measure(campaign)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/report\.json: cannot write: "):
        write_atomically(tmp_path / "file" / "report.json", "{}")
