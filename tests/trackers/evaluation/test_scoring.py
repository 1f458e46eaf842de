"""Official figures: the toolkit's own reports on the same result files, and the papers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.trackers.evaluation.campaign import Campaign
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.rules import RULES, rules_for
from binvision.trackers.evaluation.scores import TrackerScores
from binvision.trackers.evaluation.scoring import score_campaign
from binvision.trackers.evaluation.sequences import Sequence
from tests.support.official_scores import Annotated, degenerate, figures, plausible
from tests.support.sequences import StillEntrant

pytest.importorskip("got10k")
from got10k.experiments import ExperimentOTB

from tests.support.toolkit_reports import toolkit_report

EXACT = {"abs": 1e-9, "rel": 0}


def sequences(rules: str, annotated: dict[str, Annotated]) -> tuple[Sequence, ...]:
    official = rules == "got10k"
    return tuple(
        Sequence(
            name,
            layout=rules,
            frames=tuple(Path(f"{index:04d}.jpg") for index in range(len(one.truth))),
            truth_xywh=one.truth,
            origin=0,
            cover=one.cover if official else None,
            resolution_wh=one.size_wh if official else None,
        )
        for name, one in annotated.items()
    )


def ours(rules: str, annotated: dict[str, Annotated]) -> TrackerScores:
    campaign = Campaign((StillEntrant(),), sequences(rules, annotated), 1, None)
    tracks = {
        ("still", name): (Track(one.tracked, np.ones(len(one.truth))),)
        for name, one in annotated.items()
    }
    (scores,) = score_campaign(campaign, tracks, RULES[rules])
    return scores


def theirs(rules: str, annotated: dict[str, Annotated], folder: Path) -> dict[str, Any]:
    """The toolkit's report on result files in its own layout."""
    for name, one in annotated.items():
        path = folder / "results" / "still" / f"{name}.txt"
        if rules == "got10k":
            path = path.with_suffix("") / f"{name}_001.txt"
            path.parent.mkdir(parents=True)
            np.savetxt(path.parent / f"{name}_time.txt", np.ones(len(one.truth)))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, one.tracked, delimiter=",")
    truths = {name: one.truth for name, one in annotated.items()}
    covers = {name: one.cover for name, one in annotated.items()} if rules == "got10k" else None
    return toolkit_report(rules, truths, folder / "results", "still", covers=covers)


def hidden_at_times(seed: int) -> Annotated:
    """As UAV123 writes absent targets."""
    one = plausible(seed)
    truth = one.truth.copy()
    truth[one.cover == 0] = np.nan
    return replace(one, truth=truth)


def untracked_at_times(seed: int) -> Annotated:
    one = plausible(seed)
    tracked = one.tracked.copy()
    tracked[5::7, 1] = np.nan
    tracked[6::7] = np.inf
    return replace(one, tracked=tracked)


RANDOM = {f"random {seed}": plausible(seed, 20 + 7 * seed) for seed in range(12)}
CASES = {
    **{name: {name: one} for name, one in {**RANDOM, **degenerate()}.items()},
    "all together": {**RANDOM, **degenerate()},
    "not tracked at times": {f"n{seed}": untracked_at_times(seed) for seed in range(3)},
}
HIDDEN = {"hidden at times": {f"h{seed}": hidden_at_times(seed) for seed in range(4)}}


def compare_with_papers(rules: str, annotated: dict[str, Annotated]) -> None:
    scores = ours(rules, annotated)
    official = scores.official(RULES[rules])
    for name, expected in figures(rules, list(annotated.values())).items():
        found = scores.curves[name] if name == "success" else getattr(official, name)
        assert found == pytest.approx(expected, **EXACT), name


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rules", RULES)
def test_figures_follow_the_papers(rules: str, name: str) -> None:
    compare_with_papers(rules, CASES[name])


@pytest.mark.parametrize("rules", ["folder", "otb", "uav"])  # GOT-10k has covers, and no NaN
def test_figures_of_hidden_targets_follow_the_papers(rules: str) -> None:
    compare_with_papers(rules, HIDDEN["hidden at times"])


