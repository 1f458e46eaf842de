"""Result files of finished sequences, in the got10k toolkit's layout.

    OUT/BENCHMARK/TRACKER/SEQUENCE/SEQUENCE_001.txt    x,y,w,h a frame; one file a run
    OUT/BENCHMARK/TRACKER/SEQUENCE/SEQUENCE_time.txt   seconds a frame; one column a run
    OUT/BENCHMARK/TRACKER/tracker.json                 what produced them

A sequence is finished when its last box file is there: that file is written last, and every file
appears whole or not at all. So a campaign may be killed at any moment and goes on where it stood.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from binvision.errors import DataError, SinkError, UsageError
from binvision.media.boxes import read_boxes
from binvision.trackers.evaluation.protocols import Track

__all__ = ["ResultStore", "write_atomically"]


class ResultStore:
    """Results of one benchmark and protocol under one folder.

    Args:
        folder: ``OUT/BENCHMARK``; made when the first result is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, tracker: str, identity: dict[str, object]) -> None:
        """Make sure that results under this name come from exactly this tracker.

        Raises:
            UsageError: earlier results were made by another model, version or settings.
            SinkError: the folder cannot be written.
        """
        path = self._folder / tracker / "tracker.json"
        if not path.exists():
            write_atomically(path, json.dumps(identity, indent=2) + "\n")
            return
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot read what made these results: {error}") from error
        if earlier != identity:
            changed = sorted(k for k in earlier | identity if earlier.get(k) != identity.get(k))
            raise UsageError(
                f"{path.parent}: results of {tracker} were made with another "
                f"{', '.join(changed)}; choose another --out or delete this folder"
            )

    def load(self, tracker: str, sequence: str, runs: int) -> tuple[Track, ...] | None:
        """Tracks of a finished sequence, or None if it is not finished.

        Raises:
            DataError: a result file is damaged.
        """
        paths, time_path = self._paths(tracker, sequence, runs)
        if not paths[-1].exists():
            return None
        seconds = _read_times(time_path, runs)
        return tuple(Track(read_boxes(path), seconds[:, i]) for i, path in enumerate(paths))

    def save(self, tracker: str, sequence: str, tracks: tuple[Track, ...]) -> None:
        """Write the tracks of one sequence.

        Raises:
            SinkError: a file cannot be written.
        """
        paths, time_path = self._paths(tracker, sequence, len(tracks))
        columns = np.stack([track.seconds for track in tracks], axis=1)
        write_atomically(time_path, _format_rows(columns, "%.8f"))
        for path, track in zip(paths, tracks, strict=True):
            write_atomically(path, _format_rows(track.boxes_xywh, "%.3f"))

    def _paths(self, tracker: str, sequence: str, runs: int) -> tuple[list[Path], Path]:
        folder = self._folder / tracker / sequence
        boxes = [folder / f"{sequence}_{run:03d}.txt" for run in range(1, runs + 1)]
        return boxes, folder / f"{sequence}_time.txt"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file beside its final place and rename it, making its folder if needed.

    Raises:
        SinkError: the folder or the file cannot be written.
    """
    # Two processes may write one path; each needs a temporary file of its own.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except OSError as error:
        raise SinkError(f"{path}: cannot write: {error.strerror}") from error


def _format_rows(rows: np.ndarray, pattern: str) -> str:
    return "".join(",".join(pattern % value for value in row) + "\n" for row in rows)


def _read_times(path: Path, runs: int) -> np.ndarray:
    try:
        seconds = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read times: {error}; delete its folder") from error
    if seconds.shape[1] != runs:
        raise DataError(f"{path}: {seconds.shape[1]} columns of times for {runs} runs")
    return seconds
