"""Jobs in processes of this machine, one thread each; any of them may die at any moment.

Each process has a pipe of its own: it is sent a job and sends back how far it is, then the
result. A pool of the standard library is not enough here: where one of its processes dies, it
gives up them all, and it cannot say which job was to blame.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import cv2

from binvision.errors import WorkerError
from binvision.trackers.evaluation.jobs import Job, Result, Watch, attempt

__all__ = ["run_in_processes"]

_REPORT_EVERY_S = 0.1


def run_in_processes(
    jobs: Iterator[Job], count: int, watch: Watch
) -> Generator[tuple[Job, Result], None, None]:
    """Do jobs, ``count`` at a time; each comes back when it ends.

    A job whose process dies is repeated once in a fresh process; where that dies too, the job's
    result is a `WorkerError`. When the iterator is closed, all processes are killed.
    """
    crew = _Crew()
    died_once: set[Job] = set()
    try:
        while True:
            while len(crew.busy) < count and (job := next(jobs, None)) is not None:
                crew.assign(job)
            if not crew.busy:
                return
            for worker in crew.wait():
                job, message = worker.job, worker.receive()
                if isinstance(message, int):
                    watch.progressed(job, message)
                elif message is not None:
                    crew.release(worker)
                    yield job, message
                elif job in died_once:
                    yield (
                        job,
                        WorkerError(
                            f"its process {crew.bury(worker)} twice; if memory is short, try fewer "
                            f"--jobs"
                        ),
                    )
                else:
                    died_once.add(job)
                    death = crew.bury(worker)
                    watch.noted(f"{job}: its process {death}; trying once more in a fresh one")
                    watch.progressed(job, 0)
                    crew.assign(job)
    finally:
        crew.dismiss()


class _Crew:
    """The processes of a campaign, started when they are needed."""

    def __init__(self) -> None:
        self.busy: dict[Any, _Worker] = {}  # by pipe
        self._idle: list[_Worker] = []

    def assign(self, job: Job) -> None:
        """Give a job to an idle process, or to a new one."""
        while True:
            worker = self._idle.pop() if self._idle else _Worker()
            self.busy[worker.pipe] = worker
            if worker.give(job):
                return
            self.bury(worker)  # it died while it had nothing to do

    def wait(self) -> list[_Worker]:
        """Those that have something to say, or died; blocks until there is one."""
        return [self.busy[pipe] for pipe in wait(list(self.busy))]

    def release(self, worker: _Worker) -> None:
        """Its job is done."""
        self._idle.append(self.busy.pop(worker.pipe))

    def bury(self, worker: _Worker) -> str:
        """Take leave of a dead process; returns how it died."""
        del self.busy[worker.pipe]
        return worker.bury()

    def dismiss(self) -> None:
        """Kill all."""
        for worker in (*self.busy.values(), *self._idle):
            worker.kill()


class _Worker:
    """The near end of a process that does one job at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # forks of a threaded process may hang
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()  # else the pipe would outlive the process

    def give(self, job: Job) -> bool:
        """Send a job; False where the process is dead."""
        self.job = job
        try:
            self.pipe.send(job)
        except OSError:
            return False
        return True

    def receive(self) -> int | Result | None:
        """Frames done so far, a result, or None where the process died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def bury(self) -> str:
        """Wait for the end of a process whose pipe has ended."""
        self._process.join(timeout=5)
        code = self._process.exitcode
        self.kill()
        if code is None or code >= 0:
            return f"ended by itself (exit code {code})"
        hint = " (out of memory?)" if -code == getattr(signal, "SIGKILL", None) else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def kill(self) -> None:
        """End the process at once: it writes nothing that could be left half done."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: it is for this one, which ends the others.

    They inherit the mask. An interrupt in between is delivered at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it would unblock what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In the other process


def _serve(pipe: Connection) -> None:
    """Do jobs until the pipe ends, because the campaign is over or its process was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    with suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            pipe.send(_portable(attempt(job, _Reports(pipe))))


class _Reports:
    """Tells the campaign how many frames are done, but not more often than anyone looks."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._next = pipe, time.monotonic()

    def __call__(self, frames: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REPORT_EVERY_S
            self._pipe.send(frames)


def _portable(result: Result) -> Result:
    """The result, or what can be sent of an exception that cannot be pickled."""
    if isinstance(result, Exception):
        try:
            pickle.loads(pickle.dumps(result))
        except Exception:
            return RuntimeError(f"{type(result).__name__}: {result}")
    return result
