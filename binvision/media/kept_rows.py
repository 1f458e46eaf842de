"""Results in a file of JSON lines, kept as they are made, so that a run can go on from there.

The first line says what made the results, every other is one of them. A run that was interrupted
or killed goes on behind the last whole line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from binvision import __version__
from binvision.errors import DataError, SinkError, UsageError

__all__ = ["KeptRows", "identity"]

Result = TypeVar("Result")


def identity(name: str, path: Path, **options: object) -> dict[str, object]:
    """Say what results depend on: a model's name and bytes, our version, options of the run."""
    return {
        "model": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **options,
        "binvision": __version__,
    }


class KeptRows(Generic[Result]):
    """Rows in a file, open for more.

    Args:
        path: The file; its folder is made if it is not there.
        head: What rows depend on.
        read: From a row to what it stands for; raises ``KeyError``, ``TypeError`` or ``ValueError``
            for one that is damaged.

    Attributes:
        path: The file.
        earlier: What was in it, in its order.

    Raises:
        UsageError: What is there was made by something else.
        DataError: What is there cannot be read.
        SinkError: The file cannot be written.
    """

    def __init__(
        self, path: Path, head: dict[str, Any], read: Callable[[dict[str, Any]], Result]
    ) -> None:
        self.path = path
        self.earlier: list[Result] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("a+b")
            self._file.seek(0)
            content = self._file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._file.truncate(len(whole))  # what a killed process wrote last
        except OSError as error:
            raise SinkError(f"{path}: cannot write: {error.strerror}") from error
        if whole:
            try:
                self._read(whole, head, read)
            except (DataError, UsageError):
                self._file.close()
                raise
        else:
            self.add(head)

    def add(self, row: dict[str, Any]) -> None:
        """Write a row.

        Raises:
            SinkError: It cannot be written.
        """
        try:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise SinkError(f"{self.path}: cannot write: {error.strerror}") from error

    def close(self) -> None:
        """Leave the file."""
        self._file.close()

    def _read(
        self, content: bytes, head: dict[str, Any], read: Callable[[dict[str, Any]], Result]
    ) -> None:
        remedy = "choose another --out, or delete this file"
        try:
            made_by, *rows = (json.loads(line) for line in content.splitlines())
            changed = sorted(k for k in made_by | head if made_by.get(k) != head.get(k))
            if not changed:
                self.earlier = [read(row) for row in rows]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{self.path}: cannot read what was found earlier: {error}; {remedy}"
            ) from error
        if changed:
            raise UsageError(f"{self.path}: was made with another {', '.join(changed)}; {remedy}")
