"""The command where compiled kernels cannot be kept: it works, and says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.footage import texture, write_images
from tests.support.patience import patience
from tests.support.repository import ROOT
from tests.support.tracking_models import write_tracker

ADVICE = (
    "binvision: compiled kernels cannot be kept, so every start compiles them: set "
    "NUMBA_CACHE_DIR to a folder that is writable and has space"
)
# A file-size limit is a disk that is full, for the processes that begin after it.
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"


def test_no_folder_for_kernels_is_writable(tmp_path: Path) -> None:
    """Neither beside the sources, nor the user's, nor the one that is named.

    A file stands where each folder should be, which not even root can write into.
    """
    sources = ("binvision", "kernels", "trackers", "detectors", "landmarks", "configs")
    for name in sources:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
    (tmp_path / "kernels" / "__pycache__").touch()
    file = tmp_path / "file"
    file.touch()
    frames = write_images(tmp_path / "frames", [texture(120, 160, seed=1)] * 3)
    model = write_tracker(tmp_path / "random.safetensors")
    arguments = ["track", str(frames), "--init", "60,50,40,30", "--model", str(model)]
    environment = {
        "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(file),
        "XDG_CACHE_HOME": str(file), "NUMBA_CACHE_DIR": str(file / "cache"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "binvision", *arguments], capture_output=True, text=True,
        cwd=tmp_path, env={**os.environ, **environment}, timeout=patience(280),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 frames, ")
    assert done.stderr.count(ADVICE) == 1
    assert re.match(r"binvision: compiling kernels for this CPU: \.+ \d+\.\d s\n", done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_full_disk_and_a_damaged_cache(tmp_path: Path) -> None:
    first_run = "compiling kernels for this CPU, first run only"
    assert ADVICE in run_a_layer(tmp_path, FULL_DISK)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]

    err = run_a_layer(tmp_path)
    assert first_run in err and ADVICE not in err
    kept = [path for path in tmp_path.rglob("*.nb[ic]")]
    assert len(kept) > 10
    for number, path in enumerate(kept):
        path.write_bytes(path.read_bytes()[: (0, 7, 100)[number % 3]])

    assert first_run in run_a_layer(tmp_path), "a damaged cache is renewed"
    assert run_a_layer(tmp_path) == ""


def run_a_layer(cache: Path, before: str = "") -> str:
    """Run the smallest network; what it said on stderr."""
    code = (
        "from tests.support.networks import NetworkBuilder; from binvision.runtime import Runner;"
        "net = NetworkBuilder(); x = net.conv('image', 3, 1);"
        "Runner(net.model(x), batch=1, size_hw=(4, 4))"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + code], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)}, timeout=patience(280),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr
