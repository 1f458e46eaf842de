"""compare through the real command line, on reports of made-up tracks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from binvision.trackers.evaluation.metrics import bootstrap_interval
from binvision.trackers.evaluation.report import Report
from tests.support import point_benchmarks as trees
from tests.support.landmark_models import write_chart_model
from tests.support.reports import made_up_report

pytest.importorskip("got10k")


def write(report: Report, folder: Path) -> Path:
    folder.mkdir(parents=True)
    path = folder / "report.json"
    path.write_text(report.to_json())
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write(made_up_report("otb100", "otb", {"ours": 0.6, "mil": 0.3}), tmp_path / "a" / "otb"),
        write(made_up_report("otb100", "otb", {"csrt": 0.5, "kcf": 0.2}), tmp_path / "b" / "otb"),
    )


def test_one_ranking_of_all_trackers(command: Any, pair: tuple[Path, Path]) -> None:
    done = command("compare", *map(str, pair))
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    names = [row[0] for row in rows if row and row[0] in ("ours", "mil", "csrt", "kcf")]
    assert names == ["ours", "csrt", "mil", "kcf"]
    assert "AUC    P20     NP     AO" in done.out
    assert command("compare", *(str(path.parent) for path in pair)).out == done.out


def test_files_and_json(command: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    markdown, plot = tmp_path / "out" / "both.md", tmp_path / "out" / "both.svg"
    done = command(
        "compare", *map(str, pair), "--json", "--markdown", str(markdown), "--plot", str(plot)
    )
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert [tracker["name"] for tracker in document["trackers"]] == ["ours", "csrt", "mil", "kcf"]
    assert [source["path"] for source in document["sources"]] == list(map(str, pair))
    assert document["sources"][1]["trackers"] == ["csrt", "kcf"]
    assert document["sources"][0]["machine"]["cpu"]
    assert document["benchmark"] == "otb100" and "machine" not in document
    before = {
        tracker["name"]: tracker
        for path in pair
        for tracker in json.loads(path.read_text())["trackers"]
    }
    assert {tracker["name"]: tracker for tracker in document["trackers"]} == before

    text = markdown.read_text()
    for heading in ("## AUC by attribute", "## P20 by sequence", "## Reports"):
        assert f"{heading}\n\n|" in text
    assert "| sequence | frames | ours | csrt | mil | kcf |" in text
    assert f"| csrt, kcf | {pair[1]} | {document['sources'][1]['date']} |" in text
    assert all(name in plot.read_text() for name in ("ours", "mil", "csrt", "kcf"))


def test_trackers_of_one_name_are_told_apart(command: Any, tmp_path: Path) -> None:
    paths = [
        write(made_up_report("otb100", "otb", {"net": q, f"x{q}": 0.4}), tmp_path / name / "otb")
        for name, q in (("old", 0.3), ("new", 0.6))
    ]
    out = command("compare", *map(str, paths)).out
    assert out.index("net (new)") < out.index("x0.6") < out.index("net (old)")
    assert not re.search(r"^ *net +\d", out, re.MULTILINE)


def test_speeds_of_different_machines_are_pointed_out(
    command: Any, pair: tuple[Path, Path]
) -> None:
    document = json.loads(pair[1].read_text())
    document["machine"]["cpu"] = "another"
    pair[1].write_text(json.dumps(document))
    done = command("compare", *map(str, pair))
    assert done.code == 0 and "ours" in done.out
    assert done.err == "note: measured on different CPUs, so fps cannot be compared\n"


def test_differences_are_taken_sequence_by_sequence(command: Any, pair: tuple[Path, Path]) -> None:
    """Also where the second report lists its sequences in another order."""
    document = json.loads(pair[1].read_text())
    for tracker in document["trackers"]:
        tracker["sequences"] = dict(reversed(tracker["sequences"].items()))
    pair[1].write_text(json.dumps(document))
    done = command("compare", *map(str, pair), "--against", "csrt", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    auc = {
        tracker["name"]: {n: s["mean"]["success_auc"] for n, s in tracker["sequences"].items()}
        for tracker in found["trackers"]
    }
    assert found["against"] == "csrt"
    assert [one["name"] for one in found["differences"]] == ["ours", "mil", "kcf"]
    for one in found["differences"]:
        apart = [auc[one["name"]][name] - own for name, own in auc["csrt"].items()]
        assert one["mean"] == pytest.approx(sum(apart) / len(apart))
        assert one["ahead"] == sum(value > 0 for value in apart)
        low, high = one["interval"]
        assert low <= one["mean"] <= high
        assert (low, high) == bootstrap_interval(apart)
    shown = command("compare", *map(str, pair), "--against", "csrt").out
    assert "AUC less that of csrt" in shown
    assert re.search(rf"ours +\+0\.\d+ .* {found['differences'][0]['ahead']} of", shown)


def test_differences_to_nobody(command: Any, pair: tuple[Path, Path]) -> None:
    fails(command("compare", *map(str, pair), "--against", "goturn"), 2, "no tracker is called got")


def test_one_report_alone_is_shown(command: Any, pair: tuple[Path, Path]) -> None:
    done = command("compare", str(pair[0]))
    assert done.code == 0 and "csrt" not in done.out and "ours" in done.out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": "otb50"}, r"benchmark otb50, but \S*a/otb/report\.json has benchmark otb1"),
        ({"protocol": "uav"}, r"protocol uav, but .* has protocol otb; only reports of the same"),
        ({"starts": 4}, "starts 4, but .* has starts 1; only reports of the same starts"),
    ],
)
def test_different_measurements_are_not_mixed(
    command: Any, pair: tuple[Path, Path], changes: dict[str, Any], message: str
) -> None:
    document = json.loads(pair[1].read_text())
    pair[1].write_text(json.dumps(document | changes))
    fails(command("compare", *map(str, pair)), 2, rf"^error: \S*b/otb/report\.json: {message}")


def test_different_sequences_are_not_mixed(command: Any, pair: tuple[Path, Path]) -> None:
    document = json.loads(pair[1].read_text())
    document["sequences"]["s1"]["frames"] += 1
    pair[1].write_text(json.dumps(document))
    fails(command("compare", *map(str, pair)), 2, "its sequences differ from those of .*: s1; comp")
    document["sequences"]["s1"]["frames"] -= 1
    document["trackers"][0]["sequences"]["s0"]["mean"]["frames"] -= 1  # other annotations
    pair[1].write_text(json.dumps(document))
    fails(command("compare", *map(str, pair)), 2, "its sequences differ from those of .*: s0; comp")
    for part in (document, *document["trackers"]):
        part["sequences"]["t9"] = part["sequences"].pop("s2")
    pair[1].write_text(json.dumps(document))
    fails(command("compare", *map(str, pair)), 2, "s0 and 2 more; compare reports of the same")


def test_wrong_use_and_damaged_files(command: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = map(str, pair)
    fails(command("compare"), 2, "REPORT")
    fails(command("compare", first, str(pair[0].parent)), 2, "report.json: given twice")
    fails(command("compare", first, "--plot", str(tmp_path / "a.pdf")), 2, r"\.png or \.svg")
    fails(command("compare", first, str(tmp_path / "gone.json")), 1, "gone.json: cannot read a re")
    document = json.loads(pair[1].read_text())
    pair[1].write_text(json.dumps(document | {"format": 1}))
    fails(command("compare", first, second), 1, "report of format 1, expected 2; run its binvision")
    pair[1].write_text(pair[0].read_text()[:-100])
    markdown = tmp_path / "both.md"
    fails(command("compare", first, second, "--markdown", str(markdown)), 1, "cannot read a report")
    assert not markdown.exists()


def fails(done: Any, code: int, message: str) -> None:
    assert done.code == code, done
    assert re.search(message, done.err), done.err
    assert done.out == "" and done.err.count("\n") == 1 and "Traceback" not in done.err


def test_reports_of_points(command: Any, tmp_path: Path) -> None:
    trees.write_300w(tmp_path / "300w", ["ibug"])
    model = write_chart_model(tmp_path / "chart.safetensors")
    for name, noise in (("exact", "0"), ("shaken", "0.1")):
        done = command(
            "eval", "300w", tmp_path / "300w", "--model", model, "--box-noise", noise,
            "--out", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0
    folders = (tmp_path / "exact", tmp_path / "shaken")
    markdown, plot = tmp_path / "both.md", tmp_path / "both.svg"
    done = command("compare", *folders, "--markdown", markdown, "--plot", plot)
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines() if "inter-ocular" in line]
    assert [row[:2] for row in rows[:2]] == [["chart", "(exact)"], ["chart", "(shaken)"]]
    assert "moved and scaled at random by up to 10%" in markdown.read_text()
    assert "chart (shaken)" in plot.read_text()
    document = json.loads(command("compare", *folders, "--json").out)
    assert [report["name"] for report in document["reports"]] == [
        "chart (exact)",
        "chart (shaken)",
    ]
    fails(command("compare", *folders, "--against", "chart"), 2, "--against is for trackers")
    given = json.loads((folders[1] / "report.json").read_text())
    assert document["reports"][1]["scores"] == given["scores"]

    given["subjects"] = 7
    (folders[1] / "report.json").write_text(json.dumps(given))
    done = command("compare", *folders)
    assert done.code == 2 and "subjects 7, but" in done.err
    given["format"] = 0
    (folders[1] / "report.json").write_text(json.dumps(given))
    done = command("compare", *folders)
    assert done.code == 1 and "no report of points of format 1" in done.err
