from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from binvision.errors import DataError
from binvision.trackers.evaluation import tables
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.report import Report, make_report, read_report
from tests.support.reports import made_up_report
from tests.support.sequences import StillEntrant, moving_boxes, write_sequence

pytest.importorskip("got10k")


def still_overlap(step: float, frames: int) -> float:
    """AO of a box that stays while its 10 pixels wide target moves ``step`` a frame."""
    shifts = step * np.arange(1, frames)
    return float(np.mean(np.maximum(10 - shifts, 0) / (10 + np.minimum(shifts, 10))))


@pytest.fixture
def campaign(tmp_path):
    write_sequence(tmp_path / "data", "slow", moving_boxes(4, step=0.5))
    write_sequence(tmp_path / "data", "fast", moving_boxes(11, step=2), layout="otb")
    return Campaign((StillEntrant(),), find_sequences([tmp_path / "data"]), 1, None)


def measure(campaign: Campaign) -> Report:
    return make_report(campaign, run_campaign(campaign), benchmark="folder", protocol="got10k")


def test_means_over_sequences_and_over_frames(campaign):
    (score,) = measure(campaign).trackers
    slow, fast = still_overlap(0.5, 4), still_overlap(2, 11)
    assert score.mean.ao == pytest.approx((slow + fast) / 2)
    assert score.pooled.ao == pytest.approx((3 * slow + 10 * fast) / 13)
    # The first frames count in the curves: 4 and 11 frames of them.
    both = [score.sequences[name].mean.success_auc for name in ("slow", "fast")]
    assert score.mean.success_auc == pytest.approx(sum(both) / 2)
    assert score.pooled.success_auc == pytest.approx((4 * both[0] + 11 * both[1]) / 15)
    assert score.interval == pytest.approx((fast, slow))
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

    report = measure(replace(campaign, entrants=(StillEntrant(), Ahead("ahead"))))
    scores = report.trackers
    assert [score.name for score in scores] == ["ahead", "still"]
    assert scores[0].mean.ao > scores[1].mean.ao
    assert report.title == "2 sequences, one pass, 13 scored frames"
    assert report.heading == "2 sequences"

    document = json.loads(report.to_json())
    assert document["trackers"][0]["mean"]["ao"] == scores[0].mean.ao
    assert document["sequences"] == {
        "fast": {"layout": "otb", "frames": 11, "attributes": []},
        "slow": {"layout": "folder", "frames": 4, "attributes": []},
    }
    assert document["machine"]["cpu"]

    markdown = tables.markdown(report)
    first = f"| ahead | {scores[0].mean.ao:.3f} | {scores[0].mean.sr50:.3f} |"
    assert first in markdown
    slow = [score.sequences["slow"].mean.ao for score in scores]
    assert f"| slow | 4 | {slow[0]:.3f} | {slow[1]:.3f} |" in markdown
    assert "attribute" not in markdown and "Left out" not in markdown

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tables.table(report))
    text = console.export_text()
    assert f"{scores[1].mean.success_auc:.3f}" in text and "…" not in text


def test_tables_of_otb_rank_by_auc_and_know_attributes() -> None:
    report = made_up_report("otb100", "otb", {"weak": 0.3, "strong": 0.7})
    markdown = tables.markdown(report)
    strong, weak = report.trackers
    assert (strong.name, weak.name) == ("strong", "weak")
    assert "| tracker | AUC | P20 | NP | AO | SR.50 | SR.75 | 95 % of AUC | fps |" in markdown
    occluded = [f"{tracker.attributes['OCC'].success_auc:.3f}" for tracker in (strong, weak)]
    assert f"| OCC | 1 | {' | '.join(occluded)} |" in markdown
    for title in ("AUC by attribute", "P20 by attribute", "AUC by sequence", "P20 by sequence"):
        assert markdown.count(f"## {title}\n") == 1


def test_tables_of_got10k_hold_its_official_figures() -> None:
    report = made_up_report("got10k", "got10k", {"a": 0.5})
    header, _, row = tables.markdown(report).splitlines()[4:7]
    assert header == "| tracker | AO | SR.50 | SR.75 | 95 % of AO | fps |"
    (tracker,) = report.trackers
    assert tracker.pooled.ao != tracker.mean.ao
    assert row.startswith(f"| a | {tracker.pooled.ao:.3f} | {tracker.pooled.sr50:.3f} |")
    assert len(tracker.curves["success"]) == 101 and list(tracker.curves) == ["success"]


