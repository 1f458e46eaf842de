"""Every benchmark end to end: the real command line on a small tree in its official layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from binvision import runtime
from binvision.cli.app import main
from binvision.trackers.evaluation.toolkit_lists import otb_folders, uav_spans
from tests.support.benchmark_trees import Clip, Uav, write_got10k, write_otb, write_uav
from tests.support.packed import small_model

pytest.importorskip("got10k")
from got10k.experiments import ExperimentGOT10k, ExperimentOTB, ExperimentUAV123

# Of a network of stride 8, so small that thousands of frames take seconds.
SETTINGS = {
    "exemplar_size": 63, "search_size": 79, "exemplar_crop": 4, "stride": 8, "scale_count": 1,
    "response_scale": 0.01, "response_bias": 0.0, "response_up": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    runtime.save(path, small_model(settings=SETTINGS, channels=16))
    return path


@pytest.fixture
def run(model: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Evaluate the small model; returns exit code, stdout, lines of stderr."""

    def call(benchmark: str, root: Path, *options: str | Path) -> tuple[int, str, list[str]]:
        arguments = [benchmark, "--root", root, "--model", model, *options]
        with pytest.raises(SystemExit) as exit_:
            main(["eval", *map(str, arguments)])
        captured = capsys.readouterr()
        lines = [line for line in captured.err.splitlines() if "compil" not in line]
        return int(exit_.value.code or 0), captured.out, lines

    return call


