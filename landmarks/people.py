"""A person with joints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from binvision.errors import UsageError
from binvision.landmarks.schemes import Scheme
from binvision.landmarks.subject import Subject

__all__ = ["Joint", "Person"]


class Joint(NamedTuple):
    """A joint: x, y in pixels of the picture, and its confidence in 0..1."""

    x: float
    y: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Person(Subject):
    """A person in a picture; see Subject for the attributes.

    Left and right are the person's own.

    Attributes:
        scheme: The names of the joints, and the limbs.
    """

    scheme: Scheme = field(kw_only=True)

    def joint(self, name: str) -> Joint:
        """Return a joint by its name, such as ``"left_wrist"``.

        Raises:
            UsageError: There is none of this name.
        """
        if name not in self.scheme.points:
            raise UsageError(
                f"joint {name!r} is unknown; {self.scheme.name} has {', '.join(self.scheme.points)}"
            )
        index = self.scheme.points.index(name)
        x, y = self.points[index].tolist()
        return Joint(x, y, float(self.confidences[index]))
