"""Small annotated sequences on disk, and trackers simple enough to know their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

__all__ = ["CountingEntrant", "StillEntrant", "StillTracker", "moving_boxes", "write_sequence"]


def moving_boxes(count: int, step: float = 1.0) -> np.ndarray:
    """A 10x8 box that starts at 4,5 and moves right by ``step`` pixels a frame: [count, 4]."""
    left = 4 + step * np.arange(count)
    return np.stack([left, *np.broadcast_to([[5], [10], [8]], (3, count))], axis=1).astype(float)


def write_sequence(
    root: Path,
    name: str,
    boxes_xywh: np.ndarray,
    *,
    layout: str = "folder",
    separator: str = ",",
    frames: int | None = None,
) -> Path:
    """Write grey 48x32 pictures and their boxes in one of the two layouts; returns the folder."""
    folder = root / name
    pictures = folder / "img" if layout == "otb" else folder
    pictures.mkdir(parents=True)
    picture = np.full((32, 48, 3), 128, np.uint8)
    for index in range(len(boxes_xywh) if frames is None else frames):
        cv2.imwrite(str(pictures / f"{index + 1:04d}.jpg"), picture)
    truth = folder / ("groundtruth_rect.txt" if layout == "otb" else "groundtruth.txt")
    lines = [separator.join(f"{value:g}" for value in box) for box in boxes_xywh]
    truth.write_text("\n".join(lines) + "\n")
    return folder


class StillTracker:
    """Keeps its first box: the toolkit's identity tracker."""

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        self._box = box_xywh

    def update(self, frame_bgr: np.ndarray) -> tuple[float, ...]:
        return self._box


@dataclass(frozen=True)
class StillEntrant:
    """Enters a `StillTracker` into a comparison."""

    name: str = "still"
    version: int = 1

    def build(self) -> StillTracker:
        return StillTracker()

    def identity(self) -> dict[str, object]:
        return {"kind": "still", "version": self.version}


class _CountingTracker(StillTracker):
    def __init__(self, log: Path, limit: int) -> None:
        self._log, self._limit = log, limit

    def init(self, frame_bgr: np.ndarray, box_xywh: tuple[float, ...]) -> None:
        with self._log.open("a") as log:
            log.write("start\n")
        if len(self._log.read_text().splitlines()) > self._limit:
            raise KeyboardInterrupt
        super().init(frame_bgr, box_xywh)


@dataclass(frozen=True)
class CountingEntrant:
    """Logs a line whenever a run starts, and is interrupted when there are more than ``limit``.

    The limit is not part of its identity: it is the same tracker, killed later or never.
    """

    log: Path
    limit: int = 10**9
    name: str = "counting"

    def build(self) -> _CountingTracker:
        return _CountingTracker(self.log, self.limit)

    def identity(self) -> dict[str, object]:
        return {"kind": "counting"}

    def starts(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0
