"""Losses on scores and boxes of a grid of cells."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["cell_centres", "decode_boxes", "generalized_iou", "label_cells", "quality_loss"]

_INNER, _OUTER = 0.55, 1.0  # of the half axes: inside is positive, outside negative
_NEGATIVE_WEIGHT, _FOCUS = 0.75, 2.0  # alpha and gamma of Zhang et al., 2021
_RAW_LIMIT = 4.0


def cell_centres(side: int, stride: int, origin: float, like: Tensor) -> Tensor:
    """Centres (2, side, side), x and y, of a grid's cells in pixels of the search region."""
    line = torch.arange(side, device=like.device, dtype=torch.float32) * stride + origin
    return torch.stack([line.expand(side, side), line.view(-1, 1).expand(side, side)])


def decode_boxes(raw: Tensor, centres: Tensor, stride: int) -> Tensor:
    """Boxes (N, 4, h, w), left, top, right, bottom in pixels, of the head's output.

    The distance from a cell's centre to a side is ``stride * exp(raw)``, raw within +-4.
    """
    distance = stride * raw.float().clamp(-_RAW_LIMIT, _RAW_LIMIT).exp()
    return torch.cat([centres - distance[:, :2], centres + distance[:, 2:]], 1)


def generalized_iou(boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (Rezatofighi et al., CVPR 2019, eq. 2) of boxes (..., 4), left top right bottom.

    ::

        GIoU = IoU - (area of the hull - area of the union) / area of the hull
    """
    least, most = torch.minimum, torch.maximum
    inner = (least(boxes[..., 2:], truth[..., 2:]) - most(boxes[..., :2], truth[..., :2])).clamp(0)
    hull = most(boxes[..., 2:], truth[..., 2:]) - least(boxes[..., :2], truth[..., :2])
    common, covered = inner.prod(-1), hull.prod(-1).clamp(min=1e-6)
    areas = [(each[..., 2:] - each[..., :2]).prod(-1) for each in (boxes, truth)]
    union = (areas[0] + areas[1] - common).clamp(min=1e-6)
    iou = common / union
    return iou, iou - (covered - union) / covered


def label_cells(boxes: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells are the target's, and which are not.

    Cells in the ellipse of .55 of the box's half axes are positive, and always the cell next to its
    centre; those outside of its whole ellipse are negative; between them is neither.

    Args:
        boxes: (N, 4) left, top, right, bottom; an empty box has no positive cell.
        centres: (2, h, w).

    Returns:
        Two masks (N, h, w).
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2).clamp(min=1e-3)
    offset = centres - middle[..., None, None]
    reach = (offset / half[..., None, None]).square().sum(1).sqrt()
    distance = offset.square().sum(1)
    nearest = distance == distance.flatten(1).amin(1)[:, None, None]
    is_there = (boxes[:, 2] > boxes[:, 0])[:, None, None]
    positive = ((reach < _INNER) | nearest) & is_there
    return positive, ((reach > _OUTER) & ~nearest) | ~is_there


def quality_loss(logits: Tensor, quality: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Varifocal loss (Zhang et al., CVPR 2021, eq. 2): the score is to be the box's IoU.

    ::

        -q (q log p + (1 - q) log(1 - p))       where q > 0
        -alpha p^gamma log(1 - p)               elsewhere

    Args:
        logits: (N, h, w).
        quality: (N, h, w), IoU of each cell's box with the target.
        positive: (N, h, w) mask; its cells weigh at least a tenth, so that a hopeless box does
            not take its score out of the training.
        negative: (N, h, w) mask.

    Returns:
        The sum over cells, divided by the number of positive ones.
    """
    logits = logits.float()
    target = quality.clamp(0, 1)
    pull = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    push = _NEGATIVE_WEIGHT * logits.detach().sigmoid().pow(_FOCUS) * F.softplus(logits)
    total = (pull * target.clamp(min=0.1) * positive).sum() + (push * negative).sum()
    return total / positive.sum().clamp(min=1)
