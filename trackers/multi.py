"""Tracking by detection: a detector starts targets and corrects them, a tracker follows each.

    tracker = MultiTracker(Detector("bin-drone"))
    for frame in frames:
        for target in tracker.update(frame):
            print(target.identity, target.label, target.box_xywh, target.lost)

The detector runs every few frames only; between them each target has a ``Tracker`` of its own.
When the detector has run, its boxes are given to the targets: first where they overlap, then to
the targets that are out of sight, by what the network of the trackers thinks of the likeness. A
box that is nobody's starts a new target when it was seen twice, so that one false alarm starts
none. The detector runs in every frame while there is something to find: no target at all, a lost
one, or a box that waits to be seen again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.errors import UsageError
from binvision.media.boxes import BoxXYWH
from binvision.trackers.association import covered_parts, pair_overlaps, surest_pairs
from binvision.trackers.networks import TrackingNetwork, open_network
from binvision.trackers.results import Timings
from binvision.trackers.tracker import Tracker

__all__ = ["Found", "MultiTimings", "MultiTracker", "ObjectDetector", "Target"]

_OVERLAP = 0.3  # least overlap of a target's box with a detection that may be the target
_SAME = 0.5  # share of two boxes, or of the smaller one, that both cover: taken for one object
_REACH = (1.5, 0.25)  # how far a target out of sight may be: sizes at once, and more a frame
_GROWTH = 3.0  # greatest ratio between its sizes before and after
_SEEN = 2  # a box starts a target when it was seen in so many detections, one miss between
_SEEN_DOUBTED = 6  # the same where a lost target may have come to, which is then recognised first
_NEAR = 1.0  # distance of a box between two detections, in its sizes
_LEAST_SIDE = 1.0  # of a detection that may be followed, pixels
_MISSES = (
    1,
    4,
)  # detections in turn without a target that is still believed in, and more if proven
_PROVEN = 10  # detections of a target after which it is proven

Floats = NDArray[np.float64]


class Found(Protocol):
    """What a detector finds in a picture, for instance ``binvision.Detections``."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """(N, 4) left, top, width, height in pixels of the picture."""
        ...

    @property
    def scores(self) -> NDArray[np.float32]:
        """(N,) confidences in 0..1."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) indices into ``classes``."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes that the detector knows."""
        ...


class ObjectDetector(Protocol):
    """Finds objects in a picture, (H, W, 3) uint8 BGR; for instance ``binvision.Detector``."""

    def __call__(self, image: NDArray[np.uint8], /) -> Found:
        """Return what is in the picture."""
        ...


@dataclass(frozen=True)
class Target:
    """A target in a frame.

    Attributes:
        identity: Its number, from 1; no other target of this tracker ever has it.
        label: Its class.
        box_xywh: Left, top, width, height in pixels, counted from 0; the last known box while
            it is lost.
        score: Confidence in 0..1: the detector's in frames where it found the target, the
            tracker's otherwise, 0 while the target is lost.
        lost: True while neither tracker nor detector know where it is.
    """

    identity: int
    label: str
    box_xywh: BoxXYWH
    score: float
    lost: bool


@dataclass
class MultiTimings(Timings):
    """Seconds spent by stage: those of all targets' trackers together, and the detector's.

    ``frames`` counts every update of every target; ``post`` includes the association.

    Attributes:
        detect: In the detector.
        detections: Number of frames in which the detector ran.
    """

    detect: float = 0.0
    detections: int = 0


class MultiTracker:
    """Follows what a detector finds, each target with an identity.

    Attributes:
        timings: Time spent, by stage.
    """

    def __init__(
        self,
        detector: ObjectDetector,
        model: str | Path | TrackingNetwork = "bin-track",
        *,
        targets: Literal["all", "best"] = "all",
        detect_every: int = 10,
        keep_lost: int = 150,
        threads: int = 1,
    ) -> None:
        """Take a detector, and load the model of the trackers.

        Args:
            detector: Finds the objects.
            model: Name of a tracking model of the zoo, path of a packed model, an Embedder or a
                BoxNetwork.
            targets: Follow all that is found, or the best one only, and another one after it.
            detect_every: Frames from one detection to the next while all targets are in sight.
            keep_lost: Frames for which a lost target can be picked up again.
            threads: Threads that the tracker's network may use; one that is given has its own.

        Raises:
            UsageError: A number is less than 1, or ``targets`` is another word.
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        if targets not in ("all", "best"):
            raise UsageError(f"targets = {targets!r}: expected 'all' or 'best'")
        for name, value in (("detect_every", detect_every), ("keep_lost", keep_lost)):
            if value < 1:
                raise UsageError(f"{name} = {value}: expected 1 frame or more")
        if isinstance(model, (str, Path)):
            model = open_network(model, threads=threads)
            model.prepare()
        self._detector, self._network = detector, model
        self._best_only = targets == "best"
        self._every, self._keep_lost = detect_every, keep_lost
        self._followed: list[_Followed] = []
        self._candidates: list[_Candidate] = []
        self._identities = 0
        self._since_detection = detect_every
        self.timings = MultiTimings()

    def update(self, frame: NDArray[np.uint8]) -> tuple[Target, ...]:
        """Follow the targets into the next frame; the first frame is given here too.

        Args:
            frame: (H, W, 3) uint8, BGR, all of one size.

        Returns:
            The targets known in this frame, lost ones included, by identity.

        Raises:
            FrameError: The frame has another size, type or number of channels.
            ModelError: A network does not fit its settings.
        """
        for target in self._followed:
            target.follow(frame)
        self._since_detection += 1
        if self._detection_is_due():
            self._since_detection = 0
            self._detect(frame)
        self._followed = [target for target in self._followed if target.is_kept(self._keep_lost)]
        return tuple(target.result() for target in self._followed)

    def _detection_is_due(self) -> bool:
        return (
            self._since_detection >= self._every
            or not self._followed
            or bool(self._candidates)
            # A target that was missed once is looked for again at once: by chance it is rarely
            # missed twice, and a box that seems new may be this target.
            or any(not target.sure or target.misses == 1 for target in self._followed)
        )

    def _detect(self, frame: NDArray[np.uint8]) -> None:
        started = perf_counter()
        found = self._detector(frame)
        detected = perf_counter()
        self.timings.detect += detected - started
        self.timings.detections += 1
        rest = self._match_in_place(frame, _sights(found))
        self._lose_covered()
        rest = self._match_out_of_sight(frame, rest)
        self._start_new(frame, rest)
        for target in self._followed:
            target.note_detection()
        self.timings.post += perf_counter() - detected

    def _match_in_place(self, frame: NDArray[np.uint8], sights: list[_Sight]) -> list[_Sight]:
        """Give detections to the targets where they overlap; return those that are left."""
        targets, settings = self._followed, self._network.settings
        shared = pair_overlaps(_boxes(targets), _boxes(sights))
        weights = np.full(shared.shape, -np.inf)
        for row, column in np.argwhere(shared >= _OVERLAP).tolist():
            alike = targets[row].likeness(frame, sights[column])
            sure = targets[row].sure
            if alike >= (settings.lost_threshold if sure else settings.found_threshold):
                weights[row, column] = shared[row, column] + alike
        return self._take(targets, sights, weights)

    def _lose_covered(self) -> None:
        """Lose targets that share their place with a target that the detector has just seen.

        Two trackers at one object are usually on the one in front; the other one is hidden.
        """
        seen = [target for target in self._followed if target.seen_now]
        for target in self._followed:
            if target.sure and not target.seen_now:
                covered = covered_parts(_boxes([target]), _boxes(seen))
                if (covered > _SAME).any():
                    target.sure = False

    def _match_out_of_sight(self, frame: NDArray[np.uint8], sights: list[_Sight]) -> list[_Sight]:
        """Give detections to targets that are elsewhere; return those that are left."""
        targets = [target for target in self._followed if target.is_sought]
        weights = np.full((len(targets), len(sights)), -np.inf)
        for row, target in enumerate(targets):
            for column, sight in enumerate(sights):
                if target.can_reach(sight.box):
                    alike = target.likeness(frame, sight)
                    if alike >= self._network.settings.found_threshold:
                        weights[row, column] = alike
        return self._take(targets, sights, weights)

    def _take(
        self, targets: Sequence[_Followed], sights: Sequence[_Sight], weights: Floats
    ) -> list[_Sight]:
        pairs = surest_pairs(weights)
        for row, column in pairs:
            targets[row].see(sights[column])
        taken = {column for _, column in pairs}
        return [sight for column, sight in enumerate(sights) if column not in taken]

    def _start_new(self, frame: NDArray[np.uint8], sights: Sequence[_Sight]) -> None:
        """Let detections that are nobody's wait, and start those that were seen often enough."""
        sure = [target for target in self._followed if target.sure]
        if self._best_only and sure:
            self._candidates = []
            return
        held = _boxes(sure)
        free = [
            sight for sight in sights if not (covered_parts(_boxes([sight]), held) > _SAME).any()
        ]
        for candidate in self._candidates:
            candidate.take_nearest(free)
        self._candidates = [item for item in self._candidates if item.misses <= 1]
        self._candidates += [_Candidate(sight) for sight in free]
        ready = [candidate for candidate in self._candidates if self._is_ready(candidate)]
        ready.sort(key=lambda candidate: -candidate.score)
        if self._best_only and ready:
            # What is lost was not recognised: it is given up for what can be seen.
            self._followed, self._candidates, ready = [], [], ready[:1]
        for candidate in ready:
            self._identities += 1
            tracker = Tracker(self._network, timings=self.timings)
            tracker.init(frame, candidate.sight.box)
            self._followed.append(_Followed(self._identities, tracker, candidate.sight))
        self._candidates = [item for item in self._candidates if item not in ready]

    def _is_ready(self, candidate: _Candidate) -> bool:
        if candidate.misses:
            return False
        box = candidate.sight.box
        doubted = any(target.is_sought and target.can_reach(box) for target in self._followed)
        return candidate.seen >= (_SEEN_DOUBTED if doubted else _SEEN)


