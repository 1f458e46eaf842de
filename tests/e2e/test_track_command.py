"""The installed command in processes of its own: the demo, Ctrl-C, pipes, a disk without room."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from binvision.media import open_source, overlaps, read_boxes
from tests.support.footage import texture, write_images, write_video
from tests.support.patience import patience
from tests.support.tracking_models import write_tracker

COMMAND = [sys.executable, "-m", "binvision"]
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX")


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=patience(240), **options
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tracker(tmp_path_factory.mktemp("models") / "random.safetensors")


@pytest.fixture(scope="module")
def demo(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "track", "--out-dir", folder, "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder, json.loads(done.stdout)


def test_the_demo_makes_its_clip_and_four_files(demo: tuple[Path, dict]) -> None:
    folder, figures = demo
    assert sorted(path.name for path in folder.iterdir()) == [
        "boxes.csv",
        "clip.mp4",
        "groundtruth.txt",
        "tracked.mp4",
    ]
    assert figures["frames"] == 200
    for name in ("clip.mp4", "tracked.mp4"):
        with open_source(folder / name) as source:
            assert (source.count, source.size_hw, source.fps) == (200, (360, 640), 25.0)


def test_the_demo_prints_the_overlap_with_its_truth(demo: tuple[Path, dict]) -> None:
    folder, figures = demo
    truth = read_boxes(folder / "groundtruth.txt")
    rows = np.loadtxt(folder / "boxes.csv", delimiter=",", skiprows=1)
    assert rows.shape == (200, 8)
    np.testing.assert_allclose(rows[0, 2:6], truth[0])
    expected = overlaps(rows[1:, 2:6], truth[1:]).mean()
    assert figures["mean_iou"] == pytest.approx(expected, abs=1e-3)


def test_the_demo_clip_is_tracked_like_any_video(
    demo: tuple[Path, dict], model: Path, tmp_path: Path
) -> None:
    folder, _ = demo
    results = tmp_path / "r.csv"
    truth = folder / "groundtruth.txt"
    clip = folder / "clip.mp4"
    done = run("track", clip, "--init-file", truth, "--model", model, "--results", results)
    assert done.returncode == 0, done.stderr
    assert results.read_text() == (folder / "boxes.csv").read_text()
    assert done.stdout.startswith("200 frames, mean score ")


def test_a_demo_folder_that_cannot_be_made(tmp_path: Path, model: Path) -> None:
    (tmp_path / "file").touch()
    done = run("demo", "track", "--out-dir", tmp_path / "file", "--model", model)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'file'}: the folder cannot be made")


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """A folder of 4000 frames that are one file."""
    folder = write_images(tmp_path / "frames", [texture(240, 320, seed=1)])
    for number in range(2, 4001):
        os.link(folder / "1.png", folder / f"{number}.png")
    return folder


@posix_only
@pytest.mark.parametrize("kind", ["csv", "json", "txt"])
def test_ctrl_c_keeps_the_results_so_far(
    long_clip: Path, model: Path, tmp_path: Path, kind: str
) -> None:
    results, video = tmp_path / f"r.{kind}", tmp_path / "o.mp4"
    options = ["--init", "60,50,40,30", "--model", model, "--results", results, "--out", video]
    process = start("track", long_clip, *options)
    # Rows reach the file that is being written once the run has begun.
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(f".r.{kind}.*")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "error: interrupted"
    assert f"wrote {results}" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", "o.mp4", results.name]
    frames = int(out.split()[0])
    assert 1 < frames < 4000
    with open_source(video) as source:
        assert source.count == frames
    text = results.read_text()
    if kind == "json":
        assert len(json.loads(text)["rows"]) == frames
    else:
        assert len(text.splitlines()) == frames + (kind == "csv")
        assert text.endswith("\n")


@posix_only
def test_ctrl_c_before_the_run_leaves_nothing(tmp_path: Path, model: Path) -> None:
    """While the first frame is awaited there are no results yet, and no traceback either."""
    pipe = tmp_path / "clip.mp4"
    os.mkfifo(pipe)
    process = start("track", pipe, "--init", "1,1,9,9", "--model", model)
    time.sleep(patience(1.5))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=patience(30))
    assert process.returncode != 0
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@posix_only
def test_a_disk_without_room_is_an_error_and_leaves_no_half_file(
    model: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(30)]
    clip = write_video(tmp_path / "clip.mp4", frames)
    done = run_on_full_disk(1 << 16, clip, "--model", model, "--out", tmp_path / "o.mp4")
    assert done.returncode == 1, done
    assert "o.mp4: the video could not be finished; the disk may be full" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@posix_only
@pytest.mark.parametrize("kind", ["csv", "json", "txt"])
def test_results_on_a_disk_without_room(model: Path, tmp_path: Path, kind: str) -> None:
    folder = write_images(tmp_path / "frames", [texture(120, 160, seed=1)] * 5)
    results = tmp_path / f"r.{kind}"
    results.write_text("an older run")
    done = run_on_full_disk(40, folder, "--model", model, "--results", results)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr == f"error: {results}: results cannot be written (File too large)\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", results.name]
    assert results.read_text() == "an older run"


def run_on_full_disk(room: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Track where no file may grow beyond ``room`` bytes."""
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
        "from binvision.cli.app import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "track", *map(str, arguments), "--init", "60,50,40,30"]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=patience(120)
    )


def test_no_torch_in_the_process(model: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path, [texture(120, 160, seed=1)] * 3)
    code = (
        "import sys; sys.argv = ['binvision', *sys.argv[1:]]\n"
        "from binvision.cli.app import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'mmengine', 'got10k'} & set(sys.modules)))"
    )
    arguments = ["track", str(folder), "--init", "60,50,40,30", "--model", str(model)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=patience(120),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [*COMMAND, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + patience(120)
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "the run did not begin"
        time.sleep(0.05)
