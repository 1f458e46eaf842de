"""A face with 68 points, and what applications ask of it.

The points are those of 300-W. Left and right are the person's own: on a face that looks at the
camera, ``right_eye`` is on the picture's left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binvision.landmarks.head_pose import HeadPose, head_pose
from binvision.landmarks.schemes import SCHEMES
from binvision.landmarks.subject import Subject

__all__ = ["Face", "Openness"]

_PARTS = {name: list(part) for name, part in SCHEMES["face68"].parts.items()}
_LEAST_WIDTH = 1e-6  # of an eye or a mouth, pixels


class Openness(NamedTuple):
    """How far the eyes are open: height over width, about 0.3 open and below 0.2 closed."""

    left: float
    right: float


@dataclass(frozen=True, eq=False)
class Face(Subject):
    """A face in a picture; see Subject for the attributes. It has 68 points."""

    @property
    def jaw(self) -> NDArray[np.float32]:
        """(17, 2), along the contour from the person's right ear to the left one."""
        return self._part("jaw")

    @property
    def right_brow(self) -> NDArray[np.float32]:
        """(5, 2), from the outer end."""
        return self._part("right_brow")

    @property
    def left_brow(self) -> NDArray[np.float32]:
        """(5, 2), from the inner end."""
        return self._part("left_brow")

    @property
    def nose(self) -> NDArray[np.float32]:
        """(9, 2), four from the root to the tip, then five along the base."""
        return self._part("nose")

    @property
    def right_eye(self) -> NDArray[np.float32]:
        """(6, 2), around it from the outer corner, first along the upper lid."""
        return self._part("right_eye")

    @property
    def left_eye(self) -> NDArray[np.float32]:
        """(6, 2), around it from the inner corner, first along the upper lid."""
        return self._part("left_eye")

    @property
    def mouth(self) -> NDArray[np.float32]:
        """(20, 2), the outer edge of the lips, then the inner one."""
        return self._part("mouth")

    @property
    def outer_lips(self) -> NDArray[np.float32]:
        """(12, 2), around the mouth from the right corner, first along the upper lip."""
        return self._part("outer_lips")

    @property
    def inner_lips(self) -> NDArray[np.float32]:
        """(8, 2), around the opening from the right corner, first along the upper lip."""
        return self._part("inner_lips")

    @cached_property
    def head_pose(self) -> HeadPose:
        """Yaw, pitch and roll in degrees, for a camera as ``binvision.landmarks.head_pose`` says.

        Yaw is positive where the face turns to the picture's right, pitch where it turns up, roll
        where the head is tilted clockwise.
        """
        return head_pose(self.points, self.frame_hw)

    @property
    def eye_openness(self) -> Openness:
        """Eye aspect ratio of both eyes (Soukupova and Cech, CVWW 2016, eq. 1).

        ::

            (|p2 - p6| + |p3 - p5|) / (2 |p1 - p4|)
        """
        return Openness(_aspect(self.left_eye), _aspect(self.right_eye))

    @property
    def mouth_openness(self) -> float:
        """The same ratio of the opening between the lips, with three heights; 0 closed."""
        return _aspect(self.inner_lips)

    def _part(self, name: str) -> NDArray[np.float32]:
        return self.points[_PARTS[name]]


def _aspect(ring: NDArray[np.float32]) -> float:
    """Mean height over width of a ring that begins at a corner; half of it is the upper edge."""
    half = len(ring) // 2
    upper, lower = ring[1:half], ring[:half:-1]
    heights = np.linalg.norm(upper - lower, axis=1)
    width = float(np.linalg.norm(ring[0] - ring[half]))
    return float(heights.mean()) / max(width, _LEAST_WIDTH)
