"""Who looks on while a campaign runs, and trackers to which things happen in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from binvision.trackers.evaluation.jobs import Job
from tests.support.sequences import StillTracker

__all__ = ["MishapEntrant", "Recorder"]


class Recorder:
    """Remembers what a campaign tells its watch."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.waiting: list[str] = []
        self.frames: dict[str, int] = {}
        self.notes: list[str] = []

    def planned(self, finished: Sequence[Job], waiting: Sequence[Job]) -> None:
        self.finished, self.waiting = ([str(job) for job in jobs] for jobs in (finished, waiting))

    def progressed(self, job: Job, frames: int) -> None:
        self.frames[str(job)] = frames

    def noted(self, text: str) -> None:
        self.notes.append(text)


class _MishapTracker(StillTracker):
    def __init__(self, entrant: MishapEntrant) -> None:
        self._entrant = entrant

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        self._entrant.write(f"start {os.getpid()} {box_xywh[0]:g}")
        self._is_near = box_xywh[0] == self._entrant.left
        super().init(frame_bgr, box_xywh)

    def update(self, frame_bgr: np.ndarray) -> tuple[float, ...]:
        time.sleep(self._entrant.seconds)
        entrant = self._entrant
        if self._is_near and len(entrant.lines("mishap")) < entrant.times:
            entrant.write(f"mishap {os.getpid()}")
            if entrant.kind == "raise":
                raise ArithmeticError("cannot go on")
            os.kill(os.getpid(), getattr(signal, entrant.kind))
        return super().update(frame_bgr)


@dataclass(frozen=True)
class MishapEntrant:
    """A still tracker to which something happens in the sequence whose box starts at ``left``.

    Attributes:
        log: Gets a line for each start and each mishap, with the number of the process.
        left: Where the box of the unlucky sequence starts, in pixels.
        kind: Name of a signal that kills its process, or ``"raise"``.
        times: How often it happens.
        seconds: Time that each frame takes.
    """

    log: Path
    left: float = -1
    kind: str = "SIGKILL"
    times: int = 1
    seconds: float = 0.0
    name: str = "unlucky"
    file: None = None

    def build(self) -> _MishapTracker:
        return _MishapTracker(self)

    def identity(self) -> dict[str, object]:
        return {"kind": "unlucky"}

    def write(self, line: str) -> None:
        with self.log.open("a") as log:
            log.write(line + "\n")

    def lines(self, kind: str) -> list[str]:
        """What was logged of this kind, in order."""
        text = self.log.read_text() if self.log.exists() else ""
        return [line for line in text.splitlines() if line.startswith(kind)]
