"""Servers without OpenGL: OpenCV is installed and does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sequences import moving_boxes, write_sequence


def test_opencv_that_does_not_load_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    package = tmp_path / "cv2"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file', name='cv2', "
        "path='cv2.abi3.so')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "binvision", "track", "clip.mp4", "--init", "1,1,9,9"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: OpenCV cannot be loaded: libGL.so.1: cannot open shared object")
    assert "libgl1" in line and "opencv-python-headless" in line


@pytest.mark.parametrize("package", ["got10k", "matplotlib"])
def test_packages_of_the_report_are_missed_before_the_work(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Any
) -> None:
    write_sequence(tmp_path / "data", "a", moving_boxes(4))
    monkeypatch.setitem(sys.modules, package, None)
    for module in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, module)
    out = tmp_path / "out"
    done = command("eval", "folder", "--root", tmp_path / "data", "--rival", "mil", "--out", out)
    assert done.code == 1 and done.out == ""
    assert package in done.err and 'pip install "binvision[eval]"' in done.err
    assert not out.exists()
