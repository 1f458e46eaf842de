"""What runs over frames and pictures have in common: Ctrl-C between two of them, and rates."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["DEFAULT_FPS", "Stop", "rate", "shown", "stop_on_interrupt"]

DEFAULT_FPS = 25.0  # of a written video, where the source states no rate


@dataclass
class Stop:
    """Whether the user wants the run to end."""

    requested: bool = False


@contextmanager
def stop_on_interrupt() -> Iterator[Stop]:
    """Let the first Ctrl-C end the run between two frames; the second one ends it at once."""
    stop = Stop()

    def note(signum: int, place: FrameType | None) -> None:
        stop.requested = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


def rate(count: int, seconds: float) -> float | None:
    """Count a second, or None of nothing."""
    return round(count / seconds, 1) if count and seconds > 0 else None


def shown(value: float | None) -> str:
    """Word a rate."""
    return "-" if value is None else f"{value:.0f}"
