"""The numbers that the loop of a tracker with a box head needs, as a packed model carries them."""

from __future__ import annotations

from dataclasses import dataclass

from binvision.runtime.settings import is_whole
from binvision.trackers.results import sigmoid
from binvision.trackers.settings import MAX_SIDE, TrackerSettings

__all__ = ["TASK", "BoxSettings"]

TASK = "tracking/box"

_MAX_LOOKS = 99


@dataclass(frozen=True)
class BoxSettings(TrackerSettings):
    """Settings of a Siamese tracker with a box head, under the field's names.

    The first six belong to the trained network; the others steer the tracker.

    Attributes:
        stride: Pixels of the search crop between two cells of the score map.
        origin: Centre of the first cell, pixels of the crop.
        fine_crop: Side of the exemplar's fine map that is kept, cells.
        coarse_crop: Side of its coarse map that is kept, cells.
        exemplar_size: Side of the exemplar crop, pixels.
        search_size: Side of the search crop, pixels.
        context: Margin around the target, as a part of width + height, 0..10.
        window_influence: Weight of the cosine window against the score, in 0..1.
        penalty_k: Strength of the penalty on a change of size and of ratio (Li et al., SiamRPN,
            CVPR 2018, section 4.3), 0..10.
        size_lr: How much of the size found is taken over in a frame, at most, in 0..1.
        lost_threshold: Score below which the target counts as lost, in 0..1.
        found_threshold: Score from which a lost target counts as found again, in 0..1.
        lost_looks: Passes of the network in a frame with a lost target, at most 99; in turns at
            its last place and at a next place of the frame.
        lost_growth: How much larger the search region is when a lost target is sought, 1..4.
        score_scale: The score is the sigmoid of score_scale * logit + score_bias; boxes are chosen
            by the logits as they are.
        score_bias: See score_scale.
        habit_limit: How far the network's boxes may be corrected by what it made of the first
            frame, as the logarithm of a side, 0..2; 0 for not at all.
        light_band: How far a search region's light may be from the exemplar's before a gain brings
            it back to there, as the logarithm of a ratio, 0..5; 0 for no gain.
    """

    stride: int = 16
    origin: float = 3.5
    fine_crop: int = 7
    coarse_crop: int = 6
    exemplar_size: int = 127
    search_size: int = 255
    context: float = 0.5
    window_influence: float = 0.4
    penalty_k: float = 0.04
    size_lr: float = 0.35
    lost_threshold: float = 0.2
    found_threshold: float = 0.5
    lost_looks: int = 2
    lost_growth: float = 1.5
    score_scale: float = 1.0
    score_bias: float = 0.0
    habit_limit: float = 1.0
    light_band: float = 0.3

    def score(self, logit: float) -> float:
        """Confidence in 0..1 that a logit of the network means."""
        return sigmoid(self.score_scale * logit + self.score_bias)

    def _conditions(self) -> dict[str, bool]:
        wholes = ("stride", "fine_crop", "coarse_crop", "exemplar_size", "search_size")
        conditions = super()._conditions()
        conditions |= {name: is_whole(getattr(self, name), MAX_SIDE) for name in wholes}
        conditions["lost_looks"] = is_whole(self.lost_looks, _MAX_LOOKS)
        for name in ("window_influence", "size_lr"):
            conditions[name] = 0 <= getattr(self, name) <= 1
        conditions["habit_limit"] = 0 <= self.habit_limit <= 2
        conditions["light_band"] = 0 <= self.light_band <= 5
        conditions["score_scale"] = self.score_scale > 0
        conditions["lost_growth"] = 1 <= self.lost_growth <= 4
        conditions["origin"] = 0 <= self.origin <= self.search_size
        conditions["penalty_k"] = 0 <= self.penalty_k <= 10
        return conditions
