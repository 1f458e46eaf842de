"""Jobs on the workers of a Dask scheduler: the same work, done by other machines.

Sequences are named by path, so every worker must find them where they are here. Models are sent
along. A worker that would build another tracker than the campaign has claimed (another version of
binvision, or of OpenCV for its trackers) is refused. Where a worker is lost in the middle of a job,
the scheduler gives the job to another one.

https://distributed.dask.org
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import platform
import threading
import uuid
import warnings
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import distributed

from binvision import __version__
from binvision.errors import BinvisionError, SourceError, UsageError, WorkerError
from binvision.media.files import write_atomically
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.jobs import Job, Result, Watch, attempt

__all__ = ["run_on_cluster"]

_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 5.0

# Jobs that the scheduler holds, as a multiple of those that can run at a time: enough for no worker
# to wait, and few, because each brings the paths and boxes of a sequence.
_HELD_PER_THREAD, _HELD_AT_LEAST = 2, 16


def run_on_cluster(
    jobs: Iterator[Job], address: str, watch: Watch
) -> Generator[tuple[Job, Result], None, None]:
    """Have jobs done by the workers of the scheduler at ``address``; each comes back when it ends.

    Raises:
        UsageError: ``address`` is no address.
        WorkerError: no scheduler answers, it is lost, or a worker is not fit for the work.
    """
    _check_scheduler(address, watch)
    with _quiet_dask(), distributed.Client(address, timeout=_TIMEOUT_S) as it:
        fleet = _Fleet(it, watch)
        held: dict[distributed.Future, Job] = {}
        try:
            while True:
                room = fleet.room()
                while len(held) < room and (job := next(jobs, None)) is not None:
                    held[fleet.send(job)] = job
                if not held:
                    return
                for future in fleet.wait(list(held)):
                    yield held.pop(future), _receive(future, address)
        except BinvisionError:
            raise
        except (OSError, CancelledError, asyncio.TimeoutError) as error:
            raise _lost(address) from error


class _Fleet:
    """The workers, as those to whom jobs and models are sent."""

    def __init__(self, client: distributed.Client, watch: Watch) -> None:
        self._client, self._watch = client, watch
        self._is_empty = False
        self._equipment: dict[Entrant, tuple[dict[str, object], distributed.Future | None]] = {}

    def room(self) -> int:
        """How many jobs shall be out at a time; workers may join and leave."""
        # Like client.nthreads(), which would wait for ever for a scheduler that is lost.
        ask = self._client.scheduler.ncores
        threads = sum(self._client.sync(ask, callback_timeout=_TIMEOUT_S).values())
        if not threads and not self._is_empty:
            address = self._client.scheduler.address
            self._watch.noted(f"no workers; waiting for some to join by `dask worker {address}`")
        self._is_empty = not threads
        return max(_HELD_AT_LEAST, _HELD_PER_THREAD * threads)

    def send(self, job: Job) -> distributed.Future:
        """Hand a job to the scheduler."""
        entrant = job.entrant
        if entrant not in self._equipment:
            self._equipment[entrant] = entrant.identity(), self._send_model(entrant)
        frames = tuple(Path(os.path.abspath(path)) for path in job.sequence.frames)
        job = replace(job, sequence=replace(job.sequence, frames=frames))
        key = f"{entrant.name}-{job.sequence.name}-{uuid.uuid4()}"
        return self._client.submit(_work, job, *self._equipment[entrant], key=key)

    def wait(self, futures: list[distributed.Future]) -> set[distributed.Future]:
        """Those that have ended, at least one."""
        while True:
            try:
                return distributed.wait(futures, _LOOK_EVERY_S, "FIRST_COMPLETED").done
            except (TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
                self.room()  # tells where there is nobody to wait for

    def _send_model(self, entrant: Entrant) -> distributed.Future | None:
        """Put a model's bytes where each worker gets them when it needs them first.

        As the result of a task they outlive the workers that hold them: it would be done again.
        """
        if entrant.file is None:
            return None
        key = f"model-{entrant.name}-{uuid.uuid4()}"
        return self._client.submit(bytes, entrant.file.read_bytes(), key=key)


def _check_scheduler(address: str, watch: Watch) -> None:
    """Look before a client is made: one that cannot connect takes long to be got rid of."""
    try:
        found = asyncio.run(asyncio.wait_for(_identity(address), _TIMEOUT_S))
    except ValueError as error:
        raise UsageError(
            f"--cluster {address}: {error}; expected the address that `dask scheduler` prints, "
            f"like tcp://192.168.0.10:8786"
        ) from error
    except (OSError, asyncio.TimeoutError) as error:
        raise WorkerError(
            f"{address}: no Dask scheduler answers there within {_TIMEOUT_S:g} s; start one with "
            f"`dask scheduler` and give the address that it prints"
        ) from error
    if found["type"] != "Scheduler":
        raise WorkerError(f"{address}: is a {found['type']}, not the scheduler")
    for worker in found["workers"].values():
        if worker["nthreads"] > 1:
            watch.noted(
                f"{worker['id']}: has {worker['nthreads']} threads, of which one is used; start "
                f"it with --nthreads 1, and --nworkers for more"
            )


async def _identity(address: str) -> dict[str, Any]:
    security = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, timeout=_TIMEOUT_S, connection_args=security) as remote:
        return await remote.identity()


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """What Dask has to say on lost connections and big models is said by our errors, or is moot."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _receive(future: distributed.Future, address: str) -> Result:
    """Result of a job; what would go wrong with every other job is raised.

    Raises:
        WorkerError: the scheduler is lost, or a worker cannot run our code.
    """
    try:
        result: Result = future.result()
    except distributed.KilledWorker as error:
        count, last = error.allowed_failures + 1, error.last_worker.address
        return WorkerError(f"{count} workers in turn died of it, the last one {last}")
    except (BinvisionError, CancelledError):
        raise
    except Exception as error:
        raise WorkerError(
            f"{address}: its workers cannot do this work: {type(error).__name__}: {error}; "
            f"scheduler and workers need binvision {__version__} and its extra `cluster`"
        ) from error
    return result


