"""The tracker that a user drives, whatever its model.

tracker = Tracker("bin-track")
tracker.init(frame, (x, y, width, height))
result = tracker.update(next_frame)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.media.boxes import BoxXYWH
from binvision.media.images import check_frame
from binvision.trackers.checks import check_next_frame, checked_box, checked_size
from binvision.trackers.embedder import Embedder
from binvision.trackers.networks import TrackingNetwork, open_network
from binvision.trackers.results import Timings, TrackResult

__all__ = ["Tracker"]


class Tracker:
    """Follows one target through the frames of a video.

    Attributes:
        timings: Time spent, by stage.
    """

    def __init__(
        self,
        model: str | Path | TrackingNetwork = "bin-track",
        *,
        threads: int = 1,
        timings: Timings | None = None,
    ) -> None:
        """Load a model, or take a network that several trackers share.

        Args:
            model: Name of a model of the zoo, path of a packed model, an Embedder or a BoxNetwork.
            threads: Threads that the network may use; one that is given has its own.
            timings: Where the time is counted; trackers of several targets may share it.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        if isinstance(model, (str, Path)):
            model = open_network(model, threads=threads)
            model.prepare()
        self.timings = Timings() if timings is None else timings
        self._loop = _loop_of(model, self.timings)
        self._size_hw: tuple[int, int] | None = None

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
        check_frame(frame)
        box = checked_box(box_xywh, frame.shape[:2])
        self._size_hw = frame.shape[:2]
        self._loop.start(frame, box)

    def correct(self, box_xywh: Sequence[float]) -> None:
        """Take over a better box of the same target, which then counts as found.

        The tracker goes on from there with the exemplar that ``init`` gave it.

        Args:
            box_xywh: Left, top, width, height in pixels of the frame given last.

        Raises:
            UsageError: ``init`` has not been called.
            BoxError: The box is not finite, has no area, or lies outside the frame.
        """
        self._loop.correct(checked_box(box_xywh, checked_size(self._size_hw, "correct")))

    def likeness(self, frame: NDArray[np.uint8], box_xywh: Sequence[float]) -> float:
        """How sure the network is that a box shows the target given to ``init``, 0..1.

        It tells whether what something else has found, a detector for instance, is the target. A
        box that lies a little beside the target is no less alike. The tracker's own idea of where
        the target is does not change.

        Args:
            frame: (H, W, 3) uint8, BGR, of the size of the frame given to ``init``.
            box_xywh: Left, top, width, height in pixels of it.

        Raises:
            UsageError: ``init`` has not been called.
            FrameError: The frame has another size, type or number of channels.
            BoxError: The box is not finite, has no area, or lies outside the frame.
            ModelError: The network's output does not fit its settings.
        """
        size_hw = checked_size(self._size_hw, "likeness")
        check_next_frame(frame, size_hw)
        return self._loop.likeness(frame, checked_box(box_xywh, size_hw))

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: (H, W, 3) uint8, BGR, of the size of the frame given to ``init``.

        Raises:
            UsageError: ``init`` has not been called.
            FrameError: The frame has another size, type or number of channels.
            ModelError: The network's output is not finite, or does not fit its settings.
        """
        check_next_frame(frame, checked_size(self._size_hw, "update"))
        result = self._loop.update(frame)
        self.timings.frames += 1
        return result


class _Loop(Protocol):
    """What a kind of model does frame by frame, with frames and boxes that were checked."""

    def start(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> None: ...

    def correct(self, box_xywh: BoxXYWH) -> None: ...

    def likeness(self, frame: NDArray[np.uint8], box_xywh: BoxXYWH) -> float: ...

    def update(self, frame: NDArray[np.uint8]) -> TrackResult: ...


def _loop_of(network: TrackingNetwork, timings: Timings) -> _Loop:
    if isinstance(network, Embedder):
        from binvision.trackers.siamfc import SiamFCTracker

        return SiamFCTracker(network, timings)
    from binvision.trackers.box_tracker import BoxHeadTracker

    return BoxHeadTracker(network, timings)
