"""``binvision align`` in processes of its own: cameras, browsers, Ctrl-C, full disks."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.footage import write_images, write_video
from tests.support.landmark_scenes import chart_box, gallery, write_models
from tests.support.live import ENVIRONMENT, network_camera, serving
from tests.support.patience import patience
from tests.support.viewers import ask, browser, next_picture, screenshot

STEPS = 40  # of a face that moves to the right and back

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))[0]


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    """A face that moves to the right, slowly: a busy machine leaves out many frames of a camera."""
    return [gallery([(32 + number // 3, 64)]) for number in range(3 * STEPS)]


def seen(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the face is in a served picture, by its mark, and where the dots drawn on it are."""
    blue, green, red = np.moveaxis(picture.astype(int), -1, 0)
    mark = np.nonzero((blue > 200) & (green < 60) & (red < 60))[1]
    dots = np.nonzero(picture.min(2) > 190)[1]
    assert len(dots) > 20, "no points are drawn"
    x, _, width, _ = chart_box((mark.min(), 64))
    return x + width / 2, (dots.min() + dots.max()) / 2


@posix_only
def test_a_camera_is_seen_in_browsers_and_ctrl_c_keeps_what_was_found(
    model: Path, frames: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    """A face moves in front of a network camera; its points move with it, in the served stream."""
    results = tmp_path / "found.csv"
    options = ["--model", model, "--results", results, "--no-smooth"]
    with network_camera(frames) as camera, serving("align", camera, *options) as (process, address):
        stream = ask(address, "/stream.mjpg")
        places: list[tuple[float, float]] = []
        while len(places) < 30 or np.ptp(places, axis=0)[0] <= 5:  # at its turn it moves little
            picture = next_picture(stream)
            assert picture is not None and picture.shape == (192, 256, 3)
            places.append(seen(picture))
            assert len(places) < 300, "the face does not move"
        faces, dots = np.array(places).T
        assert np.abs(faces - dots).max() < 6
        process.send_signal(signal.SIGINT)
        while next_picture(stream) is not None:
            pass
        out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 130, err
    assert "Traceback" not in err and err.splitlines()[-1] == "error: interrupted"
    rows = list(csv.DictReader(results.read_text().splitlines()))
    assert {row["face"] for row in rows} == {"1"}
    assert len(rows) == int(out.split(" frame")[0]) >= 30


@pytest.mark.skipif(browser() is None, reason="no chromium that runs without a screen")
def test_a_browser_shows_the_stream(
    model: Path, frames: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    with (
        network_camera(frames[:1]) as camera,
        serving("align", camera, "--model", model) as (_, address),
    ):
        window = screenshot(address, tmp_path / "window.png")
    height, width = window.shape[:2]
    page = window[2, 2]
    assert page.max() < 40, "the page is dark around the picture"
    top, left = (height - 192) // 2, (width - 256) // 2
    face, dots = seen(window[top : top + 192, left : left + 256])
    assert dots == pytest.approx(face, abs=6)


def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python's ``code``, which calls the command with these arguments."""
    command = [sys.executable, "-c", code, "align", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=patience(120)
    )


@posix_only
@pytest.mark.parametrize("name", ["r.csv", "r.json"])
def test_results_on_a_disk_without_room(
    model: Path, frames: list[NDArray[np.uint8]], tmp_path: Path, name: str
) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40));"
        "from binvision.cli.app import main; main(sys.argv[1:])"
    )
    results = tmp_path / name
    results.write_text("an older run")
    clip = write_video(tmp_path / "clip.avi", frames, codec="MJPG")
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
    done = run(code, write_images(tmp_path, [gallery([(32, 64)])]), "--model", model)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
