"""Many trackers over many sequences, here or in many places, finished work remembered.

All results are written by the process that leads the campaign: those that work for it may die or
stand on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from binvision.errors import DataError, SourceError, TrackingError, UsageError, WorkerError
from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.jobs import Job, Result, Watch, run_here
from binvision.trackers.evaluation.processes import run_in_processes
from binvision.trackers.evaluation.protocols import Track
from binvision.trackers.evaluation.results import ResultStore
from binvision.trackers.evaluation.sequences import LEAVE_OUT, Sequence

__all__ = ["Campaign", "Tracks", "run_campaign"]

Tracks = dict[tuple[str, str], tuple[Track, ...]]

# What is wrong with one sequence; anything else would go wrong with all of them.
_FAULTS = (DataError, SourceError, TrackingError, WorkerError)


@dataclass(frozen=True)
class Campaign:
    """What is to be measured.

    Attributes:
        entrants: Trackers, their names unique.
        sequences: Sequences, their names unique.
        starts: 1 or 4, see `protocols.plan_runs`.
        store: Where results are kept, or None to keep them in memory only.
    """

    entrants: tuple[Entrant, ...]
    sequences: tuple[Sequence, ...]
    starts: int
    store: ResultStore | None

    def jobs(self) -> list[Job]:
        """Every tracker on every sequence."""
        return [
            Job(entrant, sequence, self.starts)
            for entrant in self.entrants
            for sequence in self.sequences
        ]

    def without(self, names: Collection[str]) -> Campaign:
        """The same on fewer sequences: those named are left out, for all trackers alike."""
        kept = tuple(sequence for sequence in self.sequences if sequence.name not in names)
        return replace(self, sequences=kept)


class _Nobody:
    """Looks on while jobs run, and does not care."""

    def planned(self, finished: object, waiting: object) -> None: ...

    def progressed(self, job: Job, frames: int) -> None: ...

    def noted(self, text: str) -> None: ...


def run_campaign(
    campaign: Campaign,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    on_fault: Callable[[Job, Exception], None] | None = None,
    watch: Watch | None = None,
) -> Tracks:
    """Run what is not finished yet and return the tracks of everything.

    Several campaigns may share one store at the same time: each does what it finds undone.

    Args:
        campaign: What to run.
        jobs: Processes; each uses one thread, so that speeds can be compared.
        cluster: Address of a Dask scheduler that does the work in place of local processes.
        on_fault: Told of a sequence that fails for a tracker, which is then missing in the
            result and not remembered as finished. If None, the first fault ends the campaign.
        watch: Who looks on.

    Returns:
        (tracker name, sequence name) -> one `Track` a run, in `plan_runs` order.

    Raises:
        UsageError: the store holds results of a different tracker under the same name, or both
            ``jobs`` and ``cluster`` are given.
        DataError: a stored result cannot be read.
        SourceError: a picture cannot be read.
        TrackingError: a tracker fails.
        WorkerError: a process died twice on a sequence, or the cluster is of no use.
        MissingExtraError: ``cluster`` is given and Dask is not installed.
    """
    watch = watch or _Nobody()
    tracks, waiting = _divide(campaign, watch)
    if cluster or jobs > 1:
        waiting.sort(key=lambda job: -job.frames)  # not to be left with the longest at the end
    open_jobs = _still_open(waiting, campaign.store, tracks, watch)
    with closing(_execute(open_jobs, jobs, cluster, watch)) as results:
        for job, result in results:
            if isinstance(result, _FAULTS) and on_fault:
                on_fault(job, result)
            elif isinstance(result, _FAULTS):
                others = f"; {LEAVE_OUT}" if len(campaign.sequences) > 1 else ""
                raise type(result)(f"{job}: {result}{others}") from result
            elif isinstance(result, Exception):
                raise result
            else:
                tracks[_key(job)] = _keep(job, result, campaign.store)
            watch.progressed(job, job.frames)
    return tracks


def _divide(campaign: Campaign, watch: Watch) -> tuple[Tracks, list[Job]]:
    """What is finished, and what waits to be done."""
    if campaign.store:
        for entrant in campaign.entrants:
            campaign.store.claim(entrant.name, entrant.identity())
    tracks: Tracks = {}
    finished: list[Job] = []
    waiting: list[Job] = []
    for job in campaign.jobs():
        stored = _stored(job, campaign.store)
        if stored:
            tracks[_key(job)] = stored
        (finished if stored else waiting).append(job)
    watch.planned(finished, waiting)
    return tracks, waiting


def _still_open(
    waiting: list[Job], store: ResultStore | None, tracks: Tracks, watch: Watch
) -> Iterator[Job]:
    """Jobs whose turn has come, but for those that another campaign has done meanwhile."""
    for job in waiting:
        stored = _stored(job, store)
        if stored:
            tracks[_key(job)] = stored
            watch.progressed(job, job.frames)
        else:
            yield job


def _execute(
    open_jobs: Iterator[Job], jobs: int, cluster: str | None, watch: Watch
) -> Generator[tuple[Job, Result], None, None]:
    if cluster and jobs > 1:
        raise UsageError("--jobs counts processes of this machine; with --cluster, leave it out")
    if cluster:
        from binvision.trackers.evaluation.cluster import run_on_cluster

        return run_on_cluster(open_jobs, cluster, watch)
    if jobs > 1:
        return run_in_processes(open_jobs, jobs, watch)
    return run_here(open_jobs, watch)


def _key(job: Job) -> tuple[str, str]:
    return job.entrant.name, job.sequence.name


def _stored(job: Job, store: ResultStore | None) -> tuple[Track, ...] | None:
    return store.load(*_key(job), job.starts, len(job.sequence)) if store else None


def _keep(job: Job, tracks: tuple[Track, ...], store: ResultStore | None) -> tuple[Track, ...]:
    """Write a result, unless another campaign was first: then that one stands, here too."""
    earlier = _stored(job, store)
    if store and not earlier:
        store.save(*_key(job), tracks)
    return earlier or tracks
