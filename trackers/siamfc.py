"""SiamFC (Bertinetto et al., 2016) frame by frame.

While the target is in sight, one batch of crops looks at its surroundings at three scales. When
the score falls below ``lost_threshold`` the target is *lost*: the same batch then looks at the
last place and, nearest first, at ever further places of the frame, in the target's own size (a
larger crop would show it smaller than the network knows it). It counts as found when a score
reaches ``found_threshold``. A lost frame costs no more time than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelError
from binvision.media.boxes import BoxXYWH
from binvision.trackers.embedder import Embedder, response_side
from binvision.trackers.exemplar import likeness, look_at
from binvision.trackers.geometry import Window, context_side, crop_square, mean_colour
from binvision.trackers.places import SPACING, Places
from binvision.trackers.response import Peak, PeakFinder
from binvision.trackers.results import Timings, TrackResult, sigmoid
from binvision.trackers.settings import SiamFCSettings

__all__ = ["SiamFCTracker"]

_SIDE_LIMITS = (0.2, 5.0)  # how far the target may shrink and grow, against its first size


class SiamFCTracker:
    """Follows one target through the frames of a video; a ``Tracker`` drives it."""

    def __init__(self, embedder: Embedder, timings: Timings) -> None:
        """Take a network, which several trackers may share, and where to count the time."""
        self._embedder, self._timings = embedder, timings
        self._settings = embedder.settings
        self._search = _SearchBuffers(self._settings)

    def start(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> None:
        """Take over the target in ``box_xywh``; see ``Tracker.init``."""
        x, y, w, h = box_xywh
        settings = self._settings
        self._size_hw = frame.shape[:2]
        self._fill = mean_colour(frame)
        self._centre = (x + w / 2, y + h / 2)
        self._size_wh = (w, h)
        self._lost = False
        self._places: Places | None = None

        look = look_at(self._embedder, frame, box_xywh, self._fill)
        self._exemplar = look.exemplar
        self._side = self._first_side = look.side
        # The crop's centre is rounded: what is found later is this point, not the box's centre.
        self._anchor = tuple(
            (centre - cut) / self._side
            for centre, cut in zip(self._centre, look.window.centre_xy, strict=True)
        )
        # The exemplar was seen at window.side; the same factor applies to every search crop.
        self._zoom = look.window.side / look.side * settings.search_size / settings.exemplar_size

    def correct(self, box_xywh: BoxXYWH) -> None:
        """Take over a better box of the same target; see ``Tracker.correct``."""
        x, y, w, h = box_xywh
        self._centre = (x + w / 2, y + h / 2)
        self._size_wh = (w, h)
        self._side = self._first_side = context_side((w, h), self._settings.context)
        self._lost = False
        self._places = None

    def likeness(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> float:
        """How sure the network is that a box shows the target; see ``Tracker.likeness``."""
        look = look_at(self._embedder, frame, box_xywh, self._fill)
        return likeness(self._exemplar, look, self._settings)

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame; see ``Tracker.update``."""
        score = self._look_around(frame) if self._lost else self._follow(frame)
        w, h = self._size_wh
        left, top = self._centre[0] - w / 2, self._centre[1] - h / 2
        return TrackResult((left, top, w, h), score, self._lost)

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
        self._timings.post += perf_counter() - started
        return score

    def _look_around(self, frame: NDArray[np.uint8]) -> float:
        """Search a lost target at the last place and at the next ones in turn."""
        if self._places is None:
            spacing = SPACING * self._side * self._zoom
            self._places = Places(self._centre, spacing, frame.shape[:2])
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
        self._timings.post += perf_counter() - started
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
        self._timings.crop += cropped - started
        self._timings.network += embedded - cropped
        self._timings.post += perf_counter() - embedded
        return windows, logits

    def _move_to(self, peak: Peak, window: Window) -> None:
        """Put the target where ``peak`` lies in ``window``, but never outside the frame."""
        cell = self._settings.stride / self._settings.search_size * window.side
        height, width = self._size_hw
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