@pytest.fixture(scope="module")
def otb(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    return write_otb(tmp_path_factory.mktemp("OTB"), clip, otb_folders("OTB100"))


@pytest.mark.parametrize(("benchmark", "count"), [("otb2013", 51), ("otb50", 50), ("otb100", 100)])
def test_otb(run: Any, otb: Path, benchmark: str, count: int) -> None:
    code, out, errors = run(benchmark, otb, "--json")
    assert (code, errors) == (0, [])
    report = json.loads(out)
    assert (report["benchmark"], report["protocol"]) == (benchmark, "otb")
    (tracker,) = report["trackers"]
    assert len(report["sequences"]) == len(tracker["sequences"]) == count
    assert report["skipped"] == []
    assert {"Jogging.1", "Jogging.2"} <= set(report["sequences"]) or benchmark == "otb50"
    assert {"Skating2.1", "Skating2.2"} <= set(report["sequences"]) or benchmark == "otb2013"
    assert 0 < tracker["mean"]["success_auc"] <= 1


def test_otb_in_part(run: Any, tmp_path: Path, clip: Clip) -> None:
    write_otb(tmp_path / "OTB", clip, ["Crossing", "Tiger1"])
    code, out, errors = run("otb100", tmp_path / "OTB")
    assert (code, out) == (1, "")
    assert (
        len(errors) == 1 and "96 of the 98 folders of OTB100 are missing: Basketball," in errors[0]
    )
    code, out, errors = run("otb100", tmp_path / "OTB", "--keep-going", "--json")
    report = json.loads(out)
    assert code == 1 and sorted(report["sequences"]) == ["Crossing", "Tiger1"]
    assert len(report["skipped"]) == 96
    assert errors[0].startswith("skipped: Basketball: ") and len(errors) == 97
    assert errors[-1].startswith("96 of 98 sequences were skipped: Basketball, Biker, Bird1, ")
    assert report["trackers"][0]["sequences"]["Tiger1"]["mean"]["frames"] == 348  # of frames 6..354
    assert sorted(report["trackers"][0]["attributes"]) == ["BC", "DEF", "FM", "OPR", "SV"]


def test_got10k(run: Any, tmp_path: Path, clip: Clip) -> None:
    names = [f"GOT-10k_Val_{number:06d}" for number in range(1, 4)]
    write_got10k(tmp_path / "GOT-10k", clip, "val", names)
    code, out, errors = run("got10k", tmp_path / "GOT-10k", "--json")
    assert (code, errors) == (0, [])
    report = json.loads(out)
    assert sorted(report["sequences"]) == names and report["protocol"] == "got10k"
    (tracker,) = report["trackers"]
    assert tracker["pooled"]["frames"] == 3 * 4  # without the first and the hidden one
    assert sorted(tracker["attributes"]) == ["animal", "swimming"]
    code, out, errors = run("got10k", tmp_path / "GOT-10k", "--split", "test")
    assert code == 1 and "test: no such folder" in errors[0]


def test_got10k_test_is_packed_for_the_server(run: Any, tmp_path: Path, clip: Clip) -> None:
    names = [f"GOT-10k_Test_{number:06d}" for number in range(1, 181)]
    write_got10k(tmp_path / "GOT-10k", clip, "test", names, frames=3)
    code, out, _ = run("got10k", tmp_path / "GOT-10k", "--out", tmp_path / "out")
    assert code == 0
    assert Path(out.splitlines()[0]).suffix == ".zip" and Path(out.splitlines()[0]).is_file()
    code, out, errors = run("got10k", tmp_path / "GOT-10k")
    assert code == 2 and "only the benchmark's server has the truth" in errors[0]
    code, out, errors = run(
        "got10k", tmp_path / "GOT-10k", "--out", tmp_path / "out", "--starts", "4"
    )
    assert code == 2 and "--starts 4: these sequences have a true box in their first" in errors[0]


@pytest.mark.parametrize(
    ("benchmark", "title", "part"),
    [
        ("uav123", "UAV123", Uav("uav6", "uav6", 1, 109)),
        ("uav123_10fps", "UAV123_10fps", Uav("bird1_2", "bird1", 259, 493)),
        ("uav20l", "UAV20L", Uav("car3", "car3", 1, 1717)),
    ],
)
def test_uav(run: Any, tmp_path: Path, clip: Clip, benchmark: str, title: str, part: Uav) -> None:
    root = write_uav(tmp_path / title, clip, title, [part])
    listed = len(uav_spans(title))
    code, out, errors = run(benchmark, root)
    assert (code, out) == (1, "")
    assert f"{listed - 1} of the {listed} sequences of {title} are missing: " in errors[0]
    code, out, errors = run(benchmark, root, "--keep-going", "--json")
    assert code == 1 and f"{listed - 1} of {listed} sequences were skipped: " in errors[-1]
    report = json.loads(out)
    assert list(report["sequences"]) == [part.name] and report["protocol"] == "uav"
    assert report["sequences"][part.name]["attributes"] == ["SV", "FM", "SOB"]
    (tracker,) = report["trackers"]
    assert tracker["sequences"][part.name]["mean"]["frames"] == part.last - part.first - 1
    assert sorted(tracker["attributes"]) == ["FM", "SOB", "SV"]


# On frames that nobody tracked the toolkit computes with NaN.
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("benchmark", ["otb100", "uav20l", "got10k"])
def test_the_toolkits_own_report_agrees(
    run: Any, tmp_path: Path, clip: Clip, otb: Path, benchmark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its dataset classes read the tree, and its experiments our result files."""
    kind, version, figure, root = {
        "otb100": (ExperimentOTB, 2015, "success_score", otb),
        "uav20l": (ExperimentUAV123, "UAV20L", "success_score", tmp_path / "UAV"),
        "got10k": (ExperimentGOT10k, "val", "ao", tmp_path / "GOT-10k"),
    }[benchmark]
    write_uav(tmp_path / "UAV", clip, "UAV20L", [Uav("car3", "car3", 1, 1717)])
    write_got10k(tmp_path / "GOT-10k", clip, "val", ["a", "b"])
    code, text, _ = run(benchmark, root, "--out", tmp_path / "out", "--keep-going", "--json")
    assert code == (1 if benchmark == "uav20l" else 0)
    (tracker,) = json.loads(text)["trackers"]
    ours = {
        name: scores["mean"]["ao" if figure == "ao" else "success_auc"]
        for name, scores in tracker["sequences"].items()
    }

    monkeypatch.setattr(kind, "plot_curves", lambda *_: None)
    monkeypatch.setattr("got10k.datasets.otb.download", None)
    experiment = kind(str(root), version, str(tmp_path / "out/results"), str(tmp_path / "theirs"))
    report = experiment.report(["small"])["small"]["seq_wise"]
    theirs = {name: scores[figure] for name, scores in report.items()}
    if benchmark == "otb100":
        # Its first frame is a hit to the toolkit, and the four that we do not track are misses.
        ours["Tiger1"] = (20 / 21 + 349 * ours["Tiger1"]) / 354
    assert ours == pytest.approx(theirs, abs=1e-9)
