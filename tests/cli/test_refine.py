"""``binvision refine`` as a user runs it: a file that finds points better, and each bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from binvision import runtime
from binvision.cli.app import main
from binvision.landmarks import PointEstimator
from tests.support.detection_models import write_detector
from tests.support.landmark_models import write_chart_model
from tests.support.stretched_charts import mean_error, write_stretched_charts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, pictures that teach it, and others."""
    folder = tmp_path_factory.mktemp("refine")
    write_chart_model(folder / "chart.safetensors", accuracy={"NME": 4.0})
    write_stretched_charts(folder / "some", 60)
    write_stretched_charts(folder / "others", 10, seed=1)
    write_stretched_charts(folder / "few", 4)
    write_detector(folder / "detector.safetensors")
    (folder / "no.json").write_text("[]")
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(exit_.value.code or 0), captured.out, captured.err


def test_refined_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "refined.safetensors"
    code, text, _ = call(
        capsys, "refine", folder / "chart.safetensors", "-o", out, "--faces", folder / "some",
        "--crops", 1, "--seed", 3,
    )  # fmt: skip
    model = runtime.load(out)
    assert code == 0
    assert f"{out}: {out.stat().st_size:,} bytes" in text
    assert "(60 pictures, 60 crops)" in text
    # What was measured without the correction is not true of the new file.
    assert model.name == "refined" and model.accuracy == {}
    record = model.provenance["refined"]
    assert record["sets"] == ["some"] and record["seed"] == 3
    assert record["error_after"] < record["error_before"]
    before, after = (
        mean_error(PointEstimator(folder / name), folder / "others")
        for name in ("chart.safetensors", "refined.safetensors")
    )
    assert after < 0.8 * before

    # A refined model is refined anew, not on top.
    again = folder / "again.safetensors"
    call(
        capsys, "refine", out, "-o", again, "--faces", folder / "some", "--crops", 1, "--seed", 3,
        "--name", "refined",
    )  # fmt: skip
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message", "expected"),
    [
        (["chart.safetensors"], "nothing to learn from: give --faces, or --data", 2),
        (["detector.safetensors", "--faces", "some"], "only points can be refined", 1),
        (["chart.safetensors", "--faces", "few"], "4 pictures with all 68 points", 1),
        (["chart.safetensors", "--faces", "nowhere"], "nowhere", 1),
        (["chart.safetensors", "--data", "no.json"], "no.json", 1),
        (["none.safetensors", "--faces", "some"], "none.safetensors", 1),
        (["chart.safetensors", "--faces", "some", "--accuracy", "gone"], "--accuracy gone", 2),
    ],
)
def test_bad_input(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
    expected: int,
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = call(capsys, "refine", *arguments, "-o", "new.safetensors")
    lines = [line for line in err.splitlines() if line.startswith("error")]
    assert code == expected and out == "" and not Path("new.safetensors").exists()
    assert len(lines) == 1 and message in lines[0]


def test_sets_of_other_points_teach_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_chart_model(
        folder / "people.safetensors", settings={"scheme": "pose14"}, name="people"
    )
    code, _, err = call(
        capsys, "refine", model, "-o", folder / "x.safetensors", "--faces", folder / "some"
    )
    assert code == 1 and "0 pictures with all 14 points" in err


def test_refining_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['mmengine'] = None\n"
        "from binvision.cli.app import main\n"
        f"main(['refine', {str(folder / 'chart.safetensors')!r}, '-o', "
        f"{str(folder / 'lean.safetensors')!r}, '--faces', {str(folder / 'some')!r}, "
        "'--crops', '1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
