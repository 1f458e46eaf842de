"""What commands show while they work, on stderr, so that stdout holds results alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["FrameProgress", "frame_bar", "note", "note_problems"]

_REFRESH_S = 0.1
_PROBLEMS_SHOWN = 5


def note(text: str) -> None:
    """Tell the user something that is not a result."""
    typer.echo(text, err=True)


def note_problems(problems: Sequence[str]) -> None:
    """Tell the user the first of what is wrong with the data of an evaluation."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        note(f"note: {problem}")
    if len(problems) > _PROBLEMS_SHOWN:
        note(f"note: and {len(problems) - _PROBLEMS_SHOWN} more; report.json has all")


def frame_bar(unit: str) -> Progress:
    """Return a bar of what is done and the time left; none where stderr is no terminal.

    Args:
        unit: What follows the count; ``{task.fields[NAME]}`` stands for a field of the task.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


class FrameProgress:
    """A bar with frames, rate and time left; its length may be unknown."""

    def __init__(self, text: str, count: int | None, unit: str = "frames") -> None:
        """Prepare a bar for ``count`` frames or other units, or for as many as come if None."""
        self._unit = unit
        self._progress = frame_bar("{task.fields[rate]}")
        self._task = self._progress.add_task(text, total=count, rate="")
        self._done = 0
        self._started = self._shown = time.perf_counter()

    def advance(self) -> None:
        """Count a frame."""
        self._done += 1
        now = time.perf_counter()
        if now - self._shown > _REFRESH_S:
            self._shown = now
            rate = f"{self._done / (now - self._started):.0f} {self._unit}/s"
            self._progress.update(self._task, completed=self._done, rate=rate)

    def __enter__(self) -> FrameProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
