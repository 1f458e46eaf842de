"""Clips in which the target of a real sequence is hidden for some frames and comes back.

A sequence is played forward and back again and again, so that a short one lasts as long as needed,
motion stays continuous and the true box stays known, also while nothing of the target is seen. Then
it is hidden, in one of two ways:

- ``occluder``: a piece of another picture slides over the target from one side, goes with it, and
  leaves on the other side.
- ``cut-out``: the target is gone from one frame to the next and comes back likewise. In its place
  is the background of another time, where the camera stood still, or what its surroundings suggest
  (`cv2.inpaint`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from binvision.errors import DataError
from binvision.media.boxes import BoxXYWH
from binvision.media.images import read_image
from binvision.trackers.evaluation.sequences import Sequence as TargetSequence

__all__ = ["AFTER", "HIDDEN", "KINDS", "PASSING", "SEEN", "HiddenClip", "make_clips"]

Frame = NDArray[np.uint8]

KINDS = ("occluder", "cut-out")
SEEN, PASSING, HIDDEN = range(3)

AFTER = 30  # frames after the return
_BEFORE = 20  # frames until something begins to cover the target
_LASTS = (10, 60)  # frames in which nothing of the target is seen, least and greatest
_LEAST_FRAMES = 20  # of a sequence that is played forward and back
_LEAST_SIDE = 4  # of a target, pixels

_SLIDE = 8  # frames from touching the target to covering it
_OCCLUDER = 1.3  # sides of the occluder in sides of the target where that is largest
_COVERED = 0.5  # part of the target from which it is neither seen nor hidden
_TRIES = 20  # pieces of a picture of which the one with the least of its target is taken

_HOLE = 1.25  # sides of what is cut out in sides of the box: shadows and outlines go too
_RING = 1.7  # sides of what must look alike at another time
_ALIKE = 10.0  # mean difference of grey levels up to which it does
_OTHER_TIMES = 6
_PAINTED_SIDE = 48  # of a hole while it is painted, pixels: paint over more becomes streaks


@dataclass(frozen=True, eq=False)
class HiddenClip:
    """A target that goes and comes back.

    Attributes:
        name: Of the clip.
        sequence: Name of the sequence that it is made of.
        kind: One of `KINDS`.
        frames: (H, W, 3) uint8 each.
        truth_xywh: float64 (N, 4), where the target is or would be, pixels counted from 0.
        states: (N,), `SEEN`, `PASSING` (half of it or more is covered) or `HIDDEN` in each frame.
    """

    name: str
    sequence: str
    kind: str
    frames: list[Frame]
    truth_xywh: NDArray[np.float64]
    states: NDArray[np.int64]

    @property
    def leaves(self) -> int:
        """The first frame in which it is not seen."""
        return int(np.flatnonzero(self.states != SEEN)[0])

    @property
    def returns(self) -> int:
        """The first frame in which it is seen again."""
        return int(np.flatnonzero(self.states != SEEN)[-1]) + 1


def make_clips(
    sequences: Sequence[TargetSequence], count: int, seed: int = 0
) -> Iterator[HiddenClip]:
    """Make ``count`` clips of each kind of each sequence that is long enough, one at a time.

    Args:
        sequences: What to make them of.
        count: Clips of a kind of a sequence; they differ in start, direction and time hidden.
        seed: Another seed, other clips. A clip does not depend on ``count``, and a cut-out not on
            the other sequences either.

    Raises:
        DataError: None of the sequences shows its target in 20 frames in a row.
        SourceError: A picture cannot be read.
    """
    usable = [sequence for sequence in sequences if len(_longest_run(sequence)) >= _LEAST_FRAMES]
    if not usable:
        raise DataError(
            f"none of {len(sequences)} sequences shows its target in {_LEAST_FRAMES} frames in a "
            f"row; give longer ones"
        )
    for sequence in usable:
        for kind in KINDS:
            for number in range(count):
                key = f"{sequence.name} {kind} {number}".encode()
                rng = np.random.default_rng([seed, *key])
                others = [other for other in sequences if other is not sequence] or [sequence]
                yield _make_clip(sequence, kind, number, others, rng)


def _make_clip(
    sequence: TargetSequence,
    kind: str,
    number: int,
    others: list[TargetSequence],
    rng: np.random.Generator,
) -> HiddenClip:
    lasts = int(rng.integers(_LASTS[0], _LASTS[1] + 1))
    slide = 2 * _SLIDE if kind == "occluder" else 0
    before = _BEFORE + slide // 2
    way = _way(_longest_run(sequence), before + lasts + slide // 2 + AFTER, rng)
    boxes = _truth(sequence)[way]
    hidden = range(before, before + lasts)
    states = np.full(len(way), SEEN)
    states[hidden] = HIDDEN
    if kind == "occluder":
        covers = _covers(boxes, hidden, rng)
        piece = _piece(others, covers[before], rng)
        covered = np.array([_covered(box, cover) for box, cover in zip(boxes, covers, strict=True)])
        states[(states == SEEN) & (covered >= _COVERED)] = PASSING
        frames = [
            _paste(_picture(sequence.frames[index]), piece, cover)
            for index, cover in zip(way.tolist(), covers, strict=True)
        ]
    else:
        frames = [
            _without_target(sequence, index)
            if state == HIDDEN
            else _picture(sequence.frames[index])
            for index, state in zip(way.tolist(), states.tolist(), strict=True)
        ]
    return HiddenClip(
        f"{sequence.name} {kind} {number}", sequence.name, kind, frames, boxes, states
    )


# The way through the sequence


def _truth(sequence: TargetSequence) -> NDArray[np.float64]:
    shift = [sequence.origin, sequence.origin, 0, 0]
    return np.asarray(sequence.truth_xywh - shift, np.float64)


def _longest_run(sequence: TargetSequence) -> range:
    """The longest run of frames that show the target."""
    with np.errstate(invalid="ignore"):
        shown = sequence.visible & (sequence.truth_xywh[:, 2:] >= _LEAST_SIDE).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]])))
    runs = [range(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    return max(runs, key=len, default=range(0))


def _way(run: range, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Frame numbers that go to and fro in a run, from some frame on, in some direction."""
    period = 2 * (len(run) - 1)
    steps = (int(rng.integers(period)) + np.arange(length)) % period
    return run.start + np.minimum(steps, period - steps)


