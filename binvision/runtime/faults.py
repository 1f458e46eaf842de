"""One form for everything that can be wrong with a model file.

Every message reads: where, what, what was expected, what was found; remedy.
"""

from __future__ import annotations

from typing import Any

from binvision.errors import ModelFileError

__all__ = ["DAMAGED", "fault", "show"]

DAMAGED = "the file is damaged or not a binvision model: fetch it again or export it again"

_SHOWN_CHARACTERS = 60


def show(value: Any) -> str:
    """Text of an untrusted value that is safe in a one-line message: ASCII, short."""
    text = ascii(value)
    if len(text) > _SHOWN_CHARACTERS:
        return text[: _SHOWN_CHARACTERS - 3] + "..."
    return text


def fault(where: str, what: str, expected: str, got: str, remedy: str = DAMAGED) -> ModelFileError:
    """The error for one fault of a model file; the caller raises it."""
    return ModelFileError(f"{where}: {what}: expected {expected}, got {got}; {remedy}")
