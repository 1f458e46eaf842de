"""OpenCV's own trackers, to measure beside ours.

``mil``   Babenko et al., CVPR 2009; in every OpenCV package
``kcf``   Henriques et al., TPAMI 2015; in the contrib packages of OpenCV 4
``csrt``  Lukežič et al., CVPR 2017; in the contrib packages of OpenCV 4

opencv-contrib-python-headless unpacks over opencv-python's files, so the two must not share an
environment: measure KCF and CSRT in one of its own.
"""

from __future__ import annotations

import ctypes

import cv2
import numpy as np

from binvision.errors import MissingExtraError, UsageError

__all__ = ["RIVALS", "RivalTracker"]

RIVALS = ("mil", "kcf", "csrt")


class RivalTracker:
    """One of OpenCV's trackers with default parameters, behind init and update.

    They take boxes in whole pixels. Where one reports failure, or fails inside OpenCV because
    its box has left the image, the last box is kept: a benchmark wants a box in every frame.
    MIL draws its features with C's rand(), which is seeded at each start, so that results do not
    depend on what the process did before.

    Attributes:
        found: Whether OpenCV's tracker claims to have the target in the frame given last.

    Raises:
        UsageError: the name is not in `RIVALS`.
        MissingExtraError: the installed OpenCV was built without this tracker.
    """

    def __init__(self, name: str) -> None:
        if name not in RIVALS:
            raise UsageError(f"unknown rival {name!r}; expected one of {', '.join(RIVALS)}")
        create = getattr(cv2, f"Tracker{name.upper()}_create", None)
        if create is None:
            raise MissingExtraError(
                f"OpenCV {cv2.__version__} has no {name.upper()} tracker; in an environment of "
                f'its own: pip install "opencv-contrib-python-headless<5"'
            )
        self._name, self._create = name, create

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        """Start on a target; uint8 ``[H, W, 3]``, pixels counted from 0."""
        x, y, width, height = (round(value) for value in box_xywh)
        self._box = (x, y, max(width, 1), max(height, 1))
        self.found = True
        _seed_c_library()
        self._tracker = self._create()
        self._tracker.init(frame_bgr, self._box)
        if self._name == "kcf":
            # OpenCV's KCF learns the target in its first update() and moves only from the second:
            # without this it learns the next frame at the old place and lags by a frame for good.
            self._tracker.update(frame_bgr)

    def update(self, frame_bgr: np.ndarray) -> tuple[float, ...]:
        """Follow the target into the next frame; returns its box."""
        try:
            self.found, box = self._tracker.update(frame_bgr)
        except cv2.error:
            self.found = False
        if self.found:
            self._box = box
        return tuple(map(float, self._box))


def _seed_c_library() -> None:
    try:
        ctypes.CDLL(None).srand(1)
    except (TypeError, OSError, AttributeError):
        pass  # Windows has no such handle: there MIL's results vary from start to start
