"""Result files of finished sequences, in the got10k toolkit's layouts.

One run a sequence, of the benchmarks that the toolkit's OTB and UAV123 experiments report:

    FOLDER/TRACKER/SEQUENCE.txt                    x,y,w,h a frame
    FOLDER/TRACKER/times/SEQUENCE_time.txt         seconds a frame

All else, as the toolkit's GOT-10k experiment has it:

    FOLDER/TRACKER/SEQUENCE/SEQUENCE_001.txt       x,y,w,h a frame; one file a run
    FOLDER/TRACKER/SEQUENCE/SEQUENCE_time.txt      seconds a frame; one column a run

FOLDER is ``OUT/results/BENCHMARK``. ``FOLDER/TRACKER.json`` tells what produced the results; it
lies beside the tracker's folder, because GOT-10k's server takes that folder as it is.

A sequence is finished when its last box file is there: that file is written last, and every file
appears whole or not at all. So a campaign may be killed at any moment and goes on where it stood.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from binvision.errors import DataError, UsageError
from binvision.media.boxes import read_boxes
from binvision.media.files import write_atomically
from binvision.trackers.evaluation.protocols import Track

__all__ = ["ResultStore"]

# What the toolkit's experiments call their result folders.
_TOOLKIT_FOLDERS = {
    "got10k": "GOT-10k",
    "otb2013": "OTB2013",
    "otb50": "OTBtb50",
    "otb100": "OTB2015",
    "uav123": "UAV123",
    "uav20l": "UAV20L",
}


class ResultStore:
    """Results of one benchmark and number of starts.

    Args:
        folder: Where they lie; made when the first result is written.
        protocol: ``"got10k"``, ``"otb"`` or ``"uav"``: whose layout the files have.
    """

    def __init__(self, folder: Path, protocol: str = "got10k") -> None:
        self.folder = folder
        self._is_flat = protocol in ("otb", "uav")

    @classmethod
    def of_benchmark(cls, out: Path, benchmark: str, protocol: str, starts: int) -> ResultStore:
        """Results below ``out`` where the toolkit looks for those of this benchmark.

        Several starts have no place in the toolkit, and get a folder of their own.
        """
        name = _TOOLKIT_FOLDERS.get(benchmark, benchmark)
        if starts == 1:
            return cls(out / "results" / name, protocol)
        return cls(out / "results" / f"{name}-starts{starts}")

    def claim(self, tracker: str, identity: dict[str, object]) -> None:
        """Make sure that results under this name come from exactly this tracker.

        Raises:
            UsageError: earlier results were made by another model, version or settings.
            DataError: what made them cannot be read.
            SinkError: the folder cannot be written.
        """
        path = self.folder / f"{tracker}.json"
        if not path.exists():
            write_atomically(path, json.dumps(identity, indent=2) + "\n", replace=False)
        remedy = f"choose another --out, or delete this file and the folder {tracker} beside it"
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: cannot read what made these results: {error}; {remedy}"
            ) from error
        if not isinstance(earlier, dict):
            raise DataError(
                f"{path}: expected an object that says what made these results, found "
                f"{earlier!r:.40}; {remedy}"
            )
        if earlier != identity:
            changed = sorted(k for k in earlier | identity if earlier.get(k) != identity.get(k))
            raise UsageError(
                f"{path}: results of {tracker} were made with another {', '.join(changed)}; "
                f"{remedy}"
            )

    def is_finished(self, tracker: str, sequence: str, runs: int) -> bool:
        """Whether all runs of this sequence are there."""
        return self._paths(tracker, sequence, runs)[0][-1].exists()

    def load(self, tracker: str, sequence: str, runs: int, frames: int) -> tuple[Track, ...] | None:
        """Tracks of a finished sequence of so many frames, or None if it is not finished.

        Raises:
            DataError: a result file is damaged, or is of another number of frames.
        """
        if not self.is_finished(tracker, sequence, runs):
            return None
        paths, time_path = self._paths(tracker, sequence, runs)
        try:
            seconds = _read_times(time_path, runs, frames)
            boxes = [_read_tracked(path, frames) for path in paths]
            return tuple(Track(xywh, seconds[:, run]) for run, xywh in enumerate(boxes))
        except DataError as error:
            raise DataError(f"{error}; delete {paths[-1]} to run the sequence again") from error

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
        folder = self.folder / tracker
        if self._is_flat:
            return [folder / f"{sequence}.txt"], folder / "times" / f"{sequence}_time.txt"
        folder /= sequence
        boxes = [folder / f"{sequence}_{run:03d}.txt" for run in range(1, runs + 1)]
        return boxes, folder / f"{sequence}_time.txt"


def _format_rows(rows: np.ndarray, pattern: str) -> str:
    return "".join(",".join(pattern % value for value in row) + "\n" for row in rows)


def _read_tracked(path: Path, frames: int) -> np.ndarray:
    boxes = read_boxes(path)
    if len(boxes) != frames:
        raise DataError(f"{path}: {len(boxes)} tracked boxes for {frames} frames")
    return boxes


def _read_times(path: Path, runs: int, frames: int) -> np.ndarray:
    try:
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        seconds = np.array(rows, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot read times: {error}") from error
    if seconds.shape != (frames, runs):
        raise DataError(
            f"{path}: expected {frames} lines of {runs} times, found {len(rows)} of "
            f"{len(rows[0]) if rows else 0}"
        )
    return seconds
