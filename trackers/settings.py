"""The numbers that inference loops need, as a packed model carries them; those of SiamFC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from binvision.errors import ModelFileError
from binvision.runtime.faults import show
from binvision.runtime.settings import check_names, check_ranges, is_number, is_whole

__all__ = ["MAX_SIDE", "SiamFCSettings", "TrackerSettings"]

# Far beyond any tracker:
MAX_SIDE = 4096  # of crops in pixels, and of up-sampled responses
_MAX_PIXELS = 4 * MAX_SIDE**2  # of the crops of a frame

_Settings = TypeVar("_Settings", bound="TrackerSettings")


class TrackerSettings:
    """What the settings of all trackers have in common: how they are read, and some of them."""

    context: float
    lost_threshold: float
    found_threshold: float

    @classmethod
    def from_mapping(cls: type[_Settings], values: Mapping[str, Any], where: str) -> _Settings:
        """Build from the ``settings`` of a packed model.

        Args:
            values: Names and numbers; what is absent has the default.
            where: What messages call the model.

        Raises:
            ModelFileError: A name is unknown, a needed one absent, or a value out of its range.
        """
        check_names(cls, values, "tracking", where)
        for name, value in values.items():
            if not is_number(value):
                raise ModelFileError(
                    f"{where}: tracking setting {name} = {show(value)} is not a number that fits "
                    f"float32"
                )
        settings = cls(**values)
        check_ranges(settings._conditions(), vars(settings), "tracking", where)
        return settings

    def _conditions(self) -> dict[str, bool]:
        """Whether each setting is in its range, by name."""
        return {
            "context": 0 <= self.context <= 10,
            "lost_threshold": 0 <= self.lost_threshold <= self.found_threshold,
            "found_threshold": self.found_threshold <= 1,
        }


@dataclass(frozen=True)
class SiamFCSettings(TrackerSettings):
    """Settings of SiamFC (Bertinetto et al., 2016), under the field's names.

    The first four belong to the trained network; the others steer the tracker. Those of
    Bertinetto et al., section 4, are search_size 255, scale_step 1.0375, scale_count 3,
    scale_penalty 0.9745, scale_lr 0.59, window_influence 0.176, response_up 16.

    Attributes:
        response_scale: Factor from correlation to logit.
        response_bias: Logit where the correlation is 0.
        exemplar_crop: Side of the exemplar's feature map that is kept, cells.
        stride: Pixels of the crop between two cells of a feature map.
        exemplar_size: Side of the exemplar crop, pixels.
        search_size: Side of the search crop, pixels.
        context: Margin around the target, as a part of width + height, 0..10; 0.5 in the paper.
        scale_step: Ratio between two neighbouring scales, > 1, at most 2.
        scale_count: Number of scales in a frame, odd, at most 99, fewer where crops are large.
        scale_penalty: Factor on the response of changed scales, in 0..1.
        scale_lr: How much of the scale found is taken over in a frame, in 0..1.
        window_influence: Weight of the cosine window against the response, in 0..1.
        response_up: Factor of the cubic up-sampling of the response.
        lost_threshold: Score below which the target counts as lost, in 0..1.
        found_threshold: Score from which a lost target counts as found again, in 0..1.
    """

    response_scale: float
    response_bias: float
    exemplar_crop: int = 9
    stride: int = 8
    exemplar_size: int = 127
    search_size: int = 239
    context: float = 0.5
    scale_step: float = 1.04
    scale_count: int = 3
    scale_penalty: float = 0.97
    scale_lr: float = 0.4
    window_influence: float = 0.2
    response_up: int = 16
    lost_threshold: float = 0.2
    found_threshold: float = 0.5

    @property
    def scales(self) -> tuple[float, ...]:
        """Scales of the search crops, smallest first; the middle one is 1."""
        middle = self.scale_count // 2
        return tuple(self.scale_step ** (index - middle) for index in range(self.scale_count))

    def _conditions(self) -> dict[str, bool]:
        wholes = ("exemplar_crop", "stride", "exemplar_size", "search_size", "response_up")
        conditions = super()._conditions()
        conditions |= {name: is_whole(getattr(self, name), MAX_SIDE) for name in wholes}
        for name in ("scale_penalty", "scale_lr", "window_influence"):
            conditions[name] = 0 <= getattr(self, name) <= 1
        conditions["response_scale"] = self.response_scale > 0
        conditions["scale_step"] = 1 < self.scale_step <= 2
        conditions["scale_count"] = is_whole(self.scale_count, 99) and self.scale_count % 2 == 1
        if conditions["scale_count"] and conditions["search_size"]:
            pixels = self.scale_count * self.search_size**2
            conditions["scale_count"] = pixels <= _MAX_PIXELS
        return conditions
