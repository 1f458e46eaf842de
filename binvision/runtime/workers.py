"""A few threads that walk through a list of tasks together, each doing its share of the rows."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from time import perf_counter

from binvision.runtime.draft import Task

__all__ = ["Workers"]


class Workers:
    """``threads`` threads, the caller's included; with one thread there are no others.

    The kernels release the GIL. Between tasks all threads meet at a barrier, since a task reads
    what others wrote. The helpers end when the object is collected.

    Args:
        tasks: What a run does, in order.
        threads: Number of threads.
    """

    def __init__(self, tasks: Sequence[Task], threads: int) -> None:
        self._team = _Team(tuple(tasks), threads)
        for index in range(1, threads):
            helper = threading.Thread(target=self._team.help, args=(index,), daemon=True)
            helper.start()
        weakref.finalize(self, self._team.dismiss)

    def run(self) -> None:
        """Do all tasks once."""
        self._team.lead()

    def run_timed(self) -> list[float]:
        """Do all tasks once; return the seconds that each took."""
        return self._team.lead()


class _Team:
    """What the threads share; it must not know the ``Workers``, or that would never be freed."""

    def __init__(self, tasks: tuple[Task, ...], threads: int) -> None:
        self._tasks, self._threads = tasks, threads
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
        """Let the helpers end."""
        self._dismissed = True
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
