"""What the settings of all tasks have in common: known names, needed ones, values in their range.

The settings of a model are a dataclass; what has no default is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from binvision.errors import ModelFileError
from binvision.runtime.faults import show

__all__ = ["check_names", "check_ranges", "is_number", "is_whole"]

_MAX_NUMBER = 3e38  # what fits float32


def check_names(settings: Any, values: Mapping[str, Any], kind: str, where: str) -> None:
    """Make sure that values are those of a class of settings.

    Args:
        settings: The class.
        values: Names and values of a packed model.
        kind: What messages call such settings, for example ``"tracking"``.
        where: What they call the model.

    Raises:
        ModelFileError: A name is unknown, or a needed one absent.
    """
    known = {field.name: field.default is MISSING for field in fields(settings)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ModelFileError(
            f"{where}: unknown {kind} settings {', '.join(unknown)}; "
            f"this version knows {', '.join(sorted(known))}"
        )
    absent = sorted(name for name, is_needed in known.items() if is_needed and name not in values)
    if absent:
        raise ModelFileError(f"{where}: {kind} settings lack {', '.join(absent)}")


def check_ranges(
    conditions: Mapping[str, bool], values: Mapping[str, Any], kind: str, where: str
) -> None:
    """Make sure that the condition of every setting holds.

    Args:
        conditions: Name of a setting to whether its value will do.
        values: Their values, for the message; a default is never out of range by itself.
        kind: As for :func:`check_names`.
        where: As for :func:`check_names`.

    Raises:
        ModelFileError: One does not.
    """
    for name, holds in conditions.items():
        if not holds:
            shown = show(values[name])
            raise ModelFileError(f"{where}: {kind} setting {name} = {shown} out of range")


def is_number(value: object) -> bool:
    """Tell whether a value is a number that fits float32; NaN is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    # NaN fails the comparison, and math.isfinite would fail at a whole number of 400 digits.
    return abs(value) <= _MAX_NUMBER


def is_whole(value: object, most: int) -> bool:
    """Tell whether a value is a whole number from 1 to ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
