"""The toolkit reports from the files of a real evaluation what report.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from binvision.cli.app import main
from binvision.trackers.evaluation.benchmarks import BENCHMARKS
from tests.support.benchmark_trees import Clip, Uav, write_got10k, write_otb, write_uav

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k

from tests.support.toolkit_reports import toolkit_report

EXACT = {"abs": 1e-9, "rel": 0}


def evaluate(benchmark: str, root: Path, out: Path) -> dict[str, Any]:
    """Evaluate MIL on what is there of a benchmark; returns report.json's only tracker."""
    with pytest.raises(SystemExit):
        main(["eval", benchmark, "--root", str(root), "--rival", "mil", "--out", str(out),
              "--keep-going"])  # fmt: skip
    report = json.loads((out / benchmark / "report.json").read_text())
    (tracker,) = report["trackers"]
    return tracker


def test_got10k(tmp_path: Path, clip: Clip) -> None:
    names = [f"GOT-10k_Val_{number:06d}" for number in range(1, 4)]
    write_got10k(tmp_path / "GOT-10k", clip, "val", names, frames=9)
    tracker = evaluate("got10k", tmp_path / "GOT-10k", tmp_path / "out")
    experiment = ExperimentGOT10k(
        str(tmp_path / "GOT-10k"), "val", str(tmp_path / "out" / "results"), str(tmp_path / "r")
    )
    experiment.plot_curves = lambda *names: None
    theirs = experiment.report(["mil"])["mil"]
    assert tracker["pooled"]["ao"] == pytest.approx(theirs["overall"]["ao"], **EXACT)
    assert tracker["pooled"]["sr50"] == pytest.approx(theirs["overall"]["sr"], **EXACT)
    assert tracker["curves"]["success"] == pytest.approx(theirs["overall"]["succ_curve"], **EXACT)
    assert 0.3 < tracker["pooled"]["ao"] < 1  # it tracks, so that there is something to compare


@pytest.mark.parametrize(("benchmark", "results"), [("otb100", "OTB2015"), ("uav123", "UAV123")])
def test_otb_and_uav(tmp_path: Path, clip: Clip, benchmark: str, results: str) -> None:
    chosen, root = BENCHMARKS[benchmark], tmp_path / "tree"
    if chosen.protocol == "otb":
        write_otb(root, clip, ["Crossing", "Football1", "Jogging"])
    else:
        write_uav(root, clip, chosen.title, [Uav("uav6", "uav6", 1, 109)])
    tracker = evaluate(benchmark, root, tmp_path / "out")
    found = chosen.find([root], keep_going=True)
    theirs = toolkit_report(
        chosen.protocol,
        {sequence.name: sequence.truth_xywh for sequence in found.sequences},
        tmp_path / "out" / "results" / results,
        "mil",
    )
    assert tracker["mean"]["success_auc"] == pytest.approx(
        theirs["overall"]["success_score"], **EXACT
    )
    for curve in ("success", "precision"):
        assert tracker["curves"][curve] == pytest.approx(
            theirs["overall"][f"{curve}_curve"], **EXACT
        )
    assert set(tracker["sequences"]) == set(theirs["seq_wise"])
    assert 0.3 < tracker["mean"]["success_auc"] < 20 / 21
