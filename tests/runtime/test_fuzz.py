"""Some hundred damaged files; ``python -m tests.support.fuzz`` tries ten thousand."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys

import pytest

from tests.support.fuzz import DAMAGES
from tests.support.patience import patience
from tests.support.repository import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_damaged_files_are_refused_or_run() -> None:
    seed = secrets.randbelow(2**32)
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "tests.support.fuzz"]
    done = subprocess.run(
        [*command, "--count", "400", "--seed", str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=patience(280),
    )  # fmt: skip
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"
    outcomes = re.findall(r"(?m)^ *(\d+) (.+): (.+)$", done.stdout)
    assert sum(int(count) for count, _, _ in outcomes) == 400
    assert {kind for _, kind, _ in outcomes} == set(DAMAGES)
    # Damage of every depth: some files stop at the head, some come as far as running.
    assert {"refused", "tracked"} <= {outcome for _, _, outcome in outcomes}
