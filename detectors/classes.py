"""Names of classes as users give them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from binvision.errors import UsageError

__all__ = ["class_indices"]


def class_indices(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Find classes by their names, whatever the case of letters.

    Args:
        names: Names that a user gave.
        classes: Those that a model knows.

    Returns:
        Indices into ``classes``, in the order of ``names``.

    Raises:
        UsageError: A name is unknown.
    """
    known = {name.casefold(): index for index, name in enumerate(classes)}
    indices = []
    for name in names:
        if name.casefold() not in known:
            close = difflib.get_close_matches(name.casefold(), known, n=1)
            hint = f"; did you mean {classes[known[close[0]]]!r}?" if close else ""
            raise UsageError(f"unknown class {name!r}: the model knows {', '.join(classes)}{hint}")
        indices.append(known[name.casefold()])
    return indices
