from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from binvision.errors import SinkError, UsageError
from binvision.trackers.evaluation import plots
from binvision.trackers.evaluation.report import Report
from tests.support.reports import made_up_report
from tests.support.repository import ROOT

pytest.importorskip("got10k")
pytest.importorskip("matplotlib")

TRACKERS = {"weak": 0.3, "strong": 0.8, "_odd $name$": 0.5}


def texts(svg: Path) -> list[str]:
    """Matplotlib draws letters as paths, each text after a comment that holds it."""
    return [text.strip() for text in re.findall(r"<!--(.*?)-->", svg.read_text())]


def legend(report: Report, figure: str) -> list[str]:
    scores = [(getattr(t.official(report.rules), figure), t.name) for t in report.trackers]
    return [f"{score:.3f}  {name}" for score, name in sorted(scores, reverse=True)]


@pytest.mark.parametrize(
    ("benchmark", "protocol", "figures"),
    [
        ("got10k", "got10k", {"success": "ao"}),
        (
            "otb100",
            "otb",
            {
                "success": "success_auc",
                "precision": "precision",
                "normalised_precision": "normalised_precision",
            },
        ),
    ],
)
def test_each_plot_ranks_its_legend_by_its_figure(
    tmp_path: Path, benchmark: str, protocol: str, figures: dict[str, str]
) -> None:
    report = made_up_report(benchmark, protocol, TRACKERS)
    paths = plots.write_plots(report, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert {path.stem for path in paths} == set(figures)
    for curve, figure in figures.items():
        drawn = texts(tmp_path / f"{curve}.svg")
        expected = legend(report, figure)
        assert [text for text in drawn if text in expected] == expected
        assert any(report.heading in text for text in drawn)
        picture = cv2.imread(str(tmp_path / f"{curve}.png"))
        assert picture is not None and picture.shape[1] == 840
        assert picture.std() > 10  # not blank


def test_the_same_report_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    report = made_up_report("otb100", "otb", TRACKERS)
    plots.write_plots(report, tmp_path / "here")
    script = (
        "import sys; from pathlib import Path\n"
        "from binvision.trackers.evaluation.plots import write_plots\n"
        "from binvision.trackers.evaluation.report import read_report\n"
        "write_plots(read_report(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    (tmp_path / "report.json").write_text(report.to_json())
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "report.json"), str(tmp_path / "there")],
        check=True,
        cwd=ROOT,
    )
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert len(names) == 6
    for name in names:
        ours, others = ((tmp_path / side / name).read_bytes() for side in ("here", "there"))
        assert ours == others, name
    assert "date" not in (tmp_path / "here" / "success.svg").read_text().lower()


def test_all_curves_in_one_picture(tmp_path: Path) -> None:
    report = made_up_report("otb100", "otb", TRACKERS)
    plots.write_plot(report, tmp_path / "all.svg")
    drawn = texts(tmp_path / "all.svg")
    for figure in ("success_auc", "precision", "normalised_precision"):
        assert set(legend(report, figure)) <= set(drawn)
    plots.write_plot(report, tmp_path / "all.PNG")
    assert cv2.imread(str(tmp_path / "all.PNG")).shape[1] == 3 * 840


def test_more_trackers_than_colours_stay_apart(tmp_path: Path) -> None:
    report = made_up_report("otb100", "otb", {f"t{i:02d}": 0.3 + i / 40 for i in range(20)})
    plots.write_plots(report, tmp_path)
    svg = (tmp_path / "success.svg").read_text()
    curves = set(re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="(fill: none;[^"]*)"', svg))
    assert len({style for style in curves if "stroke-width: 1.8" in style}) == 20


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    report = made_up_report("otb100", "otb", TRACKERS)
    with pytest.raises(UsageError, match=r"all\.pdf: expected a name that ends in \.png or \.svg"):
        plots.write_plot(report, tmp_path / "all.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/success\.png: cannot write"):
        plots.write_plots(report, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
