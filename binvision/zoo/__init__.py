"""Packed models that ship with the package, each with its card (a .md file of the same name)."""

from __future__ import annotations

import difflib
from pathlib import Path

from binvision.errors import ModelFileError

__all__ = ["card", "find", "names"]

_FOLDER = Path(__file__).resolve().parent
_SUFFIX = ".safetensors"


def names() -> list[str]:
    """Names of the shipped models, sorted."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def find(name_or_path: str | Path) -> Path:
    """File of a model that is given by its name, or by a path to a packed model.

    A shipped name wins; a file of the same name in the current folder is ``./name``.

    Raises:
        ModelFileError: There is neither such a shipped model nor such a file.
    """
    shipped = names()
    if str(name_or_path) in shipped:
        return _FOLDER / f"{name_or_path}{_SUFFIX}"
    path = Path(name_or_path)
    if path.is_file():
        return path
    close = difflib.get_close_matches(str(name_or_path), shipped, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "; `binvision models` lists them"
    raise ModelFileError(
        f"no model {str(name_or_path)!r}: expected a packed file or one of "
        f"{', '.join(shipped) or 'no shipped models'}, got neither{hint}"
    )


def card(name: str) -> str:
    """Text of a shipped model's card: what it is for, its data, accuracy and licence.

    Raises:
        ModelFileError: There is no shipped model of this name.
    """
    if name not in names():
        raise ModelFileError(
            f"no shipped model {name!r}: expected one of {', '.join(names())}; "
            f"`binvision models` lists them"
        )
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