def test_what_was_left_out_is_listed(campaign) -> None:
    report = make_report(
        campaign,
        run_campaign(campaign),
        benchmark="folder",
        protocol="got10k",
        skipped=(("torn", "torn/0003.jpg: cannot\nbe | decoded"),),
    )
    assert "| torn | torn/0003.jpg: cannot be \\| decoded |" in tables.markdown(report)
    assert json.loads(report.to_json())["skipped"][0]["sequence"] == "torn"


def test_names_that_look_like_markup() -> None:
    report = made_up_report("otb100", "otb", {"a|b": 0.4, "net[bold]": 0.6})
    markdown = tables.markdown(report)
    assert "| net[bold] | " in markdown and "| a\\|b | " in markdown
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables.table(report))
    text = console.export_text()
    assert "net[bold]" in text and "a|b" in text


@pytest.mark.parametrize(
    ("benchmark", "protocol"), [("folder", "got10k"), ("got10k", "got10k"), ("uav123", "uav")]
)
def test_reading_gives_what_was_written(tmp_path: Path, benchmark: str, protocol: str) -> None:
    report = made_up_report(benchmark, protocol, {"a": 0.4, "b": 0.6})
    path = tmp_path / "report.json"
    path.write_text(report.to_json())
    assert read_report(path) == report
    document = json.loads(path.read_text())
    assert document["ranked_by"] == report.rules.ranked_by
    assert document["average"] in document["trackers"][0]
    for tracker in document["trackers"]:
        for curve, thresholds in document["thresholds"].items():
            assert len(tracker["curves"][curve]) == len(thresholds)


def damage(document: dict[str, Any], *keys: Any, value: Any = ...) -> str:
    """The document as text with the value under ``keys`` replaced, or taken out."""
    inner = document
    for key in keys[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return json.dumps(document)


FIRST = ("trackers", 0)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("format",), 1, r"report of format 1, expected 2; run its binvision eval again"),
        (("format",), ..., r"report of format None, expected 2"),
        (("starts",), "one", r"starts: expected a whole number, found 'one'"),
        (("starts",), True, r"starts: expected a whole number, found True"),
        (("machine",), ..., r"machine is missing"),
        (("machine",), [], r"machine: expected an object, found \[\]"),
        (("protocol",), "vot", r"unknown protocol 'vot'"),
        (("trackers",), [], r"no tracker in it; expected at least one"),
        (("sequences",), {}, r"no sequence in it; expected at least one"),
        ((*FIRST, "mean", "ao"), 7.5, r"a: ao: expected 0 to 1, found 7\.5"),
        ((*FIRST, "pooled", "precision"), -0.1, r"a: precision: expected 0 to 1, found -0\.1"),
        ((*FIRST, "fps"), 10**400, r"fps: expected a finite number, found 1000"),
        (("trackers",), {}, r"trackers: expected a list"),
        ((*FIRST, "mean", "ao"), "high", r"trackers\[0\]: mean: ao: expected a number, found 'hi"),
        ((*FIRST, "mean", "ao"), float("nan"), r"mean: ao: expected a finite number, found nan"),
        ((*FIRST, "interval"), [0.1], r"interval: expected 2 values, found 1"),
        ((*FIRST, "curves", "success"), [0.5], r"curves of a: expected \{.*: 21.*found \{.*: 1"),
        ((*FIRST, "sequences", "s1"), ..., r"sequences of a and of the report differ: s1"),
        ((*FIRST, "attributes", "OCC"), ..., r"attributes of a and of the report differ: OCC"),
    ],
)
def test_damaged_reports_are_refused(
    tmp_path: Path, keys: tuple[Any, ...], value: Any, message: str
) -> None:
    document = json.loads(made_up_report("otb100", "otb", {"a": 0.4}).to_json())
    path = tmp_path / "report.json"
    path.write_text(damage(document, *keys, value=value))
    with pytest.raises(DataError, match=message) as error:
        read_report(path)
    assert str(error.value).startswith(f"{path}: ") or "protocol" in message
    assert "\n" not in str(error.value)


def test_two_trackers_of_one_name(tmp_path: Path) -> None:
    document = json.loads(made_up_report("otb100", "otb", {"a": 0.4, "b": 0.5}).to_json())
    path = tmp_path / "report.json"
    path.write_text(damage(document, *FIRST, "name", value=document["trackers"][1]["name"]))
    with pytest.raises(DataError, match=r"report\.json: two trackers are called a$"):
        read_report(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_files_that_are_no_report(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"report\.json: (cannot read a report|report of format)"):
        read_report(path)
    with pytest.raises(DataError, match=r"gone\.json: cannot read a report: .*No such file"):
        read_report(tmp_path / "gone.json")