class _Sight(NamedTuple):
    """A detection."""

    box: BoxXYWH
    score: float
    label: str


class _Followed:
    """A target with its tracker, and when it was seen.

    Attributes:
        sure: Whether its place is known.
        seen_now: Whether a detection was its own in this frame.
        lost_for: Frames since its place was known.
        unseen: Frames since a detection was its own.
        misses: Detections in turn in which it was not found.
    """

    def __init__(self, identity: int, tracker: Tracker, sight: _Sight) -> None:
        self._identity, self._tracker = identity, tracker
        self._votes: Counter[str] = Counter()
        self.sure, self.seen_now = True, False
        self.lost_for = self.unseen = self.misses = self._sightings = 0
        self.see(sight)

    def follow(self, frame: NDArray[np.uint8]) -> None:
        """Go on to the next frame; what is lost waits for a detection."""
        self.seen_now = False
        if self.sure:
            result = self._tracker.update(frame)
            self.box, self._score, self.sure = result.box_xywh, result.score, not result.lost
        self.lost_for = 0 if self.sure else self.lost_for + 1
        self.unseen += 1

    def see(self, sight: _Sight) -> None:
        """Take a detection for this target."""
        self.box, self._score = sight.box, sight.score
        self._votes[sight.label] += 1
        self._sightings += 1
        self._tracker.correct(sight.box)
        self.sure = self.seen_now = True
        self.lost_for = self.unseen = 0

    def note_detection(self) -> None:
        """Count a detection in which the target was or was not found."""
        self.misses = 0 if self.seen_now else self.misses + 1
        self.sure = self.sure and self.misses <= _MISSES[0] + _MISSES[1] * self._proven

    def is_kept(self, keep_lost: int) -> bool:
        """Whether it can still be picked up again; what was seen rarely is given up early."""
        return self.lost_for <= keep_lost * self._proven

    @property
    def _proven(self) -> float:
        """How much is believed of it, 0..1: a false alarm has little to show."""
        return min(self._sightings / _PROVEN, 1.0)

    def likeness(self, frame: NDArray[np.uint8], sight: _Sight) -> float:
        """How sure the tracker's network is that a detection shows this target, 0..1."""
        return self._tracker.likeness(frame, sight.box)

    @property
    def is_sought(self) -> bool:
        """Whether a detection elsewhere may be this target; twice missed, its tracker may err."""
        return not self.seen_now and (not self.sure or self.misses > 0)

    def can_reach(self, box: BoxXYWH) -> bool:
        """Whether the target may have come to a box since a detector saw it."""
        sizes = _size(self.box), _size(box)
        reach = (_REACH[0] + _REACH[1] * self.unseen) * max(sizes)
        return _distance(self.box, box) <= reach and max(sizes) <= _GROWTH * min(sizes)

    def result(self) -> Target:
        """Describe the target as callers see it."""
        label = self._votes.most_common(1)[0][0]
        score = self._score if self.sure else 0.0
        return Target(self._identity, label, self.box, score, not self.sure)


