"""A few threads that walk through a list of tasks together, each doing its share of the rows."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from time import perf_counter

from binvision.runtime.draft import Task

__all__ = ["Workers"]


_ALL: weakref.WeakSet[Workers] = weakref.WeakSet()


class Workers:
    """``threads`` threads, the caller's included; with one thread there are no others.

    The kernels release the GIL. Between tasks all threads meet at a barrier, since a task reads
    what others wrote. The helpers end when the object is collected. A forked process has none of
    them, and starts its own at its first run.

    Attributes:
        lock: To be held during a run.

    Args:
        tasks: What a run does, in order.
        threads: Number of threads.
    """

    def __init__(self, tasks: Sequence[Task], threads: int) -> None:
        self._tasks, self._threads = tuple(tasks), threads
        self.renew()
        _ALL.add(self)

    def renew(self) -> None:
        """Forget helpers and a lock that this process does not have."""
        self.lock = threading.Lock()
        self._team: _Team | None = None

    def run(self) -> None:
        """Do all tasks once."""
        self._assembled().lead()

    def run_timed(self) -> list[float]:
        """Do all tasks once; return the seconds that each took."""
        return self._assembled().lead()

    def _assembled(self) -> _Team:
        if self._team is None:
            self._team = team = _Team(self._tasks, self._threads)
            for index in range(1, self._threads):
                threading.Thread(target=team.help, args=(index,), daemon=True).start()
            weakref.finalize(self, team.dismiss)
        return self._team


def _renew_all() -> None:
    for workers in _ALL:
        workers.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


class _Team:
    """What the threads share; it must not know the ``Workers``, or that would never be freed."""

    def __init__(self, tasks: tuple[Task, ...], threads: int) -> None:
        self._tasks, self._threads = tasks, threads
        self._process = os.getpid()
        self._meeting = threading.Barrier(threads)
        self._dismissed = False

    def lead(self) -> list[float]:
        """Start the helpers, work along, and return the seconds of each task."""
        self._meet()
        return self._work(0)

    def help(self, index: int) -> None:
        """Work along whenever the leader starts, until dismissed."""
        while True:
            self._meet()
            if self._dismissed:
                return
            self._work(index)

    def dismiss(self) -> None:
        """Let the helpers end; a forked process must not wait for those of its parent."""
        self._dismissed = True
        if os.getpid() == self._process:
            self._meet()

    def _work(self, index: int) -> list[float]:
        seconds, start = [], perf_counter()
        for task in self._tasks:
            first = task.rows * index // self._threads
            last = task.rows * (index + 1) // self._threads
            if last > first:
                task.run(first, last)
            self._meet()
            now = perf_counter()
            seconds.append(now - start)
            start = now
        return seconds

    def _meet(self) -> None:
        if self._threads > 1:
            self._meeting.wait()
