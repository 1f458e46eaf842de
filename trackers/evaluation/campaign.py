"""Many trackers over many sequences: in this process or in several, finished work remembered."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache

import cv2

from binvision.trackers.evaluation.entrants import Entrant
from binvision.trackers.evaluation.protocols import BoxTracker, Track, plan_runs, run_tracker
from binvision.trackers.evaluation.results import ResultStore
from binvision.trackers.evaluation.sequences import Sequence

__all__ = ["Campaign", "run_campaign"]

Tracks = dict[tuple[str, str], tuple[Track, ...]]


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


def run_campaign(
    campaign: Campaign,
    *,
    jobs: int = 1,
    on_done: Callable[[Entrant, Sequence], None] = lambda entrant, sequence: None,
) -> Tracks:
    """Run what is not finished yet and return the tracks of everything.

    Args:
        campaign: What to run.
        jobs: Processes; each uses one thread, so that speeds can be compared.
        on_done: Called in this process after each sequence, finished earlier or now.

    Returns:
        (tracker name, sequence name) -> one `Track` a run, in `plan_runs` order.

    Raises:
        UsageError: the store holds results of a different tracker under the same name.
        DataError: a stored result cannot be read.
        SourceError: a picture cannot be read.
    """
    tracks, open_jobs = _collect_finished(campaign)
    for entrant in campaign.entrants:
        for sequence in campaign.sequences:
            if (entrant.name, sequence.name) in tracks:
                on_done(entrant, sequence)
    execute = _execute_here if jobs == 1 else _execute_in_processes
    for (entrant, sequence), result in execute(open_jobs, campaign, jobs):
        tracks[entrant.name, sequence.name] = result
        on_done(entrant, sequence)
    return tracks


_Job = tuple[Entrant, Sequence]


def _collect_finished(campaign: Campaign) -> tuple[Tracks, list[_Job]]:
    tracks: Tracks = {}
    open_jobs: list[_Job] = []
    for entrant in campaign.entrants:
        if campaign.store is not None:
            campaign.store.claim(entrant.name, entrant.identity())
        for sequence in campaign.sequences:
            stored = campaign.store and campaign.store.load(
                entrant.name, sequence.name, campaign.starts
            )
            if stored:
                tracks[entrant.name, sequence.name] = stored
            else:
                open_jobs.append((entrant, sequence))
    return tracks, open_jobs


def _execute_here(
    open_jobs: list[_Job], campaign: Campaign, jobs: int
) -> Iterator[tuple[_Job, tuple[Track, ...]]]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for job in open_jobs:
            yield job, _work(job, campaign.starts, campaign.store)
    finally:
        cv2.setNumThreads(threads)


def _execute_in_processes(
    open_jobs: list[_Job], campaign: Campaign, jobs: int
) -> Iterator[tuple[_Job, tuple[Track, ...]]]:
    # Long sequences first, so that the last process does not start the longest one at the end.
    open_jobs = sorted(open_jobs, key=lambda job: -len(job[1]))
    # A fresh interpreter a process: forked copies of a threaded one (OpenCV, torch) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, cv2.setNumThreads, (1,)) as pool:
        futures = {
            pool.submit(_work, job, campaign.starts, campaign.store): job for job in open_jobs
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _work(job: _Job, starts: int, store: ResultStore | None) -> tuple[Track, ...]:
    """Track one sequence from all its starts; runs in the process that does the work."""
    entrant, sequence = job
    runs = plan_runs(sequence.visible, starts)
    tracker = _build(entrant)
    tracks = tuple(run_tracker(tracker, sequence, run) for run in runs)
    if store is not None:
        store.save(entrant.name, sequence.name, tracks)
    return tracks


@lru_cache(maxsize=4)
def _build(entrant: Entrant) -> BoxTracker:
    """A process meets the same tracker many times; compiling it once is enough."""
    return entrant.build()