class _Candidate:
    """A detection that may become a target.

    Attributes:
        sight: The last one.
        seen: Detections in which it was seen.
        misses: Detections in turn, up to the last, in which it was not.
    """

    def __init__(self, sight: _Sight) -> None:
        self.sight, self.seen, self.misses = sight, 1, 0
        self._sum = sight.score

    @property
    def score(self) -> float:
        """Mean confidence."""
        return self._sum / self.seen

    def take_nearest(self, sights: list[_Sight]) -> None:
        """Take the nearest of the next detections, out of the list, if it is near enough."""
        self.misses += 1
        near = [
            (_distance(self.sight.box, sight.box), index)
            for index, sight in enumerate(sights)
            if _distance(self.sight.box, sight.box) <= _NEAR * _size(sight.box)
        ]
        if near:
            self.sight = sights.pop(min(near)[1])
            self._sum += self.sight.score
            self.seen += 1
            self.misses = 0


def _sights(found: Found) -> list[_Sight]:
    """List the detections that may be followed, each object once."""
    sights = [
        _Sight((x, y, w, h), score, found.classes[label])
        for (x, y, w, h), score, label in zip(
            found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
        if w >= _LEAST_SIDE and h >= _LEAST_SIDE
    ]
    return _without_doubles(sights)


def _without_doubles(sights: list[_Sight]) -> list[_Sight]:
    """Keep the surest of what lies at one place.

    Detectors suppress doubles class by class, so one object may be found as a drone and a bird.
    """
    kept: list[_Sight] = []
    for sight in sorted(sights, key=lambda sight: -sight.score):
        others = _boxes(other for other in kept if other.label != sight.label)
        if not (pair_overlaps(_boxes([sight]), others) > _SAME).any():
            kept.append(sight)
    return kept


def _boxes(items: Iterable[_Followed | _Sight]) -> Floats:
    return np.array([item.box for item in items], np.float64).reshape(-1, 4)


def _size(box: BoxXYWH) -> float:
    return math.sqrt(box[2] * box[3])


def _distance(first: BoxXYWH, second: BoxXYWH) -> float:
    return math.hypot(
        first[0] + first[2] / 2 - second[0] - second[2] / 2,
        first[1] + first[3] / 2 - second[1] - second[3] / 2,
    )
