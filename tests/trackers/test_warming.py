"""Nothing compiles once a tracker is made: a first frame costs no more than another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CODE = """
import numpy as np
from binvision import kernels
from binvision.trackers import Tracker

tracker = Tracker("rb-siamfc")
late = []
frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
with kernels.announce_compilation(late.append):
    tracker.init(frame, (60, 40, 30, 30))
    tracker.update(frame)
    tracker.update(np.zeros_like(frame))
print(late)
"""


def test_the_first_frame_waits_for_no_compiler(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _CODE], cwd=root, capture_output=True, text=True, check=True,
        env={"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(root), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
    assert "compiling kernels" in done.stderr
