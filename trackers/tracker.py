"""The tracker that a user drives, whatever its model.

tracker = Tracker("rb-siamfc")
tracker.init(frame, (x, y, width, height))
result = tracker.update(next_frame)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
        self, model: str | Path | TrackingNetwork = "rb-siamfc", *, threads: int = 1
    ) -> None:
        """Load a model, or take a network that several trackers share.

        Args:
            model: Name of a model of the zoo, path of a packed model, an Embedder or a BoxNetwork.
            threads: Threads that the network may use; one that is given has its own.

        Raises:
            ModelFileError: There is no such model, or its file is damaged.
            ModelTaskError: It is a model of another task.
        """
        if isinstance(model, (str, Path)):
            model = open_network(model, threads=threads)
            model.prepare()
        self._loop = _loop_of(model)

    @property
    def timings(self) -> Timings:
        """Seconds spent since the tracker was made, by stage."""
        return self._loop.timings

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
        self._loop.init(frame, box_xywh)

    def correct(self, box_xywh: Sequence[float]) -> None:
        """Take over a better box of the same target, which then counts as found.

        The tracker goes on from there with the exemplar that ``init`` gave it.

        Args:
            box_xywh: Left, top, width, height in pixels of the frame given last.

        Raises:
            UsageError: ``init`` has not been called.
            BoxError: The box is not finite, has no area, or lies outside the frame.
        """
        self._loop.correct(box_xywh)

    def update(self, frame: NDArray[np.uint8]) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: (H, W, 3) uint8, BGR, of the size of the frame given to ``init``.

        Raises:
            UsageError: ``init`` has not been called.
            FrameError: The frame has another size, type or number of channels.
            ModelError: The network's output is not finite, or does not fit its settings.
        """
        return self._loop.update(frame)


class _Loop(Protocol):
    """What a kind of model does frame by frame; the methods are the tracker's own."""

    timings: Timings

    def init(self, frame: NDArray[np.uint8], box_xywh: Sequence[float]) -> None: ...

    def correct(self, box_xywh: Sequence[float]) -> None: ...

    def update(self, frame: NDArray[np.uint8]) -> TrackResult: ...


def _loop_of(network: TrackingNetwork) -> _Loop:
    if isinstance(network, Embedder):
        from binvision.trackers.siamfc import SiamFCTracker

        return SiamFCTracker(network)
    from binvision.trackers.box_tracker import BoxHeadTracker

    return BoxHeadTracker(network)
