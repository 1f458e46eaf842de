"""The numbers that the loop of a tracker with a box head needs, as a packed model carries them."""

from __future__ import annotations

from dataclasses import dataclass

from binvision.runtime.settings import is_whole
from binvision.trackers.results import sigmoid
from binvision.trackers.settings import MAX_SIDE, TrackerSettings

__all__ = ["TASK", "BoxSettings"]

TASK = "tracking/box"

_MAX_LOOKS = 99
_PARTS = (
    "window_influence",
    "size_lr",
    "vote",
    "filter_alpha",
    "filter_beta",
    "memory_weight",
    "memory_rate",
    "memory_threshold",
)


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
        found_looks: Looks in turn that must find a lost target, at most 99.
        vote: Score, as a part of the best one, from which a neighbour of the best cell has a say
            in the box, in 0..1; 1 for none.
        filter_alpha: How much of the displacement found against the one expected is taken over in
            a frame, in 0..1.
        filter_beta: How much of it the speed takes over, in 0..1; 0 expects no motion.
        memory_weight: Weight of what the target looks like now against the first exemplar, in
            0..1; 0 for none.
        memory_rate: How much of it a new look replaces, in 0..1.
        memory_every: Frames from one look to the next, at most 4096.
        memory_threshold: Least score of a frame that is looked at, in 0..1.
        camera_side: Side of the picture by which the camera's motion is measured, at most 512; 0
            for a camera that stands still.
        score_scale: The score is the sigmoid of score_scale * logit + score_bias; boxes are chosen
            by the logits as they are.
        score_bias: See score_scale.
        habit_limit: How far the network's boxes may be corrected by what it made of the first
            frame, as the logarithm of a side, 0..2; 0 for not at all.
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
    lost_looks: int = 1
    lost_growth: float = 1.5
    found_looks: int = 1
    vote: float = 1.0
    filter_alpha: float = 1.0
    filter_beta: float = 0.0
    memory_weight: float = 0.0
    memory_rate: float = 0.3
    memory_every: int = 10
    memory_threshold: float = 0.7
    camera_side: int = 0
    score_scale: float = 1.0
    score_bias: float = 0.0
    habit_limit: float = 1.0

    def score(self, logit: float) -> float:
        """Confidence in 0..1 that a logit of the network means."""
        return sigmoid(self.score_scale * logit + self.score_bias)

    def _conditions(self) -> dict[str, bool]:
        wholes = ("stride", "fine_crop", "coarse_crop", "exemplar_size", "search_size")
        conditions = super()._conditions()
        conditions |= {name: is_whole(getattr(self, name), MAX_SIDE) for name in wholes}
        conditions["memory_every"] = is_whole(self.memory_every, MAX_SIDE)
        for name in ("lost_looks", "found_looks"):
            conditions[name] = is_whole(getattr(self, name), _MAX_LOOKS)
        for name in _PARTS:
            conditions[name] = 0 <= getattr(self, name) <= 1
        conditions["habit_limit"] = 0 <= self.habit_limit <= 2
        conditions["score_scale"] = self.score_scale > 0
        conditions["lost_growth"] = 1 <= self.lost_growth <= 4
        conditions["camera_side"] = self.camera_side == 0 or is_whole(self.camera_side, 512)
        conditions["origin"] = 0 <= self.origin <= self.search_size
        conditions["penalty_k"] = 0 <= self.penalty_k <= 10
        return conditions