# A piece of another picture


def _covers(
    boxes: NDArray[np.float64], hidden: range, rng: np.random.Generator
) -> list[BoxXYWH | None]:
    """The occluder's box in each frame; None before and after it is near.

    It comes at a steady speed against the target, from twice the distance at which it touches it.
    """
    sides = _OCCLUDER * boxes[max(hidden.start - 2 * _SLIDE, 0) : hidden.stop + 2 * _SLIDE, 2:].max(
        0
    )
    axis, sign = int(rng.integers(2)), int(rng.choice([-1, 1]))
    covers: list[BoxXYWH | None] = []
    for index, (x, y, w, h) in enumerate(boxes.tolist()):
        early, late = hidden.start - index, index - (hidden.stop - 1)
        offset = max(early, 0) - max(late, 0)
        if abs(offset) > 2 * _SLIDE:
            covers.append(None)
            continue
        centre = np.array([x + w / 2, y + h / 2])
        touching = (sides[axis] + (w, h)[axis]) / 2
        centre[axis] += sign * touching * offset / _SLIDE
        covers.append((*(centre - sides / 2).tolist(), *sides.tolist()))
    return covers


def _covered(box: BoxXYWH, cover: BoxXYWH | None) -> float:
    """Part of the box that lies under the occluder."""
    if cover is None:
        return 0.0
    parts = [
        max(min(box[a] + box[a + 2], cover[a] + cover[a + 2]) - max(box[a], cover[a]), 0.0)
        / box[a + 2]
        for a in (0, 1)
    ]
    return parts[0] * parts[1]