def _lost(address: str) -> WorkerError:
    return WorkerError(
        f"{address}: the scheduler is lost; what came back is kept under --out, and the same "
        f"command goes on from there"
    )


# On the worker

# A worker may have several threads, but trackers share the random numbers of the C library, and
# OpenCV's number of threads is one for all. So the process does one job at a time.
_ALONE = threading.Lock()


def _work(job: Job, identity: dict[str, object], model: bytes | None) -> Result:
    """Do a job on this worker.

    Raises:
        WorkerError: this worker is not fit for any job.
    """
    worker = distributed.get_worker()
    place = f"worker {worker.address} on {platform.node()}"
    first = job.sequence.frames[0]
    if not first.is_file():
        return SourceError(
            f"{first}: not found by {place}; all workers need the sequences at the same path as "
            f"here, on storage that they share"
        )
    with _ALONE:
        cv2.setNumThreads(1)
        entrant = _unpack(job.entrant, model, Path(worker.local_directory))
        _check_identity(entrant, identity, place)
        result = attempt(replace(job, entrant=entrant), lambda frames: None)
    if isinstance(result, BinvisionError):
        return type(result)(f"{result} ({place})")
    if isinstance(result, Exception):
        raise WorkerError(f"{place}: {job}: {type(result).__name__}: {result}") from result
    return result


def _unpack(entrant: Entrant, model: bytes | None, folder: Path) -> Entrant:
    """The same tracker, with its model in a file of this worker."""
    if model is None or entrant.file is None:
        return entrant
    name = hashlib.sha256(model).hexdigest() + entrant.file.suffix
    path = folder / "binvision-models" / name
    if not path.exists():
        write_atomically(path, model)
    return replace(entrant, source=str(path))


def _check_identity(entrant: Entrant, wanted: dict[str, object], place: str) -> None:
    """Results must not depend on who did the work."""
    found = entrant.identity()
    if found != wanted:
        differences = (
            f"{key} is {found.get(key)} and not {wanted.get(key)}"
            for key in sorted(found | wanted)
            if found.get(key) != wanted.get(key)
        )
        raise WorkerError(
            f"{place}: its {entrant.name} would give other results: {', '.join(differences)}; "
            f"install the same versions on all machines"
        )
