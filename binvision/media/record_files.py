"""Files of what was found in pictures, whatever it is: lines of a table, or records of JSON.

What was found goes to a file beside the final one as it comes; closing gives it its name. An
interrupted run is closed like any other, so what was found until then is kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from binvision.errors import UsageError
from binvision.media.files import PendingFile

__all__ = [
    "JSONSink",
    "OpenSink",
    "PictureResult",
    "PictureSink",
    "TableSink",
    "json_head",
    "not_written",
]

Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)
Found_contra = TypeVar("Found_contra", contravariant=True)


@dataclass(frozen=True)
class PictureResult(Generic[Found_co]):
    """What was found in one picture.

    Attributes:
        picture: Its name; of a video the number of the frame, from 0.
        identifier: What COCO's annotations would call it.
        image: The picture itself, (H, W, 3) uint8, BGR.
        objects: The most certain first.
    """

    picture: int | str
    identifier: int | str
    image: NDArray[np.uint8] = field(compare=False)
    objects: Sequence[Found_co]


class PictureSink(Protocol[Found_contra]):
    """Takes results picture by picture.

    Attributes:
        path: The file, or the folder of several.
    """

    path: Path

    def write(self, result: PictureResult[Found_contra]) -> None:
        """Add a picture.

        Raises:
            SinkError: It cannot be written.
        """
        ...

    def close(self) -> bool:
        """Finish the file and give it its name.

        Returns:
            Whether there is one now.

        Raises:
            SinkError: The end cannot be written.
        """
        ...

    def discard(self) -> None:
        """Leave no file behind."""
        ...


OpenSink = Callable[[Mapping[str, Any]], PictureSink[Found]]
"""What opens a sink, given what it shall say of the run: source, model."""


class TableSink(Generic[Found]):
    """CSV: a head, and a line for each object; names are quoted where they hold commas."""

    def __init__(
        self,
        path: Path,
        head: Iterable[str],
        cells_of: Callable[[PictureResult[Found]], Iterable[Sequence[Any]]],
    ) -> None:
        """Open the file, with the cells that each object of a picture has.

        Raises:
            SinkError: The file cannot be made.
        """
        self.path = path
        self._cells_of = cells_of
        self._file = PendingFile(path)
        self._write([tuple(head)])

    def write(self, result: PictureResult[Found]) -> None:
        """Add the lines of a picture."""
        self._write(self._cells_of(result))

    def close(self) -> bool:
        """Finish the file and give it its name."""
        self._file.finish()
        return True

    def discard(self) -> None:
        """Leave no file behind."""
        self._file.discard()

    def _write(self, lines: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue())


class JSONSink(Generic[Found]):
    """A list with a record a line, between a head and an end."""

    def __init__(
        self,
        path: Path,
        head: str,
        records_of: Callable[[PictureResult[Found]], Iterable[Mapping[str, Any]]],
        end: str,
    ) -> None:
        """Open the file, with the records that a picture has.

        Raises:
            SinkError: The file cannot be made.
        """
        self.path = path
        self._records_of, self._end = records_of, end
        self._file = PendingFile(path)
        self._file.write(head)
        self._separator = "\n"

    def write(self, result: PictureResult[Found]) -> None:
        """Add the records of a picture."""
        for record in self._records_of(result):
            self._file.write(self._separator + json.dumps(record, ensure_ascii=False))
            self._separator = ",\n"

    def close(self) -> bool:
        """Write the end, finish the file and give it its name."""
        self._file.write(self._end)
        self._file.finish()
        return True

    def discard(self) -> None:
        """Leave no file behind."""
        self._file.discard()


def json_head(about: Mapping[str, Any]) -> str:
    """Begin one object: what the run was about, then the list ``"pictures"``; ``]}`` ends it."""
    head = json.dumps(dict(about), ensure_ascii=False)[:-1]
    return head + (', "pictures": [' if about else '"pictures": [')


def not_written(path: Path, suffixes: Sequence[str]) -> UsageError:
    """Word the error of a file of results whose kind is not written."""
    return UsageError(
        f"{path}: results are written as {', '.join(suffixes)}, "
        f"not {path.suffix or 'a name without suffix'}"
    )