def _piece(others: list[TargetSequence], cover: BoxXYWH | None, rng: np.random.Generator) -> Frame:
    """A piece of a picture of another sequence, without its target if possible, as an occluder."""
    assert cover is not None
    other = others[int(rng.integers(len(others)))]
    index = int(rng.integers(len(other)))
    picture, box = _picture(other.frames[index]), _truth(other)[index]
    height, width = picture.shape[:2]
    w, h = max(round(cover[2]), 2), max(round(cover[3]), 2)
    shrink = min(1.0, 0.8 * width / w, 0.8 * height / h)
    cut_w, cut_h = max(int(w * shrink), 2), max(int(h * shrink), 2)
    choices = [
        (float(rng.integers(width - cut_w + 1)), float(rng.integers(height - cut_h + 1)))
        for _ in range(_TRIES)
    ]
    x, y = min(choices, key=lambda place: _covered((*place, cut_w, cut_h), tuple(box.tolist())))
    cut = picture[int(y) : int(y) + cut_h, int(x) : int(x) + cut_w]
    return np.asarray(cv2.resize(cut, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _paste(picture: Frame, piece: Frame, cover: BoxXYWH | None) -> Frame:
    if cover is None:
        return picture
    frame = picture.copy()
    left, top = round(cover[0]), round(cover[1])
    (h, w), (height, width) = piece.shape[:2], frame.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + w, width), min(top + h, height)
    if x0 < x1 and y0 < y1:
        frame[y0:y1, x0:x1] = piece[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame


# A frame without the target


def _without_target(sequence: TargetSequence, index: int) -> Frame:
    """The frame with the background in the target's place, as far as one knows it."""
    frame = _picture(sequence.frames[index])
    boxes = _truth(sequence)
    hole = _region(boxes[index], _HOLE, frame)
    ring = _region(boxes[index], _RING, frame)
    y0, y1, x0, x1 = ring
    around = np.ones((y1 - y0, x1 - x0), bool)
    around[hole[0] - y0 : hole[1] - y0, hole[2] - x0 : hole[3] - x0] = False
    here = frame[y0:y1, x0:x1].astype(np.float32)
    choices = []
    for other in _other_times(boxes, index, _longest_run(sequence)):
        there = _picture(sequence.frames[other])[y0:y1, x0:x1].astype(np.float32)
        shift = (here - there)[around].mean(axis=0) if around.any() else 0.0
        choices.append((float(np.abs(here - there - shift)[around].mean()), other, there + shift))
    difference, _, background = min(choices, default=(np.inf, 0, here), key=lambda one: one[:2])
    if not difference <= _ALIKE:
        background = _painted(here, ~around)
    soft = cv2.GaussianBlur((~around).astype(np.float32), (0, 0), 1.5)[..., None]
    mended = frame.copy()
    mended[y0:y1, x0:x1] = np.clip(np.rint(here + (background - here) * soft), 0, 255)
    return mended


def _other_times(boxes: NDArray[np.float64], index: int, run: range) -> list[int]:
    """Some frames, spread in time, in which the target leaves free what it covers now."""
    now = boxes[index]
    free = [
        other
        for other in run
        if (
            np.abs(boxes[other, :2] + boxes[other, 2:] / 2 - now[:2] - now[2:] / 2)
            > (_HOLE + 0.1) * (boxes[other, 2:] + now[2:]) / 2
        ).any()
    ]
    picks = np.linspace(0, len(free) - 1, min(_OTHER_TIMES, len(free))).astype(int)
    return [free[pick] for pick in picks.tolist()]


def _region(box: NDArray[np.float64], factor: float, frame: Frame) -> tuple[int, int, int, int]:
    """Rows and columns y0, y1, x0, x1 of a box enlarged about its centre, inside the frame."""
    centre, sides = box[:2] + box[2:] / 2, factor * box[2:] + 4
    low, high = centre - sides / 2, centre + sides / 2
    bounds = []
    for a, extent in ((1, frame.shape[0]), (0, frame.shape[1])):
        start = min(max(int(low[a]), 0), extent - 1)
        bounds += [start, min(max(int(high[a]) + 1, start + 1), extent)]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def _painted(patch: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Paint the surroundings over the hole of a patch; all of it a hole: grey."""
    if hole.all():
        return np.full_like(patch, 128)
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    shrink = min(1.0, _PAINTED_SIDE / max(len(rows), len(columns)))
    size = tuple(max(round(side * shrink), 2) for side in hole.shape[::-1])
    small = cv2.resize(np.clip(patch, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR_EXACT)
    mask = cv2.dilate((mask > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    painted = cv2.inpaint(small, mask, 3, cv2.INPAINT_TELEA)
    return cv2.resize(painted, hole.shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)


@lru_cache(maxsize=160)
def _picture(path: Path) -> Frame:
    """A picture of a sequence, which every clip of it needs again; never written to."""
    picture = read_image(path)
    picture.setflags(write=False)
    return picture
