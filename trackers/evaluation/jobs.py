"""One tracker on one sequence: what is run, remembered, repeated, and sent elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import cv2

from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.protocols import BoxTracker, Track, plan_runs, run_tracker
from binvision.trackers.evaluation.sequences import Sequence as TargetSequence

__all__ = ["Job", "Result", "Watch", "attempt", "run_here"]

Result = tuple[Track, ...] | Exception
"""One `Track` a run, in `plan_runs` order, or what went wrong."""


@dataclass(frozen=True, eq=False)
class Job:
    """One tracker on one sequence, from all its starts; can be sent to another process.

    Attributes:
        entrant: The tracker.
        sequence: What it follows.
        starts: 1 or 4, see `protocols.plan_runs`.
    """

    entrant: Entrant
    sequence: TargetSequence
    starts: int

    def __str__(self) -> str:
        return f"{self.entrant.name} on {self.sequence.name}"

    @property
    def runs(self) -> tuple[range, ...]:
        """Frame indices of each run."""
        return plan_runs(self.sequence.visible, self.starts)

    @property
    def frames(self) -> int:
        """Number of frames in all runs."""
        return sum(map(len, self.runs))


class Watch(Protocol):
    """Who looks on while jobs run."""

    def planned(self, finished: Sequence[Job], waiting: Sequence[Job]) -> None:
        """Work begins: these are finished from earlier, those are to be done."""

    def progressed(self, job: Job, frames: int) -> None:
        """So many of the job's frames are done; fewer than before where it starts anew."""

    def noted(self, text: str) -> None:
        """Something that the user should know, and that does not end the work."""


def attempt(job: Job, on_frames: Callable[[int], None]) -> Result:
    """Do a job in this process; whatever goes wrong is returned, so that it can be sent.

    Args:
        job: What to do.
        on_frames: Called after each frame with the number of frames that are done.
    """
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        on_frames(done)

    try:
        tracker = _build(job.entrant)
        return tuple(run_tracker(tracker, job.sequence, run, count) for run in job.runs)
    except Exception as error:
        return error


def run_here(jobs: Iterator[Job], watch: Watch) -> Generator[tuple[Job, Result], None, None]:
    """Do jobs one after the other in this process, on one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for job in jobs:
            yield job, attempt(job, partial(watch.progressed, job))
    finally:
        cv2.setNumThreads(threads)


@lru_cache(maxsize=4)
def _build(entrant: Entrant) -> BoxTracker:
    """A process meets the same tracker many times; compiling it once is enough."""
    return entrant.build()
