"""The numbers that finding points needs, as a packed model carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binvision.landmarks.schemes import SCHEMES
from binvision.runtime.settings import check_names, check_ranges, is_number, is_whole

__all__ = ["TASK", "LandmarkSettings"]

TASK = "landmarks/heat_maps"

# Far beyond any network of points:
_MAX_SIDE = 4096  # of the network's input, pixels
_MAX_RATIO = 10.0  # between the sides of crops and boxes


@dataclass(frozen=True)
class LandmarkSettings:
    """Settings of a network with a heat map for each point.

    The first four belong to the trained network; the others steer its use.

    Attributes:
        scheme: Name of the convention of its points, a key of ``SCHEMES``.
        input_size: Side of the square crop that the network sees, pixels.
        stride: Pixels of the crop between two cells of a map.
        crop: Side of the crop over the longer side of the subject's box, the tight box of its
            points.
        presence_threshold: Least score of a subject that is there, in 0..1.
        detector: Name of the model that finds the subjects; empty where there is none.
        detector_box: dx, dy, scale: where the tight box of the points is in a box of the
            detector. Its centre is that of the detector's box + (dx, dy) times its longer side,
            its longer side is scale times that one.
    """

    scheme: str
    input_size: int
    stride: int
    crop: float = 1.5
    presence_threshold: float = 0.3
    detector: str = ""
    detector_box: tuple[float, float, float] = (0.0, 0.0, 1.0)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str) -> LandmarkSettings:
        """Build from the ``settings`` of a packed model.

        Args:
            values: Names and values, as JSON has them; what is absent has the default.
            where: What messages call the model.

        Raises:
            ModelFileError: A name is unknown, a needed one absent, or a value out of its range.
        """
        check_names(cls, values, "landmark", where)
        settings = cls(**values)
        check_ranges(settings._conditions(), values, "landmark", where)
        return cls(**{**values, "detector_box": tuple(settings.detector_box)})

    def _conditions(self) -> dict[str, bool]:
        conditions = {
            "scheme": isinstance(self.scheme, str) and self.scheme in SCHEMES,
            "stride": is_whole(self.stride, _MAX_SIDE),
            "input_size": is_whole(self.input_size, _MAX_SIDE),
            "crop": is_number(self.crop) and 1 <= self.crop <= _MAX_RATIO,
            "presence_threshold": is_number(self.presence_threshold)
            and 0 <= self.presence_threshold <= 1,
            "detector": isinstance(self.detector, str),
            "detector_box": _is_placement(self.detector_box),
        }
        if conditions["stride"] and conditions["input_size"]:
            conditions["input_size"] = self.input_size % self.stride == 0
        return conditions


def _is_placement(value: object) -> bool:
    """Whether it is a shift within a box's size and a positive scale."""
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(map(is_number, value)):
        return False
    dx, dy, scale = value
    return max(abs(dx), abs(dy)) <= 1 and 1 / _MAX_RATIO <= scale <= _MAX_RATIO