@pytest.mark.parametrize("name", CASES | HIDDEN)
@pytest.mark.parametrize("rules", ["otb", "uav"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the toolkit on inf - inf
def test_figures_equal_the_toolkits_otb_and_uav_reports(
    tmp_path: Path, rules: str, name: str
) -> None:
    annotated = (CASES | HIDDEN)[name]
    scores, report = ours(rules, annotated), theirs(rules, annotated, tmp_path)
    assert scores.mean.success_auc == pytest.approx(report["overall"]["success_score"], **EXACT)
    assert scores.mean.precision == pytest.approx(report["overall"]["precision_score"], **EXACT)
    for curve in ("success", "precision"):
        expected = report["overall"][f"{curve}_curve"]
        assert scores.curves[curve] == pytest.approx(expected, **EXACT)
    for sequence, found in scores.sequences.items():
        expected = report["seq_wise"][sequence]
        assert found.mean.success_auc == pytest.approx(expected["success_score"], **EXACT)
        assert found.mean.precision == pytest.approx(expected["precision_score"], **EXACT)


@pytest.mark.parametrize("name", [name for name in CASES if name != "not tracked at times"])
def test_figures_equal_the_toolkits_got10k_report(tmp_path: Path, name: str) -> None:
    scores, report = ours("got10k", CASES[name]), theirs("got10k", CASES[name], tmp_path)
    assert scores.pooled.ao == pytest.approx(report["overall"]["ao"], **EXACT)
    assert scores.pooled.sr50 == pytest.approx(report["overall"]["sr"], **EXACT)
    assert scores.curves["success"] == pytest.approx(report["overall"]["succ_curve"], **EXACT)
    assert scores.pooled.sr75 == pytest.approx(report["overall"]["succ_curve"][75], **EXACT)
    for sequence, found in scores.sequences.items():
        expected = report["seq_wise"][sequence]
        assert (found.mean.ao, found.mean.sr50) == pytest.approx(
            (expected["ao"], expected["sr"]), **EXACT
        )


def test_one_lost_box_does_not_hide_the_rest_as_in_the_toolkit(tmp_path: Path) -> None:
    annotated = CASES["not tracked at times"]
    report = theirs("got10k", annotated, tmp_path)
    assert np.isnan(report["overall"]["ao"])
    assert 0 < ours("got10k", annotated).pooled.ao < 1


def test_boxes_are_clipped_to_the_picture_for_got10k_alone() -> None:
    one = degenerate()["half outside"]
    wide = replace(one, truth=one.truth - [15.0, 0, 0, 0])  # 5 of its 30 pixels outside
    clipped, free = (ours(rules, {"a": wide}).mean.ao for rules in ("got10k", "folder"))
    assert clipped != pytest.approx(free, abs=1e-3)
    assert clipped == pytest.approx(figures("got10k", [wide])["ao"], **EXACT)


def test_longer_sequences_count_more_for_got10k_alone() -> None:
    good, bad = degenerate()["perfect"], degenerate()["lost"]
    short = Annotated(bad.truth[:2], bad.tracked[:2], bad.cover[:2])
    annotated = {"long": good, "short": short}
    assert ours("got10k", annotated).official(RULES["got10k"]).ao == pytest.approx(5 / 6)
    assert ours("folder", annotated).official(RULES["folder"]).ao == pytest.approx(1 / 2)
    assert ours("got10k", annotated).curves["success"][0] == pytest.approx(5 / 6)
    assert ours("otb", annotated).curves["success"][0] == pytest.approx((1 + 1 / 2) / 2)


def test_attributes_average_the_sequences_that_have_them() -> None:
    annotated = {f"s{seed}": plausible(seed, 20 + 10 * seed) for seed in range(3)}
    marks = {"s0": ("OCC", "FM"), "s1": ("FM",), "s2": ()}
    for rules in ("got10k", "otb"):
        marked = tuple(
            replace(sequence, attributes=marks[sequence.name])
            for sequence in sequences(rules, annotated)
        )
        tracks = {
            ("still", name): (Track(one.tracked, np.ones(len(one.truth))),)
            for name, one in annotated.items()
        }
        campaign = Campaign((StillEntrant(),), marked, 1, None)
        (scores,) = score_campaign(campaign, tracks, RULES[rules])
        assert list(scores.attributes) == ["FM", "OCC"]
        for attribute, names in (("OCC", ["s0"]), ("FM", ["s0", "s1"])):
            alone = ours(rules, {name: annotated[name] for name in names})
            assert scores.attributes[attribute] == alone.official(RULES[rules])


def test_nothing_to_score() -> None:
    one = degenerate()["perfect"]
    hidden = replace(one, cover=np.array([8, 0, 0, 0, 0, 0]))
    with pytest.raises(DataError, match="a: no frame after frame 1 has a visible target"):
        ours("got10k", {"a": hidden})


def test_unknown_rules() -> None:
    assert rules_for("folder", "got10k").name == "folder"
    assert rules_for("otb100", "otb").name == "otb"
    with pytest.raises(DataError, match="unknown protocol 'vot'; expected one of folder, got10k"):
        rules_for("vot2018", "vot")


def test_one_frame_alone_makes_the_toolkits_curves() -> None:
    from binvision.trackers.evaluation import metrics

    box = np.array([[10.0, 20, 30, 40]])
    otb = SimpleNamespace(nbins_iou=21, nbins_ce=51)
    success, precision = ExperimentOTB._calc_curves(
        otb, *ExperimentOTB._calc_metrics(otb, box.copy(), box.copy())
    )
    assert metrics.success_curve(metrics.overlaps(box, box)) == pytest.approx(success, **EXACT)
    errors = metrics.center_errors_px(box, box)
    assert metrics.precision_curve(errors) == pytest.approx(precision, **EXACT)
