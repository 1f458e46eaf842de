"""A detector that knows the truth, and errs as real ones do: misses, jitter, false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from binvision.detectors.detections import Detections

__all__ = ["FakeDetector"]

Frame = NDArray[np.uint8]
CLASSES = ("patch", "other")


class FakeDetector:
    """Finds the true boxes of the frames it was given, by the frame's place in memory.

    Attributes:
        calls: Indices of the frames that it was asked for.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        truth: Sequence[Mapping[int, Sequence[float]]],
        *,
        miss: float = 0.0,
        jitter: float = 0.0,
        false_alarms: float = 0.0,
        score_of: Mapping[int, float] | None = None,
        label_in: Mapping[int, int] | None = None,
        seed: int = 0,
    ) -> None:
        """Err with probability ``miss`` a box, by ``jitter`` of its sides, and with
        ``false_alarms`` boxes a frame.

        A true box has the score that ``score_of`` gives its number, in a frame that ``label_in``
        names it has that label.
        """
        self._score_of, self._label_in = score_of or {}, label_in or {}
        self._frames, self._truth = frames, truth
        self._miss, self._jitter, self._false_alarms = miss, jitter, false_alarms
        self._rng = np.random.default_rng(seed)
        self.calls: list[int] = []

    def __call__(self, image: Frame, /) -> Detections:
        index = next(i for i, frame in enumerate(self._frames) if frame is image)
        self.calls.append(index)
        rng = self._rng
        found: list[tuple[float, NDArray[np.float64]]] = []
        for number, box in self._truth[index].items():
            if rng.random() >= self._miss:
                shift = rng.normal(0, self._jitter, 4) * np.tile(box[2:], 2) if self._jitter else 0
                score = self._score_of.get(number, rng.uniform(0.5, 1.0))
                found.append((score, np.array(box) + shift))
        for _ in range(rng.poisson(self._false_alarms)):
            height, width = image.shape[:2]
            side = rng.uniform(20, 60)
            box = (rng.uniform(0, width), rng.uniform(0, height), side, side)
            found.append((rng.uniform(0.5, 1.0), np.array(box)))
        found.sort(key=lambda item: -item[0])
        return Detections(
            np.array([box for _, box in found], np.float32).reshape(-1, 4),
            np.array([score for score, _ in found], np.float32),
            np.full(len(found), self._label_in.get(index, 0), np.int64),
            CLASSES,
        )
