"""SiamFC (Bertinetto et al., 2016) frame by frame: the loop that a user drives.

    tracker = Tracker("rb-siamfc")
    tracker.init(frame, (x, y, width, height))
    result = tracker.update(next_frame)

While the target is in sight, one batch of crops looks at its surroundings at three scales. When
the score falls below ``lost_threshold`` the target is *lost*: the same batch then looks at the
last place and, nearest first, at ever further places of the frame, in the target's own size (a
larger crop would show it smaller than the network knows it). It counts as found when a score
reaches ``found_threshold``. A lost frame costs no more time than another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from binvision.errors import BoxError, FrameError, ModelError, UsageError
from binvision.media.images import check_frame
from binvision.trackers.embedder import Embedder, PackedEmbedder, response_side
from binvision.trackers.exemplar import Look, likeness, look_at, sigmoid
from binvision.trackers.geometry import Window, context_side, crop_square, mean_colour
from binvision.trackers.response import Peak, PeakFinder
from binvision.trackers.settings import SiamFCSettings

__all__ = ["Timings", "TrackResult", "Tracker"]

_SIDE_LIMITS = (0.2, 5.0)  # how far the target may shrink and grow, against its first size
_BOX_LIMITS = (0.01, 100)  # least side of a box in pixels, greatest in sides of the frame
_SPACING = 0.6  # distance of two places searched for a lost target, in sides of a search crop


@dataclass(frozen=True)
class TrackResult:
    """What a tracker found in a frame.

    Attributes:
        box_xywh: Left, top, width, height of the target in pixels, counted from 0; the last
            known box while it is lost. It may reach beyond the frame.
        score: Confidence in 0..1, the sigmoid of the response at the target.
        lost: True while the target is taken for lost.
    """

    box_xywh: tuple[float, float, float, float]
    score: float
    lost: bool


@dataclass
class Timings:
    """Seconds spent since the tracker was made, by stage.

    Attributes:
        crop: Cutting and resizing.
        network: Features.
        post: Correlation, search of the peak, update of the box.
        frames: Number of frames that ``update`` was called for; ``init`` is not counted.
    """

    crop: float = 0.0
    network: float = 0.0
    post: float = 0.0
    frames: int = 0

    @property
    def total(self) -> float:
        """Seconds spent in all stages."""
        return self.crop + self.network + self.post


class Tracker:
    """Follows one target through the frames of a video.

    Attributes:
        timings: Time spent, by stage.
    """

    def __init__(self, model: str | Path | Embedder = "rb-siamfc", *, threads: int = 1) -> None:
        """Load a model, or take an embedder that several trackers share.

        Args:
            model: Name of a model of the zoo, path of a packed model, or an Embedder.
            threads: Threads that the network may use; an Embedder has its own.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        if isinstance(model, (str, Path)):
            model = PackedEmbedder(model, threads=threads)
            model.prepare()
        self._embedder = model
        self._settings = model.settings
        self._search = _SearchBuffers(self._settings)
        self._size_hw: tuple[int, int] | None = None
        self.timings = Timings()

    def init(self, frame: NDArray[np.uint8], box_xywh: Sequence[float]) -> None:
        """Take over the target in ``box_xywh``; may be called again for another target.

        Args:
            frame: (H, W, 3) uint8, BGR.
            box_xywh: Left, top, width, height in pixels, counted from 0.

        Raises:
            FrameError: The frame has another type or number of channels.
            BoxError: The box is not finite, has no area, or lies outside the frame.
            ModelError: The network's features are smaller than its settings say.
        """
        _check_frame(frame, None)
        x, y, w, h = _checked_box(box_xywh, frame.shape[:2])
        settings = self._settings
        self._size_hw = frame.shape[:2]
        self._fill = mean_colour(frame)
        self._centre = (x + w / 2, y + h / 2)
        self._size_wh = (w, h)
        self._lost = False
        self._places: _Places | None = None

        look = look_at(self._embedder, frame, (x, y, w, h), self._fill)
        self._exemplar = look.exemplar
        self._side = self._first_side = look.side
        # The crop's centre is rounded: what is found later is this point, not the box's centre.
        self._anchor = tuple(
            (centre - cut) / self._side
            for centre, cut in zip(self._centre, look.window.centre_xy, strict=True)
        )
        # The exemplar was seen at window.side; the same factor applies to every search crop.
        self._zoom = look.window.side / look.side * settings.search_size / settings.exemplar_size

    def correct(self, box_xywh: Sequence[float]) -> None:
        """Take over a better box of the same target, which then counts as found.

        The tracker goes on from there with the exemplar that ``init`` gave it.

        Args:
            box_xywh: Left, top, width, height in pixels of the frame given last.

        Raises:
            UsageError: ``init`` has not been called.
            BoxError: The box is not finite, has no area, or lies outside the frame.
        """
        x, y, w, h = _checked_box(box_xywh, self._checked_size("correct"))
        self._centre = (x + w / 2, y + h / 2)
        self._size_wh = (w, h)
        self._side = self._first_side = context_side((w, h), self._settings.context)
        self._lost = False
        self._places = None

    def likeness(self, look: Look) -> float:
        """How sure the network is that ``look`` shows the target given to ``init``, 0..1."""
        self._checked_size("likeness")
        return likeness(self._exemplar, look, self._settings)

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: (H, W, 3) uint8, BGR, of the size of the frame given to ``init``.

        Raises:
            UsageError: ``init`` has not been called.
            FrameError: The frame has another size, type or number of channels.
            ModelError: The network's output is not finite, or smaller than the exemplar.
        """
        _check_frame(frame, self._checked_size("update"))
        score = self._look_around(frame) if self._lost else self._follow(frame)
        self.timings.frames += 1
        w, h = self._size_wh
        left, top = self._centre[0] - w / 2, self._centre[1] - h / 2
        return TrackResult((left, top, w, h), score, self._lost)

    def _checked_size(self, call: str) -> tuple[int, int]:
        if self._size_hw is None:
            raise UsageError(f"{call}() before init(): call init(frame, box_xywh) with a first box")
        return self._size_hw

    def _follow(self, frame: NDArray[np.uint8]) -> float:
        """Update from the surroundings at several scales; return the score."""
        scales = self._settings.scales
        windows, responses = self._respond(
            frame, [self._centre] * len(scales), [self._side * scale for scale in scales]
        )
        started = perf_counter()
        peak = self._search.finder.find(responses, self._search.penalties, windowed=True)
        score = sigmoid(peak.logit)
        if score < self._settings.lost_threshold:
            self._lost = True
            self._places = None
        else:
            self._move_to(peak, windows[peak.response])
            self._rescale(windows[peak.response].side / windows[len(windows) // 2].side)
        self.timings.post += perf_counter() - started
        return score

    def _look_around(self, frame: NDArray[np.uint8]) -> float:
        """Search a lost target at the last place and at the next ones in turn."""
        if self._places is None:
            spacing = _SPACING * self._side * self._zoom
            self._places = _Places(self._centre, spacing, frame.shape[:2])
        count = self._settings.scale_count
        centres = [self._centre, *self._places.take(count - 1)]
        windows, responses = self._respond(frame, centres, [self._side] * count)
        started = perf_counter()
        finder, settings = self._search.finder, self._settings
        here = finder.find(responses[:1], self._search.no_penalties, windowed=True)
        peak = finder.find(responses, self._search.no_penalties, windowed=False)
        score = sigmoid(here.logit)
        if sigmoid(peak.logit) >= settings.found_threshold:
            self._move_to(peak, windows[peak.response])
            self._lost, score = False, sigmoid(peak.logit)
        elif score >= settings.lost_threshold:
            # Half certain: follow, so that the target does not walk out of reach, but stay lost.
            self._move_to(here, windows[0])
        self.timings.post += perf_counter() - started
        return score

    def _respond(
        self,
        frame: NDArray[np.uint8],
        centres: Sequence[tuple[float, float]],
        sides: Sequence[float],
    ) -> tuple[list[Window], NDArray[np.float32]]:
        """Cut search crops and correlate them with the exemplar.

        Returns:
            The squares cut, and logits (N, r, r), valid until the next call.
        """
        started = perf_counter()
        crops = self._search.crops
        windows = [
            crop_square(frame, centre, side * self._zoom, self._fill, crop)
            for centre, side, crop in zip(centres, sides, crops, strict=True)
        ]
        cropped = perf_counter()
        features = self._embedder.embed(crops)
        embedded = perf_counter()
        logits = self._search.correlate(self._exemplar, features)
        with np.errstate(over="ignore", invalid="ignore"):  # looked for below
            logits *= self._settings.response_scale
            logits += self._settings.response_bias
        if not np.isfinite(logits).all():
            raise ModelError(
                "the network's response is not finite: the model's numbers are far beyond those "
                "of any trained network; fetch it again or export it again"
            )
        self.timings.crop += cropped - started
        self.timings.network += embedded - cropped
        self.timings.post += perf_counter() - embedded
        return windows, logits

    def _move_to(self, peak: Peak, window: Window) -> None:
        """Put the target where ``peak`` lies in ``window``, but never outside the frame."""
        cell = self._settings.stride / self._settings.search_size * window.side
        height, width = self._size_hw or (0, 0)
        x, y = (
            centre + offset * cell + anchor * self._side
            for centre, offset, anchor in zip(
                window.centre_xy, peak.offset_xy, self._anchor, strict=True
            )
        )
        self._centre = (min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height)))

    def _rescale(self, found: float) -> None:
        """Take over a part of the scale ``found``, within the limits of the target's growth."""
        lr = self._settings.scale_lr
        low, high = (limit * self._first_side for limit in _SIDE_LIMITS)
        side = min(max(self._side * ((1 - lr) + lr * found), low), high)
        w, h = self._size_wh
        self._size_wh = (w * side / self._side, h * side / self._side)
        self._side = side


