"""Processes that work for a campaign, and that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from binvision.errors import WorkerError
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.results import ResultStore
from tests.support.campaigns import MishapEntrant, Recorder
from tests.support.repository import ROOT
from tests.support.sequences import StillEntrant, moving_boxes, write_sequence

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes by signals")


@pytest.fixture
def sequences(tmp_path):
    """Four, whose boxes start at 0, 1, 2 and 3 pixels."""
    for index in range(4):
        write_sequence(tmp_path / "data", f"s{index}", moving_boxes(5) + [index - 4, 0, 0, 0])
    return find_sequences([tmp_path / "data"])


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGSEGV"])
def test_a_job_whose_process_dies_is_repeated(tmp_path, sequences, kind):
    unlucky, watch = MishapEntrant(tmp_path / "log", left=2, kind=kind), Recorder()
    tracks = run_campaign(Campaign((unlucky,), sequences, 1, None), jobs=2, watch=watch)
    assert sorted(name for _, name in tracks) == ["s0", "s1", "s2", "s3"]
    (note,) = watch.notes
    memory = r" \(out of memory\?\)" if kind == "SIGKILL" else ""
    assert note.startswith(f"unlucky on s2: its process was killed by {kind}"), note
    assert note.endswith(f"{memory}; trying once more in a fresh one".replace("\\", ""))
    starts = [line.split()[1:] for line in unlucky.lines("start")]
    repeated = [process for process, left in starts if left == "2"]
    assert len(starts) == 5 and len(set(repeated)) == 2
    assert watch.frames == {f"unlucky on s{index}": 5 for index in range(4)}


def test_a_job_that_kills_twice_is_an_error_and_the_rest_is_kept(tmp_path, sequences):
    unlucky = MishapEntrant(tmp_path / "log", left=0, times=99)
    store = ResultStore(tmp_path / "out")
    campaign = Campaign((unlucky,), sequences, 1, store)
    faults = []
    run_campaign(campaign, jobs=2, on_fault=lambda job, error: faults.append((str(job), error)))
    ((name, error),) = faults
    assert name == "unlucky on s0" and isinstance(error, WorkerError)
    assert len(unlucky.lines("mishap")) == 2
    assert [store.is_finished("unlucky", f"s{i}", 1) for i in range(4)] == [False, True, True, True]
    message = (
        r"^unlucky on s0: its process was killed by SIGKILL \(out of memory\?\) twice; if memory "
        r"is short, try fewer --jobs; --keep-going evaluates the others$"
    )
    with pytest.raises(WorkerError, match=message):
        run_campaign(campaign, jobs=2)


def test_an_exception_that_cannot_be_sent_is_told(tmp_path, sequences):
    with pytest.raises(RuntimeError, match="_StubbornError: of 3 parts"):
        run_campaign(Campaign((StubbornEntrant(),), sequences, 1, None), jobs=2)


class _StubbornError(Exception):
    """Can be pickled, but not read back."""

    def __init__(self, parts, whole):
        super().__init__(f"of {parts} parts")


class StubbornEntrant(StillEntrant):
    def build(self):
        raise _StubbornError(3, 1)


def test_processes_share_the_work_and_report_frames(tmp_path, sequences):
    slow, watch = MishapEntrant(tmp_path / "log", seconds=0.15), Recorder()
    seen = []
    watch.progressed = lambda job, frames: seen.append((str(job), frames))  # type: ignore[method-assign]
    tracks = run_campaign(Campaign((slow,), sequences, 1, None), jobs=2, watch=watch)
    assert len({line.split()[1] for line in slow.lines("start")}) == 2
    for index in range(4):
        counts = [frames for name, frames in seen if name == f"unlucky on s{index}"]
        assert counts == sorted(counts) and counts[-1] == 5 and len(counts) > 2
    (track,) = tracks["unlucky", "s3"]
    np.testing.assert_array_equal(track.boxes_xywh[:, 0], [3.0] * 5)


LEADER = """
import sys
from pathlib import Path
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.folder_layout import find_sequences
from tests.support.campaigns import MishapEntrant
if __name__ == "__main__":
    entrant = MishapEntrant(Path(sys.argv[2]), seconds=0.05)
    run_campaign(Campaign((entrant,), find_sequences([sys.argv[1]]), 1, None), jobs=2)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_leader(tmp_path, how):
    """Killed, it cannot say goodbye: the others notice that their pipe has ended."""
    for index in range(2):
        write_sequence(tmp_path / "data", f"s{index}", moving_boxes(2000, step=0.001))
    script = tmp_path / "leader.py"
    script.write_text(LEADER)
    log = MishapEntrant(tmp_path / "log")
    leader = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "data"), str(log.log)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = wait_for(lambda: log.lines("start"), 2)
    os.killpg(leader.pid, how) if how == signal.SIGINT else leader.kill()
    began = time.monotonic()
    _, errors = leader.communicate()
    processes = [int(line.split()[1]) for line in workers]
    while any(map(is_alive, processes)) and time.monotonic() - began < 10:
        time.sleep(0.02)
    assert not any(map(is_alive, processes))
    assert time.monotonic() - began < 5
    # The leader alone is interrupted: one traceback of Python's, none of its processes.
    assert errors.count("Traceback") == (how == signal.SIGINT), errors


def wait_for(lines, count: int) -> list[str]:
    deadline = time.monotonic() + 30
    while len(found := lines()) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
