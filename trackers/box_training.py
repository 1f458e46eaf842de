"""Training of the tracker that predicts boxes, under mmengine."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from binvision.errors import ConfigError
from binvision.trackers.box_losses import (
    cell_centres,
    decode_boxes,
    generalized_iou,
    label_cells,
    quality_loss,
)
from binvision.trackers.box_model import (
    COARSE_CROP,
    FINE_CROP,
    BoxTracker,
    BoxTrackerConfig,
    middle,
)
from binvision.training.unpacking import take_packed_weights

__all__ = ["BoxTraining", "match_pairs"]

_BOX_WEIGHT = 1.0


@MODELS.register_module()
class BoxTraining(BaseModel):
    """Trains a :class:`BoxTracker` of any method on object groups with boxes.

    Every search region is matched with all exemplars of its own object, and every second one with
    an exemplar of another object too, where nothing is to be found.

    Args:
        network: Arguments of :class:`BoxTrackerConfig`.
        start: Packed SiamFC model that the fine part starts from; empty: from random weights.
        frozen: Leave the fine part as it is. It then costs a third of the time, forwards alone.
        compile: Compile both parts of the network; pays after some 200 steps.

    Raises:
        ConfigError: The start is of another form, or there is none to freeze.
    """

    def __init__(
        self,
        network: dict[str, Any],
        *,
        start: str = "",
        frozen: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.network = BoxTracker(BoxTrackerConfig(**network))
        if start:
            take_packed_weights(self.network.fine, start)
        elif frozen:
            raise ConfigError("frozen=True leaves random weights as they are: name a start")
        self._frozen = frozen
        self.network.fine.requires_grad_(not frozen)
        self.to(memory_format=torch.channels_last)
        self._fine, self._coarse, self._match = (
            self.network.fine.stages,
            self._see,
            self.network.match,
        )
        if compile:
            self._fine = torch.compile(self._fine, dynamic=False)
            self._coarse = torch.compile(self._coarse, dynamic=False)
            self._match = torch.compile(self._match, dynamic=False)

    def train(self, mode: bool = True) -> BoxTraining:
        """Set training mode, except for a frozen part, whose statistics are fixed."""
        super().train(mode)
        if self._frozen:
            self.network.fine.eval()
        return self

    def forward(
        self, exemplars: Tensor, searches: Tensor, boxes: Tensor, mode: str = "loss"
    ) -> dict[str, Tensor]:
        """Return the losses of one batch.

        Args:
            exemplars: (B, E, 3, 127, 127).
            searches: (B, S, 3, h, w).
            boxes: (B, S, 4) left, top, right, bottom in pixels of the search region.
            mode: What mmengine asks for; ``loss`` alone is known.
        """
        if mode != "loss":
            raise ConfigError(f"BoxTraining computes mode 'loss' only, got {mode!r}")
        objects, own = exemplars.shape[:2]
        fine, coarse = self._features(searches)
        given_fine, given_coarse = self._features(exemplars)
        search, exemplar, is_own = match_pairs(objects, own, searches.shape[1], fine.device)
        score, raw = self._match(
            fine[search],
            coarse[search],
            middle(given_fine, FINE_CROP)[exemplar],
            middle(given_coarse, COARSE_CROP)[exemplar],
        )
        return _losses(score, raw, boxes.flatten(0, 1)[search] * is_own[:, None], is_own)

    def _features(self, views: Tensor) -> tuple[Tensor, Tensor]:
        images = views.flatten(0, 1).float().contiguous(memory_format=torch.channels_last)
        with torch.set_grad_enabled(not self._frozen):
            *_, last, fine = self._fine(images)
        return fine, self._coarse(last)

    def _see(self, last: Tensor) -> Tensor:
        return self.network.coarse_norm(self.network.coarse_head(self.network.coarse(last)))


def match_pairs(
    objects: int, exemplars: int, searches: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Which search region meets which exemplar.

    Returns:
        Numbers of the search regions (P,) and of the exemplars (P,), and whether both show the same
        object, float32 (P,).
    """
    pairs = []
    for number in range(objects):
        for each in range(searches):
            search = number * searches + each
            pairs += [(search, number * exemplars + e, 1.0) for e in range(exemplars)]
            if objects > 1 and each % 2:
                other = (number + 1 + each // 2 % (objects - 1)) % objects
                pairs.append((search, other * exemplars + each // 2 % exemplars, 0.0))
    search_of, exemplar_of, is_own = zip(*pairs, strict=True)
    return (
        torch.tensor(search_of, device=device),
        torch.tensor(exemplar_of, device=device),
        torch.tensor(is_own, device=device),
    )


def _losses(score: Tensor, raw: Tensor, truth: Tensor, is_own: Tensor) -> dict[str, Tensor]:
    stride = BoxTracker.stride
    centres = cell_centres(score.shape[-1], stride, BoxTracker.origin, score)
    boxes = decode_boxes(raw, centres, stride).permute(0, 2, 3, 1)
    positive, negative = label_cells(truth, centres)
    iou, giou = generalized_iou(boxes, truth[:, None, None])
    count = positive.sum().clamp(min=1)
    quality = iou.detach() * positive
    with torch.no_grad():
        logits = score[:, 0].flatten(1)
        best = logits.argmax(1)
        found = iou.flatten(1).gather(1, best[:, None])[:, 0]
        own = is_own.sum().clamp(min=1)
        overlap = (found * is_own).sum() / own
        stray = logits.amax(1).sigmoid()
    return {
        "loss_score": quality_loss(score[:, 0], quality, positive, negative),
        "loss_box": _BOX_WEIGHT * ((1 - giou) * positive).sum() / count,
        "iou_positive": quality.sum() / count,
        "iou_best": overlap,
        "score_own": (stray * is_own).sum() / own,
        "score_other": (stray * (1 - is_own)).sum() / (1 - is_own).sum().clamp(min=1),
    }
