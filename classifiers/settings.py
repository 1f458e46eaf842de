"""What classification needs to know of its network, as a packed model carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from binvision.errors import ModelFileError
from binvision.runtime.faults import show

__all__ = ["TASK", "ClassifierSettings"]

TASK = "classification"

_MAX_SIDE = 4096  # far beyond any network's input, pixels


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of a network that classifies pictures.

    Attributes:
        classes: Their names, in the order of the network's results.
        input_size: Side of the square picture that the network sees, pixels.
    """

    classes: tuple[str, ...]
    input_size: int

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str) -> ClassifierSettings:
        """Build from the ``settings`` of a packed model.

        Args:
            values: Names and values, as JSON has them.
            where: What messages call the model.

        Raises:
            ModelFileError: A name is unknown or absent, or a value out of its range.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise ModelFileError(
                f"{where}: classifier settings {', '.join(sorted(values))}; "
                f"expected {', '.join(sorted(known))}"
            )
        classes, side = values["classes"], values["input_size"]
        conditions = {
            "classes": isinstance(classes, (list, tuple))
            and len(classes) > 1
            and all(isinstance(name, str) and name for name in classes),
            "input_size": isinstance(side, int)
            and not isinstance(side, bool)
            and 0 < side <= _MAX_SIDE,
        }
        for name, holds in conditions.items():
            if not holds:
                raise ModelFileError(
                    f"{where}: classifier setting {name} = {show(values[name])} out of range"
                )
        return cls(tuple(classes), side)
