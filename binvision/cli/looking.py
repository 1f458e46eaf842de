"""The run behind ``detect``, ``align`` and ``pose``: every shot is looked at, results go out."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray

from binvision.cli.outputs import Outputs, Writer
from binvision.cli.running import rate, shown, stop_on_interrupt
from binvision.cli.shots import Shot, picture_shots, video_shots
from binvision.cli.terminal import FrameProgress, note
from binvision.errors import SourceError
from binvision.kernels.isa import kernel_path
from binvision.media.pictures import find_pictures
from binvision.media.sources import open_source
from binvision.media.window import check_display

__all__ = ["LookSummary", "Looker", "look_through", "report"]

Found = TypeVar("Found")


class Looker(Protocol[Found]):
    """What a command does with each shot.

    Attributes:
        model: Name of its model.
        worker: What it is called in figures.
        stages: Names of the stages that are its own work; one shot's rate follows from them.
    """

    model: str
    worker: str
    stages: tuple[str, ...]

    def __call__(self, shot: Shot) -> Sequence[Found]:
        """Look at a picture, or at the next frame, and count what is there."""
        ...

    def annotate(self, image: NDArray[np.uint8], found: Sequence[Found]) -> NDArray[np.uint8]:
        """Draw what was found on a copy of (H, W, 3) uint8 BGR."""
        ...

    def line_of(self, found: Found) -> str:
        """Word one of the things that were found in a picture."""
        ...

    def counts(self) -> dict[str, Any]:
        """How many were found until now, for JSON."""
        ...

    def counts_in_words(self) -> str:
        """How many were found until now, for people."""
        ...

    @property
    def seconds(self) -> dict[str, float]:
        """Time of the shots until now, by stage."""
        ...


@dataclass
class LookSummary(Generic[Found]):
    """What a run did.

    Attributes:
        source: Name of the source.
        looker: What looked at it.
        unit: What is counted: pictures or frames.
        pictures: How many were looked at.
        unreadable: What was wrong with those that could not be read.
        last: What was found in the last picture.
        seconds: Time by stage: decode, those of the looker, output.
        total_s: Time from the first picture to the last, everything included.
        interrupted: Whether Ctrl-C ended the run.
        written: Files that were finished; of a folder of pictures the folder alone.
    """

    source: str
    looker: Looker[Found]
    unit: str
    pictures: int = 0
    unreadable: list[str] = field(default_factory=list)
    last: Sequence[Found] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    total_s: float = 0.0
    interrupted: bool = False
    written: list[Path] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON; a rate of nothing is None."""
        worker_s = sum(self.seconds.get(stage, 0.0) for stage in self.looker.stages)
        return {
            "source": self.source,
            "model": self.looker.model,
            "kernels": kernel_path(),
            self.unit: self.pictures,
            "unreadable": len(self.unreadable),
            **self.looker.counts(),
            f"fps_{self.looker.worker}": rate(self.pictures, worker_s),
            "fps_whole": rate(self.pictures, self.total_s),
            "ms_per_picture": {
                stage: round(1000 * seconds / max(self.pictures, 1), 3)
                for stage, seconds in self.seconds.items()
            },
        }

    def line(self) -> str:
        """Word the figures in one line."""
        figures, worker = self.as_dict(), self.looker.worker
        unreadable = f" ({len(self.unreadable)} more unreadable)" if self.unreadable else ""
        unit = self.unit if self.pictures != 1 else self.unit.removesuffix("s")
        stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in figures["ms_per_picture"].items())
        return (
            f"{self.pictures} {unit}{unreadable}, {self.looker.counts_in_words()}; "
            f"{self.looker.model} on {figures['kernels']}: "
            f"{worker} alone {shown(figures[f'fps_{worker}'])} {self.unit}/s, "
            f"whole {shown(figures['fps_whole'])} (ms each: {stages})"
        )


def look_through(source: str, looker: Looker[Found], outputs: Outputs[Found]) -> LookSummary[Found]:
    """Open a source and look at it to its end; files that are finished are named on stderr.

    Files are finished whatever ends the run; only then does an error pass on.

    Args:
        source: Pictures as ``find_pictures`` takes them, or else what ``open_source`` takes.
        looker: What looks at each of them.
        outputs: What to write and show.

    Returns:
        What was done; also after Ctrl-C.

    Raises:
        UsageError: An output does not suit the source.
        MediaError: The source is wrong or breaks off, or an output cannot be written.
        BinvisionError: The looker's own.
    """
    if outputs.show:
        check_display("--show")
    pictures = find_pictures(source)
    outputs.check(pictures)
    summary = LookSummary(source, looker, "frames" if pictures is None else "pictures")
    try:
        if pictures is None:
            with open_source(source) as video:
                summary.source = video.name
                _look(video_shots(video), summary, outputs, video.count, video.fps)
        else:
            shots = picture_shots(pictures, summary.unreadable)
            _look(shots, summary, outputs, len(pictures), None)
    finally:
        for path in summary.written:
            note(f"wrote {path}")
    return summary


def _look(
    shots: Iterator[Shot],
    summary: LookSummary[Found],
    outputs: Outputs[Found],
    count: int | None,
    fps: float | None,
) -> None:
    looker = summary.looker
    about = {"source": summary.source, "model": looker.model}
    clock = {"decode": 0.0, "output": 0.0}
    started = perf_counter()
    try:
        with ExitStack() as stack:
            writer = stack.enter_context(Writer(outputs, about, count, fps, summary.written))
            stop = stack.enter_context(stop_on_interrupt())
            bar = stack.enter_context(FrameProgress(f"in {summary.source}", count, summary.unit))
            while not (stop.requested or writer.closed_by_user):
                began = perf_counter()
                shot = next(shots, None)
                clock["decode"] += perf_counter() - began
                if shot is None:
                    break
                summary.last = looker(shot)
                summary.pictures += 1
                began = perf_counter()
                writer.write(shot, summary.last, looker.annotate)
                clock["output"] += perf_counter() - began
                bar.advance()
                if shot.file:
                    writer.hold(stop)
            summary.interrupted = stop.requested
            began = perf_counter()
        clock["output"] += perf_counter() - began  # finishing the files
    finally:
        summary.total_s = perf_counter() - started
        summary.seconds = {"decode": clock["decode"], **looker.seconds, "output": clock["output"]}


def report(summary: LookSummary[Found], as_json: bool) -> None:
    """Print the summary, and what was found in a single picture.

    Raises:
        KeyboardInterrupt: Ctrl-C had ended the run: the process ends as interrupted ones do.
        SourceError: Pictures could not be read.
    """
    if as_json:
        typer.echo(json_module.dumps(summary.as_dict()))
    else:
        if summary.unit == "pictures" and summary.pictures == 1:
            for found in summary.last:
                typer.echo(summary.looker.line_of(found))
        typer.echo(summary.line())
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.unreadable:
        looked_at = summary.pictures + len(summary.unreadable)
        raise SourceError(
            f"{len(summary.unreadable)} of {looked_at} pictures could not be read; "
            f"the first: {summary.unreadable[0]}"
        )
