"""The numbers that a detector's inference needs, as a packed model carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from binvision.runtime.operations import MAX_CHANNELS
from binvision.runtime.settings import check_names, check_ranges, is_number, is_whole

__all__ = ["MAX_SIDE", "TASK", "DetectorSettings"]

TASK = "detection/anchor_free"

# Far beyond any detector:
MAX_SIDE = 8192  # of the network's input, pixels
_MOST = {"stride": 256, "multiple": MAX_SIDE, "input_size": MAX_SIDE, "max_detections": 10_000}


@dataclass(frozen=True)
class DetectorSettings:
    """Settings of an anchor-free detector with one map of cells.

    The first four belong to the trained network; the others steer its use.

    Attributes:
        classes: Names of the classes, in the order of the network's channels.
        stride: Pixels of the input between two cells of the map.
        multiple: The sides of the input are multiples of it, and it is one of ``stride``.
        input_size: Longest side to which pictures are scaled, pixels.
        score_threshold: Least score of a detection, in 0..1.
        iou_threshold: Of two boxes of a class that overlap by more, the one with the lower score
            is dropped; intersection over union, in 0..1.
        quality_weight: Exponent of the quality in the score, in 0..1 without 1; the class has
            what is left of 1. At 0.5 a score is the geometric mean of both.
        max_detections: Most detections in a picture, or in a tile of one, best first.
    """

    classes: tuple[str, ...]
    stride: int
    multiple: int
    input_size: int
    score_threshold: float = 0.4
    iou_threshold: float = 0.5
    quality_weight: float = 0.5
    max_detections: int = 300

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str) -> DetectorSettings:
        """Build from the ``settings`` of a packed model.

        Args:
            values: Names and values, as JSON has them; what is absent has the default.
            where: What messages call the model.

        Raises:
            ModelFileError: A name is unknown, a needed one absent, or a value out of its range.
        """
        check_names(cls, values, "detection", where)
        classes = values["classes"]
        settings = cls(**{**values, "classes": tuple(classes) if _is_names(classes) else ()})
        check_ranges(settings._conditions(), values, "detection", where)
        return settings

    def _conditions(self) -> dict[str, bool]:
        conditions = {"classes": bool(self.classes)}
        conditions |= {name: is_whole(getattr(self, name), most) for name, most in _MOST.items()}
        if conditions["stride"] and conditions["multiple"]:
            conditions["multiple"] = self.multiple % self.stride == 0
        for name in ("score_threshold", "iou_threshold", "quality_weight"):
            conditions[name] = _is_part(getattr(self, name))
        if conditions["quality_weight"]:
            conditions["quality_weight"] = self.quality_weight < 1
        return conditions


def _is_names(value: object) -> bool:
    """Whether it is a list of different names, no more than a network can have channels."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) < MAX_CHANNELS:
        return False
    names = [name for name in value if isinstance(name, str) and name.strip()]
    return len(set(names)) == len(value)


def _is_part(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1
