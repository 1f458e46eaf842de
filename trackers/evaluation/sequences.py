"""Annotated sequences: what every layout on disk is read into, and what makes one usable.

Where the target is absent its box is NaN, or has no area; such frames are tracked but not scored.

Pixel origin: the benchmarks were made with MATLAB, and their boxes count pixels from 1. The got10k
toolkit and the official code hand them to the tracker as they are, and each C or Python tracker
has to subtract 1 by itself; here the sequence knows its origin, and trackers always see boxes that
count from 0. Result files and scores keep the convention of the ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from binvision.errors import DataError
from binvision.media.images import list_images, natural_key

__all__ = [
    "LEAVE_OUT",
    "Found",
    "Sequence",
    "checked",
    "first_gap",
    "list_frames",
    "load_all",
    "read_text",
    "require_all",
    "require_fit",
]

# What to do about one bad sequence among many.
LEAVE_OUT = "--keep-going evaluates the others"

# Names that an error message spells out; the rest are counted.
_NAMED = 8


@dataclass(frozen=True, eq=False)
class Sequence:
    """One target in one recording.

    Attributes:
        name: Unique among the sequences that are evaluated together.
        layout: ``"folder"``, ``"got10k"``, ``"otb"`` or ``"uav"``.
        frames: Pictures in order.
        truth_xywh: float64 ``[len(frames), 4]``, pixels, as the file counts them.
        origin: What the file calls the first pixel: 0, or 1 for the benchmarks.
        attributes: Names of what makes it hard, as its benchmark has them; empty where unknown.
        cover: int ``[len(frames)]``, GOT-10k's visible share in eighths, 0..8, or None.
        resolution_wh: Size of the pictures in pixels where the benchmark states it, or None.
    """

    name: str
    layout: str
    frames: tuple[Path, ...]
    truth_xywh: np.ndarray
    origin: int
    attributes: tuple[str, ...] = ()
    cover: np.ndarray | None = None
    resolution_wh: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def visible(self) -> np.ndarray:
        """bool ``[len(frames)]``: the target has a box with area in this frame, and is in sight."""
        finite = np.isfinite(self.truth_xywh).all(axis=1)
        seen = finite & (self.truth_xywh[:, 2:] > 0).all(axis=1)
        return seen if self.cover is None else seen & (self.cover > 0)

    @property
    def scored(self) -> bool:
        """Whether there is truth beside the box that starts it; GOT-10k's test set has none."""
        return int(self.visible.sum()) > 1


@dataclass(frozen=True)
class Found:
    """What a benchmark's root holds.

    Attributes:
        sequences: Those that can be evaluated, in the benchmark's order; at least one.
        skipped: (name, reason) of those that cannot, where the caller wanted to keep going.
    """

    sequences: tuple[Sequence, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def load_all(loaders: Mapping[str, Callable[[], Sequence]], keep_going: bool) -> Found:
    """Read sequences one after the other.

    Args:
        loaders: Name -> what reads the sequence, or raises DataError.
        keep_going: Skip those that cannot be read, as long as one is left.

    Raises:
        DataError: from a loader; with `keep_going`, from the first one if all of them fail.
    """
    sequences: list[Sequence] = []
    skipped: list[tuple[str, str]] = []
    for name, load in loaders.items():
        try:
            sequences.append(load())
        except DataError as error:
            if not keep_going and len(loaders) > 1:
                raise type(error)(f"{error}; {LEAVE_OUT}") from error
            if not keep_going:
                raise
            skipped.append((name, str(error)))
    if not sequences:
        raise DataError(f"none of {len(skipped)} sequences can be evaluated; {skipped[0][1]}")
    return Found(tuple(sequences), tuple(skipped))


def require_all(place: Path, title: str, absent: Collection[str], listed: int) -> None:
    """Complain of folders or sequences that a benchmark lists and that are not on disk.

    Args:
        place: Where they should be.
        title: What they are, for the message: ``"sequences of UAV123"``.
        absent: Names of those that are not there.
        listed: Number of all.

    Raises:
        DataError: there are some.
    """
    if absent:
        names = ", ".join(sorted(absent)[:_NAMED])
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        raise DataError(
            f"{place}: {len(absent)} of the {listed} {title} are missing: "
            f"{names}{more}; {LEAVE_OUT}"
        )


def checked(
    sequence: Sequence, truth: Path, *, start: int = 0, only_start: bool = False
) -> Sequence:
    """Make sure that a tracker can be started and scored on a sequence.

    Args:
        sequence: Boxes and pictures as they were found, their numbers perhaps different.
        truth: Where the boxes come from.
        start: The frame in which its first box must be.
        only_start: No other box is needed.

    Raises:
        DataError: pictures and boxes do not fit, or the boxes are of no use.
    """
    require_fit(truth, sequence.truth_xywh, sequence.frames)
    if not sequence.visible[start : start + 1].all():
        raise DataError(
            f"{truth}: line {start + 1}: the target has no box with area, or is hidden, in the "
            f"first frame; tracking starts from it"
        )
    if not sequence.scored and not only_start:
        raise DataError(f"{truth}: only one frame has a box; expected at least two to score")
    return sequence


def require_fit(truth: Path, boxes: np.ndarray, frames: tuple[Path, ...]) -> None:
    """Make sure that there is one box a picture.

    Raises:
        DataError: there is not; names the picture that seems to be missing.
    """
    if len(boxes) != len(frames):
        gap = first_gap(frames) if len(frames) < len(boxes) else None
        raise DataError(
            f"{truth}: {len(boxes)} boxes for {len(frames)} pictures; expected one box a picture"
            + (f"; {gap} is missing" if gap else "")
        )


def list_frames(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder by the numbers in their names; none if there is no such folder."""
    return tuple(sorted(list_images(folder), key=natural_key)) if folder.is_dir() else ()


def read_text(path: Path) -> str:
    """Content of a list or label file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def first_gap(frames: tuple[Path, ...]) -> Path | None:
    """The first picture that the numbering skips, as the likely cause of a short list."""
    for before, after in zip(frames, frames[1:], strict=False):
        if before.stem.isdigit() and after.stem.isdigit():
            expected = int(before.stem) + 1
            if int(after.stem) != expected:
                return before.with_stem(str(expected).zfill(len(before.stem)))
    return None
