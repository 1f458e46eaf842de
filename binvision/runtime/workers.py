"""Threads that run a plan's tasks together, outside Python from the first kernel to the last."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Sequence
from time import perf_counter

from binvision.kernels.program import Program
from binvision.runtime.draft import Task

__all__ = ["Workers"]


_ALL: weakref.WeakSet[Workers] = weakref.WeakSet()


class Workers:
    """``threads`` threads, the caller's included; with one thread there are no others.

    The helpers end when the object is collected. A forked process has none of them, and starts
    its own at its first run.

    Attributes:
        lock: To be held during a run.

    Args:
        tasks: What a run does, in order.
        threads: Number of threads.
    """

    def __init__(self, tasks: Sequence[Task], threads: int) -> None:
        self._tasks, self._threads = tuple(tasks), threads
        self._program: Program | None = None
        self.renew()
        _ALL.add(self)

    def renew(self) -> None:
        """Forget helpers and a lock that this process does not have."""
        self.lock = threading.Lock()
        self._team: _Team | None = None

    def run(self) -> None:
        """Do all tasks once.

        Raises:
            MemoryError: A kernel found no memory for its sums.
        """
        self._assembled().lead([(0, len(self._tasks))])

    def run_timed(self) -> list[float]:
        """Do all tasks once; return the seconds that each took."""
        return self._assembled().lead([(k, k + 1) for k in range(len(self._tasks))])

    def _assembled(self) -> _Team:
        if self._program is None:
            self._program = Program(self._tasks, self._threads)
        if self._team is None:
            self._team = team = _Team(self._program, self._threads)
            weakref.finalize(self, team.dismiss)
        return self._team


def _renew_all() -> None:
    for workers in _ALL:
        workers.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


class _Team:
    """What the threads share; it must not know the ``Workers``, or that would never be freed."""

    def __init__(self, program: Program, threads: int) -> None:
        self._program, self._process = program, os.getpid()
        self._status = 0
        self._helpers = [_Helper(self, program, thread) for thread in range(1, threads)]
        for helper in self._helpers:
            threading.Thread(target=helper.serve, daemon=True).start()

    def lead(self, ranges: list[tuple[int, int]]) -> list[float]:
        """Do all tasks with the helpers, range by range; return the seconds that each took.

        The helpers go through all tasks at once. One that wakes when all is done finds nothing
        left, so nobody waits for it but the next run.
        """
        for helper in self._helpers:
            helper.finish()
        self._status = 0
        self._program.begin()
        for helper in self._helpers:
            helper.wake()
        seconds = []
        for first, last in ranges:
            start = perf_counter()
            self._status |= self._program.work(0, first, last)
            seconds.append(perf_counter() - start)
        if self._status:
            raise MemoryError("a kernel found no memory for its sums")
        return seconds

    def help(self, thread: int) -> None:
        """Take part in a run."""
        self._status |= self._program.work(thread, 0, len(self._program))

    def dismiss(self) -> None:
        """Let the helpers end; a forked process must not wait for those of its parent."""
        if os.getpid() == self._process:
            for helper in self._helpers:
                helper.ended = True
                helper.wake()


class _Helper:
    """A thread that takes part in every run; between runs it spins a little, then sleeps.

    Waking takes longer than many a layer, and in a busy loop of runs it never has to.
    """

    def __init__(self, team: _Team, program: Program, thread: int) -> None:
        self.ended = False
        self._team, self._program, self._thread = team, program, thread
        self._done = program.runs
        self._bed = threading.Condition()
        self._asleep = False

    def serve(self) -> None:
        """Take part in each run, until the end."""
        while not self.ended:
            if self._program.await_run(self._done):
                self._team.help(self._thread)
                self._done += 1
            else:
                self._sleep()

    def wake(self) -> None:
        """Tell it that a run has begun, or the end come."""
        with self._bed:
            if self._asleep:
                self._bed.notify()

    def finish(self) -> None:
        """Wait until it has ended its last run, which it nearly always has."""
        while self._done < self._program.runs:
            time.sleep(0)

    def _sleep(self) -> None:
        with self._bed:
            self._asleep = True
            while self._program.runs == self._done and not self.ended:
                self._bed.wait()
            self._asleep = False
