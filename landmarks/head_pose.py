"""Where a head looks, from its points: a mean head, seen by a camera, as it must stand.

The head is a dozen points that hardly move with the face's expression. Their places are ours.
Widths and heights begin with the means of adults, women and men, in anthropometry (Farkas,
Anthropometry of the Head and Face, 2nd ed., 1994: 89 mm between the outer corners of the eyes, 52
from the root of the nose to its base, 33 wide there, a mouth 52 wide, 118 from the root of the nose
to the chin), depths with estimates; both were then moved by some millimetres to where 300-W marks
the points in its training pictures. Only ratios matter. The head stands so that the median face of
these pictures, most of whose people look into the camera, has pitch 0.

The camera is taken to have the frame's longer side as its focal length (a field of view of 53
degrees, as webcams have) and to look through the frame's middle. Angles are between the head and
the camera's axis, so that a head at the frame's edge that looks past the camera has yaw 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAD_POINTS", "HeadPose", "head_pose"]

# Of the 68 points: x to the picture's right, y down, z away from the camera, when a head looks into
# the camera; millimetres, from between the eyes.
HEAD_POINTS = {
    8: (0.0, 118.5, 19.5),  # chin
    27: (0.0, 4.0, 1.5),  # nose, from its root to its tip
    28: (0.0, 16.5, -3.5),
    29: (0.0, 28.0, -9.0),
    30: (0.0, 40.0, -16.0),
    31: (-14.0, 48.0, 1.0),  # its base
    33: (0.0, 52.5, -3.5),
    35: (14.0, 48.0, 1.0),
    36: (-45.0, 4.0, 20.5),  # corners of the eyes
    39: (-19.0, 5.5, 15.5),
    42: (19.0, 5.5, 15.5),
    45: (45.0, 4.0, 20.5),
    48: (-27.0, 71.5, 17.5),  # corners of the mouth
    54: (27.0, 71.5, 17.5),
}
_INDICES = list(HEAD_POINTS)
_HEAD = np.array(list(HEAD_POINTS.values()), np.float64)


class HeadPose(NamedTuple):
    """Where a head looks, in degrees; NaN where it cannot be told.

    Attributes:
        yaw: Positive where the face turns to the picture's right.
        pitch: Positive where it turns up.
        roll: Positive where the head is tilted clockwise, as the picture shows it.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(points: NDArray[np.float32], frame_hw: tuple[int, int]) -> HeadPose:
    """Tell from 68 points where a head looks.

    Args:
        points: (68, 2) float32, pixels of the frame.
        frame_hw: Its height and width.
    """
    height, width = frame_hw
    focal = float(max(frame_hw))
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    seen = points[_INDICES].astype(np.float64)
    if not np.isfinite(seen).all() or np.ptp(seen, 0).max() < 1:
        return HeadPose(math.nan, math.nan, math.nan)
    done, turn, shift = cv2.solvePnP(_HEAD, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    if not done:
        return HeadPose(math.nan, math.nan, math.nan)
    turn, _ = cv2.solvePnPRefineLM(_HEAD, seen, camera, None, turn, shift)
    return _angles(cv2.Rodrigues(turn)[0])


def _angles(rotation: NDArray[np.float64]) -> HeadPose:
    """Angles of a head that is first rolled, then pitched, then turned.

    It looks along -z, so that -rotation[:, 2] is the direction of its face.
    """
    yaw = math.atan2(-rotation[0, 2], rotation[2, 2])
    pitch = math.asin(min(max(rotation[1, 2], -1.0), 1.0))
    roll = math.atan2(rotation[1, 0], rotation[1, 1])
    return HeadPose(*map(math.degrees, (yaw, pitch, roll)))
