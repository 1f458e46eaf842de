"""Result files: a row for each frame and target, as CSV, JSON or the benchmarks' texts.

Rows go to a file beside the final one as they come; closing gives it its name. An interrupted
run is closed like any other, so what was tracked until then is kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from binvision.errors import UsageError
from binvision.media.boxes import BoxXYWH
from binvision.media.files import PendingFile

__all__ = ["ResultRow", "ResultsSink", "open_results"]

SUFFIXES = (".csv", ".json", ".txt", ".mot.txt")


@dataclass(frozen=True)
class ResultRow:
    """What was found for one target in one frame.

    Attributes:
        frame: Number of the frame, from 0.
        target: Number of the target, from 1.
        box_xywh: Left, top, width, height in pixels, counted from 0.
        score: Confidence in 0..1; 1 in the frame where the box was given.
        lost: True where the tracker takes the target for lost.
        label: Class of the target; empty where none is known.
    """

    frame: int
    target: int
    box_xywh: BoxXYWH
    score: float
    lost: bool
    label: str = ""


class ResultsSink(Protocol):
    """Takes rows in order."""

    paths: tuple[Path, ...]

    def write(self, row: ResultRow) -> None:
        """Add a row.

        Raises:
            SinkError: It cannot be written.
        """
        ...

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            SinkError: The end cannot be written.
        """
        ...

    def discard(self) -> None:
        """Leave no file behind."""
        ...


def open_results(path: str | Path, targets: int | None, about: Mapping[str, Any]) -> ResultsSink:
    """Open a result file; its kind follows from its suffix.

    Args:
        path: Ends in .csv (a line for each target and frame, with a head), .json (``about`` and
            ``rows``), .mot.txt (what MOTChallenge reads: targets that are not lost, frames and
            pixels counted from 1) or .txt (one ``x,y,w,h`` a line). The last has no place for a
            target's number: with several targets ``r.txt`` becomes ``r-1.txt``, ``r-2.txt`` and
            so on.
        targets: Number of targets; None where targets come and go, and have classes.
        about: What JSON says of the run before the rows: source, model.

    Raises:
        UsageError: The suffix is none of these, or .txt where targets come and go.
        SinkError: The file cannot be made.
    """
    path = Path(path).expanduser()
    kind = path.suffix.lower()
    if path.name.lower().endswith(".mot.txt"):
        return _TableSink([path], _mot_line, "")
    if kind == ".csv":
        head = "frame,target,x,y,w,h,score,lost"
        if targets is None:
            return _TableSink([path], _csv_line_with_class, f"{head},class\n")
        return _TableSink([path], _csv_line, f"{head}\n")
    if kind == ".txt":
        if targets is None:
            raise UsageError(
                f"{path}: a line of .txt holds one box and nothing else, but targets that a "
                f"detector starts come and go; write .csv, .json or .mot.txt"
            )
        numbered = [path.with_stem(f"{path.stem}-{number}") for number in range(1, targets + 1)]
        return _TableSink(numbered if targets > 1 else [path], _txt_line, "")
    if kind == ".json":
        return _JSONSink(path, about)
    raise UsageError(
        f"{path}: results are written as {', '.join(SUFFIXES)}, "
        f"not {kind or 'a name without suffix'}"
    )


class _TableSink:
    """Lines of text, in one file or in one for each target."""

    def __init__(
        self, paths: Sequence[Path], line_of: Callable[[ResultRow], str], head: str
    ) -> None:
        self.paths = tuple(paths)
        self._line_of = line_of
        self._files = [PendingFile(path) for path in paths]
        for file in self._files:
            file.write(head)

    def write(self, row: ResultRow) -> None:
        file = self._files[row.target - 1 if len(self._files) > 1 else 0]
        file.write(self._line_of(row))

    def close(self) -> None:
        for file in self._files:
            file.finish()

    def discard(self) -> None:
        for file in self._files:
            file.discard()


class _JSONSink:
    """One object: what the run was about, then ``"rows"``, a row a line."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.paths: tuple[Path, ...] = (path,)
        self._file = PendingFile(path)
        head = json.dumps(dict(about), ensure_ascii=False)[:-1]
        self._file.write(f'{head}{", " if about else ""}"rows": [')
        self._separator = "\n"

    def write(self, row: ResultRow) -> None:
        record: dict[str, Any] = {
            "frame": row.frame,
            "target": row.target,
            "box_xywh": [round(value, 3) for value in row.box_xywh],
            "score": round(row.score, 4),
            "lost": row.lost,
        }
        if row.label:
            record["class"] = row.label
        self._file.write(self._separator + json.dumps(record))
        self._separator = ",\n"

    def close(self) -> None:
        self._file.write("\n]}\n")
        self._file.finish()

    def discard(self) -> None:
        self._file.discard()


def _csv_line(row: ResultRow) -> str:
    box = ",".join(f"{value:.3f}" for value in row.box_xywh)
    return f"{row.frame},{row.target},{box},{row.score:.4f},{int(row.lost)}\n"


def _csv_line_with_class(row: ResultRow) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([row.label])  # quoted where it needs to be
    return f"{_csv_line(row)[:-1]},{line.getvalue()}"


def _mot_line(row: ResultRow) -> str:
    """Line of MOTChallenge: frame, identity, box, score, and three places for the world."""
    if row.lost:
        return ""  # every line is counted as a box that was found
    x, y, w, h = row.box_xywh
    box = f"{x + 1:.3f},{y + 1:.3f},{w:.3f},{h:.3f}"
    return f"{row.frame + 1},{row.target},{box},{row.score:.4f},-1,-1,-1\n"


def _txt_line(row: ResultRow) -> str:
    return ",".join(f"{value:.3f}" for value in row.box_xywh) + "\n"
