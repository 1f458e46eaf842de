"""A tracker whose network predicts the box, frame by frame.

One pass of the network a frame sees the target's surroundings, and proposes a box in every cell.
Where the score is below ``found_threshold``, what is followed may be something else that stands
where the target was hidden: the place where the target was last sure is looked at too. While the
score is below ``lost_threshold`` the target is *lost*, and its box stays: looks around the box take
turns with looks at ever further places of the frame, nearest first, until a score reaches
``found_threshold``.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.trackers.box_choice import BoxChooser, Choice
from binvision.trackers.box_network import BoxNetwork
from binvision.trackers.exposure import Exposure
from binvision.trackers.geometry import context_side, crop_square, mean_colour
from binvision.trackers.places import SPACING, Places
from binvision.trackers.results import Timings, TrackResult

__all__ = ["BoxHeadTracker"]

_SIZE_LIMITS = (0.1, 10.0)  # how far a side may shrink and grow, against its first length
_HABIT_REACH = 0.5  # how far the network's box may lie beside the given one, in its sides
_AWAY = 1.0  # from where it was last sure, in the target's sides; a nearer look sees the same
_GROWTH_STEP = 1.1  # of the search region, from one look at the last place to the next

Point = tuple[float, float]


class BoxHeadTracker:
    """Follows one target through the frames of a video; a ``Tracker`` drives it."""

    def __init__(self, network: BoxNetwork, timings: Timings) -> None:
        """Take a network, which several trackers may share, and where to count the time."""
        self._network, self._timings = network, timings
        self._settings = settings = network.settings
        self._crop, self._small_crop = (
            np.empty((size, size, 3), np.uint8)
            for size in (settings.search_size, settings.exemplar_size)
        )
        self._chooser: BoxChooser | None = None

    def start(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> None:
        """Take over the target in ``box_xywh``; see ``Tracker.init``."""
        settings = self._settings
        self._size_hw = frame.shape[:2]
        self._fill = mean_colour(frame)
        self._take(*box_xywh)
        crop = self._crop_exemplar(frame, self._centre, self._size_wh)
        self._exemplar = self._network.look(crop)
        self._exposure = Exposure(crop, settings.light_band) if settings.light_band else None
        self._learn_habit(frame)

    def correct(self, box_xywh: BoxXYWH) -> None:
        """Take over a better box of the same target; see ``Tracker.correct``."""
        self._take(*box_xywh)

    def likeness(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> float:
        """How sure the network is that a box shows the target; see ``Tracker.likeness``.

        The network sees the box with the margin of an exemplar, not that of a search region: it
        tells targets apart as well by it, in a quarter of the time.
        """
        x, y, w, h = box_xywh
        crop = self._crop_exemplar(frame, (x + w / 2, y + h / 2), (w, h))
        if self._exposure:
            self._exposure.adjust(crop)
        logits, _ = self._network.search(crop, self._exemplar)
        margin = len(logits) // 4
        middle = slice(margin, len(logits) - margin)
        return self._settings.score(float(logits[middle, middle].max()))

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame; see ``Tracker.update``."""
        if self._lost:
            self._look_around(frame)
        else:
            self._follow(frame)
        (x, y), (w, h) = self._centre, self._size_wh
        return TrackResult((x - w / 2, y - h / 2, w, h), self._score, self._lost)

    def _take(self, x: float, y: float, w: float, h: float) -> None:
        """Put the target into a box, where it rests."""
        self._centre: Point = (x + w / 2, y + h / 2)
        self._size_wh: Point = (w, h)
        self._first_wh: Point = (w, h)
        self._sure: Point = self._centre
        self._score = 1.0
        self._lost = False

    def _crop_exemplar(
        self, frame: NDArray[np.uint8], centre_xy: Point, size_wh: Point
    ) -> NDArray[np.uint8]:
        """Cut a box with its margin; valid until the next call."""
        side = context_side(size_wh, self._settings.context)
        crop_square(frame, centre_xy, side, self._fill, self._small_crop)
        return self._small_crop

    def _learn_habit(self, frame: NDArray[np.uint8]) -> None:
        """Compare what the network makes of the first frame with the box that it is given."""
        if not self._settings.habit_limit:
            return
        spent = replace(self._timings)
        if self._chooser:
            self._chooser.forget()
        choice = self._look(frame, self._centre, 1.0, windowed=True)
        apart = np.abs(np.subtract(choice.centre_xy, self._centre)) / self._size_wh
        if self._chooser and apart.max() < _HABIT_REACH:  # else it saw something else
            self._chooser.learn(choice, self._centre, self._size_wh)
        vars(self._timings).update(vars(spent))  # of frames that are followed alone

    def _follow(self, frame: NDArray[np.uint8]) -> None:
        """Update from the surroundings."""
        choice = self._look(frame, self._centre, 1.0, windowed=True)
        if choice.score < self._settings.found_threshold and self._is_away():
            there = self._look(frame, self._sure, 1.0, windowed=True)
            choice = there if there.score > choice.score else choice
        if choice.score >= self._settings.found_threshold:
            self._sure = choice.centre_xy
        self._score = choice.score
        if choice.score < self._settings.lost_threshold:
            self._lose()
        else:
            self._move_to(choice)

    def _is_away(self) -> bool:
        """Whether what is followed has left the place where the target was last sure."""
        (x, y), (w, h) = np.subtract(self._sure, self._centre), self._size_wh
        return float(np.hypot(x, y)) > _AWAY * float(np.sqrt(w * h))

    def _lose(self) -> None:
        self._lost = True
        self._looks = 0
        spacing = SPACING * self._settings.lost_growth * self._search_side
        self._places = Places(self._centre, spacing, self._size_hw)

    def _look_around(self, frame: NDArray[np.uint8]) -> None:
        """Seek a lost target at its last place and elsewhere in turn."""
        for _ in range(self._settings.lost_looks):
            is_here = self._looks % 2 == 0
            if is_here:
                centre = self._centre
                growth = min(_GROWTH_STEP ** (self._looks // 2), self._settings.lost_growth)
            else:
                (centre,) = self._places.take(1)
                growth = self._settings.lost_growth
            self._looks += 1
            choice = self._look(frame, centre, growth, windowed=is_here)
            self._lost = choice.score < self._settings.found_threshold
            if is_here or not self._lost:
                self._score = choice.score
            if not self._lost:
                self._move_to(choice)
                return

    @property
    def _search_side(self) -> float:
        """Side of the search region of a target in sight, frame pixels."""
        settings = self._settings
        zoom = settings.search_size / settings.exemplar_size
        return context_side(self._size_wh, settings.context) * zoom

    def _look(
        self, frame: NDArray[np.uint8], centre_xy: Point, growth: float, *, windowed: bool
    ) -> Choice:
        """Let the network look at a place; return the best box there, in frame pixels."""
        started = perf_counter()
        size = self._settings.search_size
        window = crop_square(frame, centre_xy, growth * self._search_side, self._fill, self._crop)
        if self._exposure:
            self._exposure.adjust(self._crop)
        cropped = perf_counter()
        logits, raw = self._network.search(self._crop, self._exemplar)
        found = perf_counter()
        scale = window.side / size
        if self._chooser is None:
            self._chooser = BoxChooser(self._settings, logits.shape[0])
        w, h = self._size_wh
        choice = self._chooser.choose(logits, raw, (w / scale, h / scale), windowed=windowed)
        (x, y), (w, h) = choice.centre_xy, choice.size_wh
        left, top = (centre - window.side / 2 for centre in window.centre_xy)
        choice = Choice(
            (left + x * scale, top + y * scale),
            (w * scale, h * scale),
            choice.score,
            choice.weight,
        )
        self._timings.crop += cropped - started
        self._timings.network += found - cropped
        self._timings.post += perf_counter() - found
        return choice

    def _move_to(self, choice: Choice) -> None:
        """Take over a box: its place, and its size as far as it is sure."""
        self._centre = self._inside(choice.centre_xy)
        lr = self._settings.size_lr * choice.weight
        w, h = (
            min(max((1 - lr) * old + lr * new, _SIZE_LIMITS[0] * first), _SIZE_LIMITS[1] * first)
            for new, old, first in zip(choice.size_wh, self._size_wh, self._first_wh, strict=True)
        )
        self._size_wh = (w, h)

    def _inside(self, place: Point) -> Point:
        """Return the nearest place within the frame."""
        height, width = self._size_hw
        return min(max(place[0], 0.0), float(width)), min(max(place[1], 0.0), float(height))
