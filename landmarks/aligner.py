"""Faces with 68 points, in pictures and in videos: what a user calls.

    aligner = FaceAligner("hpm-face68")
    for face in aligner(picture):
        print(face.score, face.left_eye, face.head_pose.yaw)

In a video, ``aligner.update(frame)`` takes the place of the call: it follows each face from frame
to frame, which is faster and steadier, and gives it an identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from binvision.errors import ModelTaskError
from binvision.landmarks.estimator import PointEstimator
from binvision.landmarks.faces import Face
from binvision.landmarks.following import Follower
from binvision.landmarks.network import Network
from binvision.landmarks.subject_detector import open_detector
from binvision.landmarks.timings import SubjectTimings

if TYPE_CHECKING:
    from binvision.trackers.multi import ObjectDetector

__all__ = ["FaceAligner"]

_SCHEME = "face68"


class FaceAligner:
    """Finds faces and their 68 points.

    Attributes:
        name: Name of the model.
        scheme: The convention of its points.
    """

    def __init__(
        self,
        model: str | Path | Network = "hpm-face68",
        *,
        detector: str | Path | ObjectDetector | None = None,
        threads: int = 1,
        mirror: bool = False,
        smooth: bool = True,
        detect_every: int = 30,
        max_faces: int | None = None,
        score_threshold: float | None = None,
    ) -> None:
        """Load a model of 68 points, and a detector of faces.

        Args:
            model: Name of a model of the zoo, path of a packed model, or a Network.
            detector: The same of a detector, or a ``Detector`` [default: the one that the model
                was made with; where that names none, the whole picture is taken for a face].
            threads: Threads that the networks may use; a Network has its own.
            mirror: Average with the points of the mirrored face: surer, twice the network's time.
            smooth: Smooth the points of ``update`` with a One-Euro filter.
            detect_every: Frames of ``update`` from one detection to the next while no face was
                lost.
            max_faces: Most faces in a picture, the surest of the detector [default: any number].
            score_threshold: Least score of a detected face, in 0..1 [default: the detector's].

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task, or of other points.
            UsageError: A number is out of range, or there is a threshold, but no detector that
                is loaded here.
        """
        estimator = PointEstimator(model, threads=threads, mirror=mirror)
        if estimator.scheme.name != _SCHEME:
            raise ModelTaskError(
                f"model {estimator.name} finds {estimator.scheme.name}, but a face needs "
                f"{_SCHEME}; 'binvision models' lists what is shipped"
            )
        finder = open_detector(estimator.settings, detector, threads, score_threshold)
        self.name, self.scheme = estimator.name, estimator.scheme
        self._follower = Follower(
            estimator, finder, smooth=smooth, detect_every=detect_every, most=max_faces
        )

    @property
    def timings(self) -> SubjectTimings:
        """Time spent until now, by stage."""
        return self._follower.timings

    def __call__(
        self, image: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Face]:
        """Find the faces of a picture that has to do with no other.

        Args:
            image: (H, W, 3) uint8, BGR.
            boxes: Tight boxes of the points of each face, x, y, w, h: from the brows to the chin
                and from ear to ear, as well as they are known. All are answered, in their order,
                with a low score where there is no face. None leaves it to the detector.

        Returns:
            The faces, the detector's surest first.

        Raises:
            FrameError: The picture has another type or number of channels.
            BoxError: A box is not finite, has no area, or is far outside the picture.
            ModelError: The output of a network is not finite.
        """
        return [
            Face(found.points, found.confidences, image.shape[:2])
            for found in self._follower.find(image, boxes)
        ]

    def update(
        self, frame: NDArray[np.uint8], boxes: Sequence[Sequence[float]] | None = None
    ) -> list[Face]:
        """Find the faces of the next frame of a video.

        Args:
            frame: (H, W, 3) uint8, BGR. Where its size is another than the last frame's, all
                faces are looked for anew.
            boxes: Tight boxes of the points of faces that shall be followed from this frame on,
                beside those that are. Where there is no detector, nobody else is looked for then.

        Returns:
            The faces that are in sight, by identity.

        Raises:
            FrameError: The frame has another type or number of channels.
            BoxError: A box is not finite, has no area, or is far outside the frame.
            ModelError: The output of a network is not finite.
        """
        return [
            Face(found.points, found.confidences, frame.shape[:2], identity)
            for identity, found in self._follower.update(frame, boxes)
        ]

    def reset(self) -> None:
        """Forget all faces, as before another video; identities are not used again."""
        self._follower.reset()
