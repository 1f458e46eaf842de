"""In which order a tracker sees the frames of a sequence.

One-pass evaluation (OTB, GOT-10k) starts once, from the first box. On a short list of sequences
a single early loss moves its mean by .1, so small sets are measured from four starts: forward
from frame 0 and from n/3, backward from the last frame and from 2n/3. Both are deterministic.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from binvision.errors import TrackingError, UsageError
from binvision.media.images import read_image
from binvision.trackers.evaluation.sequences import Sequence

__all__ = ["BoxTracker", "Track", "plan_runs", "run_tracker"]

STARTS = (1, 4)

# Decimals that the toolkit's result files hold. Rounding at the source makes a report the same
# whether a sequence was just run or read back.
_BOX_DECIMALS = 3
_TIME_DECIMALS = 8


class BoxTracker(Protocol):
    """What an evaluation needs from a tracker; boxes are pixels counted from 0."""

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        """Start on a target; uint8 ``[H, W, 3]``. A second call starts afresh."""

    def update(self, frame_bgr: np.ndarray) -> tuple[float, ...]:
        """Return the target's box in the next frame."""


@dataclass(frozen=True, eq=False)
class Track:
    """What a tracker answered in one run; row i belongs to frame i of the sequence.

    Attributes:
        boxes_xywh: float64 ``[len(sequence), 4]``, pixels counted as the ground truth counts
            them, rounded to what a result file holds; NaN in frames the run did not visit.
        seconds: float64 ``[len(sequence)]``, time inside the tracker (the picture is already
            decoded), NaN in frames the run did not visit.
    """

    boxes_xywh: np.ndarray
    seconds: np.ndarray


def plan_runs(visible: np.ndarray, starts: int) -> tuple[range, ...]:
    """Frame orders for a sequence: a range of frame indices a run, counting down when backward.

    Every run starts in a frame with a true box and has another one ahead: where the planned
    frame has none, the next one in the run's direction is taken.

    Args:
        visible: bool ``[N]``, True in at least two frames.
        starts: 1 (one pass) or 4.

    Raises:
        UsageError: another number of starts.
    """
    if starts not in STARTS:
        raise UsageError(f"cannot start {starts} times; --starts is 1 (one pass) or 4")
    count, seen = len(visible), np.flatnonzero(visible)
    if starts == 1:
        return (range(_forward_start(seen, 0), count),)
    return (
        range(_forward_start(seen, 0), count),
        range(_forward_start(seen, count // 3), count),
        range(_backward_start(seen, count - 1), -1, -1),
        range(_backward_start(seen, 2 * count // 3), -1, -1),
    )


def run_tracker(
    tracker: BoxTracker,
    sequence: Sequence,
    run: range,
    on_frame: Callable[[], None] = lambda: None,
) -> Track:
    """Follow the target of `sequence` through the frames of `run`.

    Args:
        tracker: Who follows; it is started afresh.
        sequence: What to follow.
        run: Frame indices, one of `plan_runs`.
        on_frame: Called after each frame.

    Raises:
        SourceError: a picture is missing or cannot be decoded.
        TrackingError: the tracker fails; the message names the picture.
    """
    shift = np.array([sequence.origin, sequence.origin, 0, 0])
    boxes = np.full((len(sequence), 4), np.nan)
    seconds = np.full(len(sequence), np.nan)
    start_box = tuple(map(float, sequence.truth_xywh[run[0]] - shift))
    for index in run:
        frame = read_image(sequence.frames[index])
        began = time.perf_counter()
        try:
            if index == run[0]:
                tracker.init(frame, start_box)
                box = start_box
            else:
                box = tracker.update(frame)
        except Exception as error:
            raise TrackingError(
                f"{sequence.frames[index]}: the tracker fails in this frame: "
                f"{type(error).__name__}: {error}"
            ) from error
        seconds[index] = time.perf_counter() - began
        boxes[index] = np.asarray(box, dtype=np.float64) + shift
        on_frame()
    return Track(np.round(boxes, _BOX_DECIMALS), np.round(seconds, _TIME_DECIMALS))


def _forward_start(seen: np.ndarray, planned: int) -> int:
    return int(seen[min(int(np.searchsorted(seen, planned)), len(seen) - 2)])


def _backward_start(seen: np.ndarray, planned: int) -> int:
    return int(seen[max(int(np.searchsorted(seen, planned, side="right")) - 1, 1)])
