"""People with their joints, in pictures and in videos: what a user calls.

    estimator = PoseEstimator("pose14.safetensors")
    for person in estimator(picture, boxes=[(40, 20, 90, 260)]):
        print(person.score, person.joint("left_wrist"))

In a video, ``estimator.update(frame)`` takes the place of the call: it follows each person from
frame to frame and gives it an identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelTaskError
from binvision.landmarks.estimator import PointEstimator, Points
from binvision.landmarks.following import Follower
from binvision.landmarks.network import Network
from binvision.landmarks.people import Person
from binvision.landmarks.subject_detector import open_detector
from binvision.landmarks.timings import SubjectTimings

if TYPE_CHECKING:
    from binvision.trackers.multi import ObjectDetector

__all__ = ["PoseEstimator"]


class PoseEstimator:
    """Finds people and their joints.

    Attributes:
        name: Name of the model.
        scheme: The convention of its points.
    """

    def __init__(
        self,
        model: str | Path | Network,
        *,
        detector: str | Path | ObjectDetector | None = None,
        threads: int = 1,
        smooth: bool = True,
        detect_every: int = 30,
        max_people: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        """Load a model of joints, and a detector of people where there is one.

        Args:
            model: Name of a model of the zoo, path of a packed model, or a Network.
            detector: The same of a detector of people, or a ``Detector`` [default: the one that
                the model was made with; where that names none, the whole picture is taken for
                one person].
            threads: Threads that the networks may use; a Network has its own.
            smooth: Smooth the joints of ``update`` with a One-Euro filter.
            detect_every: Frames of ``update`` from one detection to the next while nobody was
                lost.
            max_people: Most people in a picture, the surest of the detector [default: any number].
            score_threshold: Least score of a detected person, in 0..1 [default: the detector's].

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task, or its points are not joints.
            UsageError: A number is out of range, or there is a threshold, but no detector that
                is loaded here.
        """
        estimator = PointEstimator(model, threads=threads)
        if estimator.scheme.subject != "person":
            raise ModelTaskError(
                f"model {estimator.name} finds points of a {estimator.scheme.subject} "
                f"({estimator.scheme.name}), but a pose needs a person's; 'binvision models' "
                f"lists what is shipped"
            )
        finder = open_detector(estimator.settings, detector, threads, score_threshold)
        self.name, self.scheme = estimator.name, estimator.scheme
        self._follower = Follower(
            estimator, finder, smooth=smooth, detect_every=detect_every, most=max_people
        )

    @property
    def timings(self) -> SubjectTimings:
        """Time spent until now, by stage."""
        return self._follower.timings

    def __call__(
        self, image: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Person]:
        """Find the people of a picture that has to do with no other.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: Tight boxes of the joints of each person, x, y, w, h, as well as they are known.
                All are answered, in their order, with a low score where there is nobody. None
                leaves it to the detector, or takes the whole picture for one person.

        Returns:
            The people, the detector's surest first.

        Raises:
            FrameError: The picture has another type or number of channels.
            BoxError: A box is not finite, has no area, or is far outside the picture.
            ModelError: The output of a network is not finite.
        """
        return [
            self._person(found, image.shape[:2], None)
            for found in self._follower.find(image, boxes)
        ]

    def update(
        self, frame: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Person]:
        """Find the people of the next frame of a video.

        Args:
            frame: (H, W, 3) uint8, BGR. Where its size is another than the last frame's,
                everybody is looked for anew.
            boxes: Tight boxes of the points of people that shall be followed from this frame on,
                beside those that are. Where there is no detector, nobody else is looked for then.

        Returns:
            The people that are in sight, by identity.

        Raises:
            FrameError: The frame has another type or number of channels.
            BoxError: A box is not finite, has no area, or is far outside the frame.
            ModelError: The output of a network is not finite.
        """
        return [
            self._person(found, frame.shape[:2], identity)
            for identity, found in self._follower.update(frame, boxes)
        ]

    def reset(self) -> None:
        """Forget everybody, as before another video; identities are not used again."""
        self._follower.reset()

    def _person(self, found: Points, size_hw: tuple[int, int], identity: int | None) -> Person:
        return Person(found.points, found.confidences, size_hw, identity, scheme=self.scheme)
