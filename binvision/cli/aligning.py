"""What ``align`` and ``pose`` do with each shot: points of faces or people, counted and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from binvision.cli.shots import Shot
from binvision.cli.terminal import note
from binvision.landmarks.schemes import Scheme
from binvision.landmarks.subject import Subject
from binvision.landmarks.timings import SubjectTimings
from binvision.media.boxes import BoxXYWH, read_picture_boxes
from binvision.media.drawing import Mark, Outline, annotate, has_room
from binvision.media.landmark_results import PLURALS, FoundPoints

__all__ = ["GivenBoxes", "PointLooker", "SubjectFinder"]

_CERTAIN = 0.1  # least confidence of a point that is drawn with its lines
_MOST_SHRUNK = 4.0  # from a box that is given to that of the points in it
_NAMES_SHOWN = 3


Kind = TypeVar("Kind", bound=Subject)
Kind_co = TypeVar("Kind_co", bound=Subject, covariant=True)


class SubjectFinder(Protocol[Kind_co]):
    """What finds faces or people: FaceAligner, PoseEstimator.

    Attributes:
        name: Name of its model.
        scheme: Its points.
    """

    name: str
    scheme: Scheme

    def __call__(
        self, image: NDArray[np.uint8], boxes: Sequence[BoxXYWH] | None = None
    ) -> Sequence[Kind_co]:
        """Find them in a picture, in these boxes or by itself."""
        ...

    def update(
        self, frame: NDArray[np.uint8], boxes: Sequence[BoxXYWH] | None = None
    ) -> Sequence[Kind_co]:
        """Find them in the next frame, also those in these boxes."""
        ...

    @property
    def timings(self) -> SubjectTimings:
        """Time spent until now, by stage."""
        ...


class GivenBoxes:
    """Boxes that the user names for pictures or frames; the others have none."""

    def __init__(self, path: Path) -> None:
        """Read them.

        Raises:
            DataError: The file is missing or empty, or a line is wrong.
        """
        self._path = path
        self._boxes: Mapping[str, Sequence[BoxXYWH]] = read_picture_boxes(path)
        self._seen: set[str] = set()

    def of(self, shot: Shot) -> Sequence[BoxXYWH]:
        """Boxes of a shot."""
        self._seen.add(str(shot.picture))
        return self._boxes.get(str(shot.picture), ())

    def note_unseen(self) -> None:
        """Tell the user which pictures of the file have not come by."""
        unseen = [name for name in self._boxes if name not in self._seen]
        if unseen:
            more = ", ..." if len(unseen) > _NAMES_SHOWN else ""
            note(
                f"{self._path}: {len(unseen)} of its {len(self._boxes)} pictures were not in the "
                f"source: {', '.join(unseen[:_NAMES_SHOWN])}{more}"
            )


class PointLooker(Generic[Kind]):
    """Looks for faces or people; see Looker for the attributes."""

    stages: tuple[str, ...] = ("detect", "crop", "network", "post")

    def __init__(
        self,
        finder: SubjectFinder[Kind],
        worker: str,
        boxes: GivenBoxes | None,
        start: Sequence[BoxXYWH] | None = None,
        measure: Callable[[Kind], Mapping[str, float]] = lambda found: {},
    ) -> None:
        """Prepare.

        Args:
            finder: What finds them.
            worker: What it is called in figures.
            boxes: Where to look in each shot; None leaves that to the finder.
            start: Where to look in each picture, or in the first frame of a video.
            measure: Further figures of each, in the order of their columns.
        """
        self.model, self.worker = finder.name, worker
        self._finder, self._boxes, self._start, self._measure = finder, boxes, start, measure
        self._subject = finder.scheme.subject
        self._found = self._without = 0

    def __call__(self, shot: Shot) -> list[FoundPoints]:
        """Find them; of a video, follow them."""
        found = [
            FoundPoints(
                self._subject,
                each.identity or place,
                each.box_xywh,
                each.score,
                each.points,
                each.confidences,
                self._measure(each),
            )
            for place, each in enumerate(self._look(shot), 1)
        ]
        self._found += len(found)
        self._without += not found
        return found

    def annotate(self, image: NDArray[np.uint8], found: Sequence[FoundPoints]) -> NDArray[np.uint8]:
        """Draw points and lines; among many, the small ones have no name beside them."""
        marks = []
        for each in reversed(found):
            outline = Outline(each.points, self._finder.scheme.lines, each.confidences >= _CERTAIN)
            number = each.number - 1
            if has_room(each.box_xywh, len(found), image.shape[:2]):
                label = each.name if len(found) == 1 else str(each.number)
                marks.append(Mark(each.box_xywh, label, each.score, colour=number, outline=outline))
            else:
                marks.append(Mark(each.box_xywh, colour=number, outline=outline))
        return annotate(image, marks)

    def line_of(self, found: FoundPoints) -> str:
        """Name, score, box and further figures."""
        box = ",".join(f"{value:.1f}" for value in found.box_xywh)
        measures = "".join(f" {name} {value:.2f}" for name, value in found.measures.items())
        return f"{found.name} {found.score:.2f} {box}{measures}"

    def counts(self) -> dict[str, Any]:
        """How many, and in how many shots there was none."""
        plural = PLURALS[self._subject]
        return {plural: self._found, f"without_{plural}": self._without}

    def counts_in_words(self) -> str:
        """The same."""
        if not self._found:
            return f"no {self._subject} found"
        many = self._subject if self._found == 1 else PLURALS[self._subject]
        return f"{self._found} {many}" + (f" (none in {self._without})" if self._without else "")

    @property
    def seconds(self) -> dict[str, float]:
        """Time by stage: detect, crop, network, post."""
        timings = self._finder.timings
        return {stage: getattr(timings, stage) for stage in self.stages}

    def _look(self, shot: Shot) -> Sequence[Kind]:
        if self._boxes:
            return self._in_boxes(shot.image, self._boxes.of(shot))
        if not shot.file:
            start, self._start = self._start, None
            return self._finder.update(shot.image, start)
        if self._start:
            return self._in_boxes(shot.image, self._start)
        return self._finder(shot.image)

    def _in_boxes(self, image: NDArray[np.uint8], boxes: Sequence[BoxXYWH]) -> Sequence[Kind]:
        """Look twice: whatever the boxes are the bounds of, the points have their own."""
        own = []
        for each, box in zip(self._finder(image, boxes), boxes, strict=True):
            # Where nobody is, points lie anywhere, perhaps all in one place.
            is_like_it = max(each.box_xywh[2:]) > max(box[2:]) / _MOST_SHRUNK
            own.append(each.box_xywh if is_like_it else box)
        return self._finder(image, own)
