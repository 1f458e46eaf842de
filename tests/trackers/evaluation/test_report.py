from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from binvision.trackers.evaluation import report
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.results import ResultStore
from binvision.trackers.evaluation.sequences import find_sequences
from tests.support.sequences import StillEntrant, moving_boxes, write_sequence

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k


def still_overlap(step: float, frames: int) -> float:
    """AO of a box that stays while its 10 pixels wide target moves ``step`` a frame."""
    shifts = step * np.arange(1, frames)
    return float(np.mean(np.maximum(10 - shifts, 0) / (10 + np.minimum(shifts, 10))))


@pytest.fixture
def campaign(tmp_path):
    write_sequence(tmp_path / "data", "slow", moving_boxes(4, step=0.5))
    write_sequence(tmp_path / "data", "fast", moving_boxes(11, step=2), layout="otb")
    return Campaign((StillEntrant(),), find_sequences([tmp_path / "data"]), 1, None)


def test_means_over_sequences_and_over_frames(campaign):
    (score,) = report.score_campaign(campaign, run_campaign(campaign))
    slow, fast = still_overlap(0.5, 4), still_overlap(2, 11)
    assert score.mean.ao == pytest.approx((slow + fast) / 2)
    assert score.ao_pooled == pytest.approx((3 * slow + 10 * fast) / 13)
    assert score.ao_interval == pytest.approx((fast, slow))
    assert score.mean.frames == 13
    seconds = sum(sequence.seconds for sequence in score.sequences.values())
    assert score.fps == pytest.approx(13 / seconds)


def test_trackers_are_ranked_and_every_table_agrees(campaign):
    class Ahead(StillEntrant):
        """Holds a box where the target will be, so that it is the better one."""

        def build(self):
            tracker = super().build()
            start = tracker.init
            tracker.init = lambda frame, box: start(frame, (box[0] + 1, *box[1:]))
            return tracker

    pair = Campaign((StillEntrant(), Ahead("ahead")), campaign.sequences, 1, None)
    scores = report.score_campaign(pair, run_campaign(pair))
    assert [score.name for score in scores] == ["ahead", "still"]
    assert scores[0].mean.ao > scores[1].mean.ao

    document = json.loads(json.dumps(report.to_json(pair, scores, "folder")))
    assert document["trackers"][0]["mean"]["ao"] == scores[0].mean.ao
    assert document["sequences"] == {
        "fast": {"layout": "otb", "frames": 11},
        "slow": {"layout": "folder", "frames": 4},
    }
    assert document["machine"]["cpu"]

    markdown = report.markdown(scores, "two trackers")
    first = f"| ahead | {scores[0].mean.ao:.3f} | {scores[0].mean.sr50:.3f} |"
    assert first in markdown
    slow = [score.sequences["slow"].mean.ao for score in scores]
    assert f"| slow | {slow[0]:.3f} | {slow[1]:.3f} |" in markdown

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table(scores, "two trackers"))
    text = console.export_text()
    assert f"{scores[1].mean.success_auc:.3f}" in text and "…" not in text


def test_the_toolkit_reads_our_files_and_finds_the_same(tmp_path):
    """Ground truth in GOT-10k's official layout, our result files, the toolkit's own report."""
    for name, step in (("GOT-10k_Val_000001", 0.5), ("GOT-10k_Val_000002", 1.0)):
        folder = write_sequence(tmp_path / "val", name, moving_boxes(9, step))
        (folder / "absence.label").write_text("0\n" * 9)
        (folder / "cut_by_image.label").write_text("0\n" * 9)
        (folder / "cover.label").write_text("8\n" * 9)
        (folder / "meta_info.ini").write_text("[METAINFO]\nresolution: (48, 32)\n")
    (tmp_path / "val" / "list.txt").write_text("GOT-10k_Val_000001\nGOT-10k_Val_000002\n")

    store = ResultStore(tmp_path / "out" / "folder")
    campaign = Campaign((StillEntrant(),), find_sequences([tmp_path / "val"]), 1, store)
    (ours,) = report.score_campaign(campaign, run_campaign(campaign))

    experiment = ExperimentGOT10k(str(tmp_path), "val", report_dir=str(tmp_path / "reports"))
    experiment.result_dir = str(tmp_path / "out" / "folder")
    experiment.plot_curves = lambda *args: None
    theirs = experiment.report(["still"])["still"]
    assert ours.ao_pooled == pytest.approx(theirs["overall"]["ao"], abs=1e-9)
    for name, sequence in ours.sequences.items():
        assert sequence.mean.ao == pytest.approx(theirs["seq_wise"][name]["ao"], abs=1e-9)
        assert sequence.mean.sr50 == pytest.approx(theirs["seq_wise"][name]["sr"], abs=1e-9)
