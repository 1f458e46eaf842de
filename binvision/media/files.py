"""Files that are there whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from threading import get_ident
from typing import IO

from binvision.errors import SinkError

__all__ = ["PendingFile", "write_atomically"]


def write_atomically(path: Path, content: str | bytes, *, replace: bool = True) -> None:
    """Write a file beside its final place and rename it, making its folder if needed.

    The file is there whole or not at all, even where the process is killed or the power fails,
    and where several processes write it. What a killed process left beside it is removed.

    Args:
        path: The file.
        content: What it shall hold; text is written in UTF-8.
        replace: False leaves a file that exists, or comes to exist meanwhile, as it is.

    Raises:
        SinkError: the folder or the file cannot be written.
    """
    writer = f"{_host()}.{os.getpid()}-{get_ident()}"
    beside = path.with_name(f".{path.name}.{writer}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(beside, path)
        else:
            _rename_to_free_place(beside, path)
    except OSError as error:
        raise SinkError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


_ABANDONED_AFTER_S = 3600.0


def _remove_abandoned(path: Path) -> None:
    """Remove what killed processes left of earlier attempts to write this file."""
    for partial in path.parent.glob(f".{escape(path.name)}.*.partial"):
        if _is_abandoned(partial):
            partial.unlink(missing_ok=True)


def _is_abandoned(partial: Path) -> bool:
    """Whether nobody will finish this file: writing takes milliseconds."""
    *_, host, writer, _ = partial.name.split(".")
    process = writer.partition("-")[0]
    if host == _host() and process.isdecimal() and os.name == "posix":
        return not _is_alive(int(process))
    try:
        return time.time() - partial.stat().st_mtime > _ABANDONED_AFTER_S
    except FileNotFoundError:
        return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _host() -> str:
    return platform.node().replace(".", "-")


def _rename_to_free_place(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)  # unlike a rename, it fails where there is a file
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(beside, path)


class PendingFile:
    """A text file that is written piece by piece and has its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        """Open a file beside ``path``.

        Raises:
            SinkError: The folder is missing or cannot be written.
        """
        self._path = path
        self._failure: SinkError | None = None  # the file has a hole then, and gets no name
        self._pending = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self._file: IO[str] = self._pending.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise _cannot_write(path, error) from error

    def write(self, text: str) -> None:
        """Add text.

        Raises:
            SinkError: It cannot be written; no file is left.
        """
        if self._failure:
            raise self._failure
        try:
            self._file.write(text)
        except OSError as error:
            raise self._fail(error) from error

    def finish(self) -> None:
        """Close the file and give it its name.

        Raises:
            SinkError: The end cannot be written, or what came before could not; no file is left.
        """
        if self._failure:
            raise self._failure
        try:
            self._file.close()
            os.replace(self._pending, self._path)
        except OSError as error:
            raise self._fail(error) from error

    def discard(self) -> None:
        """Leave no file behind."""
        with suppress(OSError):
            self._file.close()
        self._pending.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> SinkError:
        self.discard()
        self._failure = _cannot_write(self._path, error)
        return self._failure


def _cannot_write(path: Path, error: OSError) -> SinkError:
    return SinkError(f"{path}: results cannot be written ({error.strerror})")
