"""The same work through a Dask scheduler; processes of this machine play the cluster."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("got10k")
pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

import distributed

from binvision import runtime
from binvision.cli.app import main
from binvision.errors import SourceError, UsageError, WorkerError
from binvision.trackers.evaluation import cluster
from binvision.trackers.evaluation.campaign import Campaign, run_campaign
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.jobs import Job
from binvision.trackers.evaluation.results import ResultStore
from tests.support.campaigns import MishapEntrant, Recorder
from tests.support.fleet import Fleet
from tests.support.packed import small_model
from tests.support.sequences import StillEntrant, moving_boxes, write_sequence

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills workers by signals")

SETTINGS = {
    "exemplar_size": 63, "search_size": 127, "exemplar_crop": 4, "stride": 8,
    "response_scale": 0.01, "response_bias": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    yield fleet
    fleet.close()


@pytest.fixture
def sequences(tmp_path):
    """Four, whose boxes start at 0, 1, 2 and 3 pixels."""
    for index in range(4):
        write_sequence(tmp_path / "data", f"s{index}", moving_boxes(6) + [index - 4, 0, 0, 0])
    return find_sequences([tmp_path / "data"])


def evaluate(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["eval", *map(str, arguments)])
    return int(exit_.value.code or 0)


def box_files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*_0??.txt")}


def without_measurements(text: str) -> Any:
    """A report without what differs from run to run: times."""
    report = json.loads(text)
    for tracker in report["trackers"]:
        del tracker["fps"]
        for sequence in tracker["sequences"].values():
            del sequence["seconds"]
    return report


def test_the_command_gives_the_same_answers_in_the_same_files(
    fleet, sequences, tmp_path, capsys, monkeypatch
) -> None:
    """Roots and models may be relative: the workers stand elsewhere."""
    runtime.save(tmp_path / "small.safetensors", small_model(settings=SETTINGS))
    monkeypatch.chdir(tmp_path)
    arguments = ("folder", "--root", "data", "--model", "small.safetensors", "--rival", "mil",
                 "--starts", "4", "--json")  # fmt: skip
    reports = []
    for out, options in (("here", ()), ("there", ("--cluster", fleet.address))):
        assert evaluate(*arguments, "--out", tmp_path / out, *options) == 0
        reports.append(without_measurements(capsys.readouterr().out))
    assert reports[0] == reports[1]
    files = box_files(tmp_path / "here")
    assert len(files) == 2 * 4 * 4 and box_files(tmp_path / "there") == files
    # The model travelled: each worker that used it has it in a folder of its own.
    digest = hashlib.sha256((tmp_path / "small.safetensors").read_bytes()).hexdigest()
    models = list(fleet.folder.glob("worker-*/**/binvision-models/*"))
    assert models and {path.name for path in models} == {f"{digest}.safetensors"}


def test_a_killed_worker_costs_nothing(fleet, sequences, tmp_path) -> None:
    """kill -9 in the middle of a sequence: the other worker does it, from its first frame."""
    unlucky = MishapEntrant(tmp_path / "log", left=2, seconds=0.02)
    store = ResultStore(tmp_path / "out")
    try:
        run_campaign(Campaign((unlucky,), sequences, 1, store), cluster=fleet.address)
    finally:
        fleet.add_worker()
    assert len(unlucky.lines("mishap")) == 1
    killed = int(unlucky.lines("mishap")[0].split()[1])
    assert killed in [worker.pid for worker in fleet.workers if worker.poll() == -9]
    repeated = [line.split()[1] for line in unlucky.lines("start") if line.endswith(" 2")]
    assert len(set(repeated)) == 2 and repeated[0] == str(killed)
    lucky = MishapEntrant(tmp_path / "log2")
    run_campaign(Campaign((lucky,), sequences, 1, ResultStore(tmp_path / "undisturbed")))
    assert box_files(tmp_path / "out") == box_files(tmp_path / "undisturbed")
    assert len(box_files(tmp_path / "out")) == 4


def test_faults_name_the_picture_and_the_worker(fleet, sequences, tmp_path) -> None:
    sequences[1].frames[2].write_bytes(b"no picture")
    campaign = Campaign((MishapEntrant(tmp_path / "log"),), sequences, 1, None)
    faults: list[tuple[str, str]] = []
    tracks = run_campaign(
        campaign,
        cluster=fleet.address,
        on_fault=lambda job, error: faults.append((str(job), str(error))),
    )
    assert sorted(name for _, name in tracks) == ["s0", "s2", "s3"]
    ((name, message),) = faults
    assert name == "unlucky on s1"
    assert message.startswith(f"{sequences[1].frames[2]}: cannot be decoded as an image")
    assert "(worker tcp://127.0.0.1:" in message
    with pytest.raises(SourceError, match=r"^unlucky on s1: .*0003\.jpg: cannot be decoded"):
        run_campaign(campaign, cluster=fleet.address)


@dataclass(frozen=True)
class StrangeEntrant(StillEntrant):
    """Another tracker in each process, as where versions differ."""

    file: None = None

    def identity(self) -> dict[str, object]:
        return {"kind": "strange", "process": os.getpid()}


def test_another_tracker_under_the_same_name_is_refused(fleet, sequences) -> None:
    campaign = Campaign((StrangeEntrant("odd"),), sequences, 1, None)
    message = (
        r"^worker tcp://127\.0\.0\.1:\d+ on .*: its odd would give other results: process is \d+ "
        rf"and not {os.getpid()}; install the same versions on all machines$"
    )
    with pytest.raises(WorkerError, match=message):
        run_campaign(campaign, cluster=fleet.address, on_fault=lambda job, error: None)


def test_a_lost_scheduler_is_noticed(sequences, tmp_path) -> None:
    (tmp_path / "fleet").mkdir()
    fleet = Fleet(tmp_path / "fleet")
    slow = MishapEntrant(tmp_path / "log", seconds=0.1)
    try:
        threading.Thread(target=lambda: (wait_for(slow), fleet.scheduler.kill())).start()
        with pytest.raises(WorkerError, match=rf"^{fleet.address}: the scheduler is lost; what"):
            run_campaign(Campaign((slow,), sequences, 1, None), cluster=fleet.address)
    finally:
        fleet.close()


def wait_for(entrant: MishapEntrant) -> None:
    deadline = time.monotonic() + 30
    while not entrant.lines("start") and time.monotonic() < deadline:
        time.sleep(0.02)


def test_addresses_that_lead_nowhere(fleet, sequences, monkeypatch) -> None:
    campaign = Campaign((StillEntrant(),), sequences, 1, None)
    monkeypatch.setattr(cluster, "_TIMEOUT_S", 0.3)
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"^127\.0\.0\.1:9: no Dask scheduler answers there with"):
        run_campaign(campaign, cluster="127.0.0.1:9")
    assert time.monotonic() - began < 3
    for address, reason in (("localhost", "missing port number"), ("foo://a:1", "unknown address")):
        with pytest.raises(UsageError, match=f"--cluster {address}: {reason}.*like tcp://192"):
            run_campaign(campaign, cluster=address)
    with pytest.raises(UsageError, match="^--jobs counts processes of this machine"):
        run_campaign(campaign, cluster=fleet.address, jobs=2)
    monkeypatch.setattr(cluster, "_TIMEOUT_S", 5.0)
    with distributed.Client(fleet.address) as client:
        (worker, *_) = client.scheduler_info()["workers"]
    with pytest.raises(WorkerError, match=rf"^{worker}: is a Worker, not the scheduler"):
        run_campaign(campaign, cluster=worker)


def test_without_the_extra(sequences, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "binvision.trackers.evaluation.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    arguments = ("folder", "--root", tmp_path / "data", "--rival", "mil", "--cluster", "a:1")
    assert evaluate(*arguments) == 1
    assert capsys.readouterr().err == (
        "error: this command needs the package distributed, which is not installed: "
        'pip install "binvision[cluster]"\n'
    )


# What a worker does, in this process


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """This process plays a worker; returns its folder."""
    worker = SimpleNamespace(address="tcp://10.0.0.7:1", local_directory=str(tmp_path / "local"))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    monkeypatch.setattr(cluster.platform, "node", lambda: "node7")
    return tmp_path / "local"


def test_a_model_that_the_worker_lacks_is_built_from_its_bytes(here, sequences, tmp_path) -> None:
    path = tmp_path / "small.safetensors"
    runtime.save(path, small_model(settings=SETTINGS))
    entrant, content = Entrant("small", "packed", str(path)), path.read_bytes()
    identity = entrant.identity()
    expected = run_campaign(Campaign((entrant,), sequences[:1], 1, None))["small", "s0"][0]
    path.unlink()
    result = cluster._work(Job(entrant, sequences[0], 1), identity, content)
    assert isinstance(result, tuple)
    np.testing.assert_array_equal(result[0].boxes_xywh, expected.boxes_xywh)
    with pytest.raises(WorkerError, match="other results: sha256 is [0-9a-f]{64} and not 0;"):
        cluster._work(Job(entrant, sequences[0], 1), identity | {"sha256": "0"}, content)
    assert len(list((here / "binvision-models").iterdir())) == 1


def test_sequences_that_the_worker_does_not_see(here, sequences) -> None:
    first = sequences[0].frames[0]
    first.unlink()
    error = cluster._work(Job(StillEntrant(), sequences[0], 1), {}, None)
    assert isinstance(error, SourceError)
    assert str(error) == (
        f"{first}: not found by worker tcp://10.0.0.7:1 on node7; all workers need the sequences "
        f"at the same path as here, on storage that they share"
    )


def test_a_worker_that_lacks_a_package(here, sequences) -> None:
    class Lacking(StillEntrant):
        file = None

        def build(self):
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

    job = Job(Lacking(), sequences[0], 1)
    with pytest.raises(WorkerError, match="^worker tcp://10.*: still on s0: ModuleNotFoundError"):
        cluster._work(job, job.entrant.identity(), None)


def test_workers_are_told_apart_by_what_the_scheduler_says_of_them(monkeypatch) -> None:
    async def identity(address):
        workers = {"a": {"id": "a", "nthreads": 4}, "b": {"id": "b", "nthreads": 1}}
        return {"type": "Scheduler", "workers": workers}

    monkeypatch.setattr(cluster, "_identity", identity)
    watch = Recorder()
    cluster._check_scheduler("a:1", watch)
    (note,) = watch.notes
    assert note.startswith("a: has 4 threads, of which one is used; start it with --nthreads 1")


def test_what_a_scheduler_says_of_a_job(fleet) -> None:
    def future(error: Exception) -> Any:
        def result() -> None:
            raise error

        return SimpleNamespace(result=result)

    last = SimpleNamespace(address="tcp://10.0.0.7:1")
    killed = cluster._receive(future(distributed.KilledWorker("key", last, 3)), "a:1")
    assert isinstance(killed, WorkerError)
    assert str(killed) == "4 workers in turn died of it, the last one tcp://10.0.0.7:1"
    message = "^a:1: its workers cannot do this work: ModuleNotFoundError: .*'binvision'; scheduler"
    with pytest.raises(WorkerError, match=message):
        cluster._receive(future(ModuleNotFoundError("No module named 'binvision'")), "a:1")
