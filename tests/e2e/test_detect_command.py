"""``binvision detect`` in processes of its own: Ctrl-C, browsers, a full disk, no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from tests.support.detection_models import street, write_detector
from tests.support.footage import write_images, write_video
from tests.support.patience import patience

ENVIRONMENT = {**os.environ, "COLUMNS": "200"}

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("model") / "colours.safetensors")


def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python's ``code``, which calls the command with these arguments."""
    command = [sys.executable, "-c", code, "detect", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=patience(120)
    )


@posix_only
def test_browsers_see_the_run_and_ctrl_c_keeps_what_was_found(model: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.avi", [street(cars=[(2, 5)])] * 4000, codec="MJPG")
    results = tmp_path / "found.csv"
    command = [sys.executable, "-m", "binvision", "detect", str(clip), "--model", str(model)]
    command += ["--results", str(results), "--out", str(tmp_path / "o.avi"), "--serve", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    address = next(line for line in lines if line.startswith("open http")).split()[1]
    with urlopen(f"{address}frame.jpg", timeout=patience(30)) as answer:
        picture = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (64, 64, 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 130, err
    assert "Traceback" not in err and err.splitlines()[-1] == "error: interrupted"
    frames = int(out.split(" frame")[0])
    assert 0 < frames < 4000
    assert len(results.read_text().splitlines()) == 1 + frames
    assert {path.name for path in tmp_path.iterdir()} == {"clip.avi", "found.csv", "o.avi"}


@posix_only
@pytest.mark.parametrize("name", ["r.csv", "r.json", "r.coco.json"])
def test_results_on_a_disk_without_room(model: Path, tmp_path: Path, name: str) -> None:
    """The failure is seen while the run goes on, or at its end."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40));"
        "from binvision.cli.app import main; main(sys.argv[1:])"
    )
    results = tmp_path / name
    for frames in (2, 500):
        clip = write_video(tmp_path / "clip.avi", [street(cars=[(2, 5)])] * frames, codec="MJPG")
        results.write_text("an older run")
        done = run(code, clip, "--model", model, "--results", results)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr == f"error: {results}: results cannot be written (File too large)\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", name]
        assert results.read_text() == "an older run"


def test_no_torch_in_the_process(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['binvision', *sys.argv[1:]]\n"
        "from binvision.cli.app import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'mmengine', 'pycocotools'} & set(sys.modules)))"
    )
    done = run(code, write_images(tmp_path, [street()]), "--model", model)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