class _SearchBuffers:
    """What every frame uses again: crops, responses, the finder of peaks."""

    def __init__(self, settings: SiamFCSettings) -> None:
        from binvision.kernels import correlate  # compiled code: loaded with the first tracker

        self._settings, self._correlate = settings, correlate
        count, size = settings.scale_count, settings.search_size
        self.crops = np.zeros((count, size, size, 3), np.uint8)
        self.no_penalties = np.ones(count, np.float32)
        self.penalties = np.full(count, settings.scale_penalty, np.float32)
        self.penalties[count // 2] = 1.0
        self._responses = np.empty((0, 0, 0), np.float32)

    def correlate(
        self, exemplar: NDArray[np.float32], features: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Correlate (k, k, C) with (N, h, w, C): (N, h - k + 1, w - k + 1), overwritten later."""
        side = response_side(exemplar, features)
        if self._responses.shape[1] != side:
            settings = self._settings
            self._responses = np.empty((settings.scale_count, side, side), np.float32)
            self.finder = PeakFinder(side, settings.response_up, settings.window_influence)
        self._correlate(exemplar, features, self._responses)
        return self._responses


class _Places:
    """The places where a lost target is sought: a grid over the frame, nearest first, again."""

    def __init__(
        self, centre_xy: tuple[float, float], spacing: float, size_hw: tuple[int, int]
    ) -> None:
        columns, rows = (
            np.arange(-int(centre / spacing), int((extent - centre) / spacing) + 1) * spacing
            for centre, extent in zip(centre_xy, size_hw[::-1], strict=True)
        )
        offsets = [(x, y) for x in columns for y in rows if (x, y) != (0, 0)] or [(0.0, 0.0)]
        offsets.sort(key=lambda offset: (math.hypot(*offset), offset))
        self._places = [(centre_xy[0] + x, centre_xy[1] + y) for x, y in offsets]
        self._next = 0

    def take(self, count: int) -> list[tuple[float, float]]:
        """Return the next ``count`` places; after the furthest comes the nearest."""
        taken = [self._places[(self._next + step) % len(self._places)] for step in range(count)]
        self._next += count
        return taken


def _check_frame(frame: NDArray[np.uint8], size_hw: tuple[int, int] | None) -> None:
    check_frame(frame)
    if size_hw is not None and frame.shape[:2] != size_hw:
        expected, found = f"{size_hw[1]}x{size_hw[0]}", f"{frame.shape[1]}x{frame.shape[0]}"
        raise FrameError(
            f"frame: is {found} pixels, but init() was given {expected}; "
            f"resize it, or call init() again"
        )


def _checked_box(box_xywh: Sequence[float], size_hw: tuple[int, int]) -> tuple[float, ...]:
    values = tuple(float(value) for value in box_xywh)
    if len(values) != 4 or not all(math.isfinite(value) for value in values):
        raise BoxError(f"box {values}: expected four finite numbers x, y, w, h")
    x, y, w, h = values
    if w <= 0 or h <= 0:
        raise BoxError(f"box {x:g},{y:g},{w:g},{h:g}: has no area; width and height must be > 0")
    height, width = size_hw
    least, most = _BOX_LIMITS[0], _BOX_LIMITS[1] * max(width, height)
    if min(w, h) < least or max(w, h) > most:
        raise BoxError(
            f"box {x:g},{y:g},{w:g},{h:g}: width and height must be {least:g} to {most:g} pixels "
            f"in a frame of {width}x{height}"
        )
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BoxError(
            f"box {x:g},{y:g},{w:g},{h:g}: lies outside the frame of {width}x{height} pixels"
        )
    return values
