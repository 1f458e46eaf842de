from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from binvision.errors import SourceError, TrackingError, UsageError
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.results import ResultStore
from binvision.trackers.evaluation.rules import RULES
from binvision.trackers.evaluation.scores import TrackerScores
from binvision.trackers.evaluation.scoring import score_campaign
from tests.support.campaigns import MishapEntrant, Recorder
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
    with pytest.raises(KeyboardInterrupt):
        run_campaign(Campaign((killed,), sequences, 4, store))
    finished = limit // 4
    watch = Recorder()
    resumed = Campaign((CountingEntrant(log),), sequences, 4, store)
    tracks = run_campaign(resumed, watch=watch)
    # Each sequence has four starts: finished ones are not started again, the rest once.
    assert killed.starts() == limit + 1 + 4 * (len(sequences) - finished)
    assert watch.finished == [f"counting on s{index}" for index in range(finished)]
    assert watch.frames == {str(job): job.frames for job in resumed.jobs()[finished:]}
    undisturbed = Campaign((CountingEntrant(tmp_path / "log2"),), sequences, 4, None)
    assert without_times(score_campaign(resumed, tracks, RULES["folder"])) == without_times(
        measure(undisturbed)
    )


def test_results_of_another_tracker_are_not_taken_over(tmp_path, sequences):
    store = ResultStore(tmp_path / "out")
    run_campaign(Campaign((StillEntrant(),), sequences, 1, store))
    changed = Campaign((StillEntrant(version=2),), sequences, 1, store)
    with pytest.raises(UsageError, match="still were made with another version; choose another"):
        run_campaign(changed)


def test_a_sequence_that_fails_ends_the_campaign_or_is_left_out(tmp_path, sequences):
    sequences[2].frames[1].write_bytes(b"no picture")
    store = ResultStore(tmp_path / "out")
    campaign = Campaign((StillEntrant(),), sequences, 1, store)
    with pytest.raises(
        SourceError, match=r"^still on s2: .*/s2/0002\.jpg: cannot be .*; --keep-going"
    ):
        run_campaign(campaign)
    faults = {}
    tracks = run_campaign(campaign, on_fault=lambda job, error: faults.update({str(job): error}))
    assert list(faults) == ["still on s2"]
    assert [name for _, name in tracks] == ["s0", "s1", "s3", "s4"]
    assert not store.is_finished("still", "s2", 1)
    assert [s.name for s in campaign.without({"s2"}).sequences] == ["s0", "s1", "s3", "s4"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_tracker_that_fails_is_named_with_the_picture(tmp_path, sequences, jobs):
    unlucky = MishapEntrant(tmp_path / "log", left=3, kind="raise", times=9)  # OTB's 4, from 0
    picture = sequences[1].frames[1]
    message = f"^unlucky on s1: {picture}: the tracker fails in this frame: ArithmeticError: cannot"
    with pytest.raises(TrackingError, match=message):
        run_campaign(Campaign((unlucky,), sequences[:3], 1, None), jobs=jobs)


def test_what_another_campaign_finishes_meanwhile_is_taken_over(tmp_path, sequences):
    """The other one runs as a whole while this one does its first sequence."""
    store, log = ResultStore(tmp_path / "out"), tmp_path / "log"
    other = Campaign((CountingEntrant(log),), sequences, 1, store)

    class Meanwhile(CountingEntrant):
        def build(self):
            run_campaign(other)
            return super().build()

    tracks = run_campaign(Campaign((Meanwhile(log),), sequences, 1, store))
    # The first was begun and done by both; the first that finished stands, for both.
    assert other.entrants[0].starts() == len(sequences) + 1
    again = run_campaign(other)
    assert list(again) == list(tracks)
    for key, (track,) in tracks.items():
        np.testing.assert_array_equal(track.boxes_xywh, again[key][0].boxes_xywh)
        np.testing.assert_array_equal(track.seconds, again[key][0].seconds)
