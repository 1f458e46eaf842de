"""A campaign at the terminal: one bar for all its processes, its notes, and Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from binvision.cli.terminal import frame_bar
from binvision.errors import DataError

if TYPE_CHECKING:
    from binvision.trackers.evaluation.campaign import Campaign, Tracks
    from binvision.trackers.evaluation.jobs import Job

__all__ = ["run_with_progress"]


def run_with_progress(
    campaign: Campaign, *, jobs: int, cluster: str | None, keep_going: bool
) -> tuple[Campaign, Tracks, tuple[tuple[str, str], ...]]:
    """Run a campaign behind one bar on stderr.

    Args:
        campaign: What to run.
        jobs: Processes of this machine.
        cluster: Address of a Dask scheduler that does the work in their place, or None.
        keep_going: Leave sequences that fail out.

    Returns:
        The campaign without the sequences that failed for any tracker, the tracks, and the name
        of each of those sequences with the reason.

    Raises:
        KeyboardInterrupt: with a sentence on what is kept and how to go on.
        DataError: every sequence failed.
        BinvisionError: as `campaign.run_campaign`.
    """
    from binvision.trackers.evaluation.campaign import run_campaign

    skipped: dict[str, str] = {}

    def skip(job: Job, error: Exception) -> None:
        skipped.setdefault(job.sequence.name, f"{job.entrant.name}: {error}")

    _build_each(campaign, cluster)
    with _Bar() as bar:
        try:
            tracks = run_campaign(
                campaign,
                jobs=jobs,
                cluster=cluster,
                on_fault=skip if keep_going else None,
                watch=bar,
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(_how_to_go_on(campaign)) from interrupt
    measured = campaign.without(skipped)
    if not measured.sequences:
        name, reason = next(iter(skipped.items()))
        raise DataError(f"every sequence failed; the first, {name}: {reason}")
    return measured, tracks, tuple(skipped.items())


def _build_each(campaign: Campaign, cluster: str | None) -> None:
    """Build every tracker before the work, so that the last one does not fail after all others.

    Kernels are compiled here, in the user's sight; processes then find them in the cache. For a
    cluster, what a checkpoint needs is not wanted here.
    """
    for entrant in campaign.entrants:
        if entrant.kind != "checkpoint" or not cluster:
            entrant.build()


def _how_to_go_on(campaign: Campaign) -> str:
    if campaign.store is None:
        return "nothing is kept; with --out DIR the same command would go on from here"
    jobs, is_finished = campaign.jobs(), campaign.store.is_finished
    finished = sum(is_finished(job.entrant.name, job.sequence.name, job.starts) for job in jobs)
    return (
        f"{finished} of {len(jobs)} results are finished and kept in {campaign.store.folder}; "
        f"the same command goes on from there"
    )


class _Bar:
    """Frames done and time left; the `Watch` of a campaign."""

    def __init__(self) -> None:
        self._progress = frame_bar("frames")
        self._done = 0
        self._frames: dict[Job, int] = {}

    def planned(self, finished: Sequence[Job], waiting: Sequence[Job]) -> None:
        """Count what is finished from earlier as done, but not into the speed."""
        self._done = sum(job.frames for job in finished)
        total = self._done + sum(job.frames for job in waiting)
        self._task = self._progress.add_task("evaluating", total=total, completed=self._done)

    def progressed(self, job: Job, frames: int) -> None:
        """Move the bar."""
        self._done += frames - self._frames.get(job, 0)
        self._frames[job] = frames
        self._progress.update(self._task, completed=self._done, description=str(job))

    def noted(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
