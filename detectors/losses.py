"""Losses of the detector: centre maps, boxes and their quality."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["box_corners", "centre_loss", "detection_losses", "generalised_iou"]

_LARGEST_LOG = 8.0
_WEIGHTS = {"centre": 1.0, "box": 5.0, "quality": 1.0}


def detection_losses(
    raw: Tensor, centres: Tensor, boxes: Tensor, weights: Tensor, stride: int
) -> dict[str, Tensor]:
    """Return the losses of a batch.

    Args:
        raw: (N, K + 5, h, w) the network's output.
        centres: (N, K, h, w) Gaussian centre maps, 1 at each object's centre cell; -1 where an
            object may be that is not to be judged.
        boxes: (N, 4, h, w) corners x1, y1, x2, y2 in pixels of the object that a cell belongs to.
        weights: (N, h, w) weight of a cell's box, 0 for cells of no object.
        stride: Pixels between two cells.

    Returns:
        ``loss_centre``, ``loss_box`` and ``loss_quality``, scalars, each with its weight.
    """
    raw = raw.float()
    classes = centres.shape[1]
    predicted = box_corners(raw[:, -4:], stride)
    total = weights.sum().clamp(min=1e-6)
    iou, generalised = generalised_iou(predicted, boxes)
    quality = F.binary_cross_entropy_with_logits(
        raw[:, classes], iou.detach().clamp(0, 1), reduction="none"
    )
    return {
        "loss_centre": _WEIGHTS["centre"] * centre_loss(raw[:, :classes], centres),
        "loss_box": _WEIGHTS["box"] * ((1 - generalised) * weights).sum() / total,
        "loss_quality": _WEIGHTS["quality"] * (quality * weights).sum() / total,
    }


def centre_loss(logits: Tensor, centres: Tensor) -> Tensor:
    """Focal loss on Gaussian centre maps (CornerNet, ECCV 2018, eq. 1, alpha 2, beta 4).

    ::

        -1/N sum  (1 - p)^2 log p                    where y = 1
                  (1 - y)^4 p^2 log(1 - p)           elsewhere

    N is the number of objects, at least 1; cells of y < 0 count nothing.
    """
    probability = logits.sigmoid()
    is_centre = (centres == 1).to(logits.dtype)
    is_judged = (centres >= 0).to(logits.dtype)
    found = (1 - probability).square() * F.logsigmoid(logits) * is_centre
    absent = (1 - centres).pow(4) * probability.square() * F.logsigmoid(-logits)
    total = found + absent * (1 - is_centre) * is_judged
    return -total.sum() / is_centre.sum().clamp(min=1)


def box_corners(logs: Tensor, stride: int) -> Tensor:
    """Corners x1, y1, x2, y2 in pixels, (N, 4, h, w), of log distances (N, 4, h, w)."""
    rows, columns = logs.shape[-2:]
    y = (torch.arange(rows, device=logs.device, dtype=logs.dtype).view(-1, 1) + 0.5) * stride
    x = (torch.arange(columns, device=logs.device, dtype=logs.dtype) + 0.5) * stride
    left, top, right, bottom = (stride * logs.clamp(-10, _LARGEST_LOG).exp()).unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], 1)


def generalised_iou(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU (Rezatofighi et al., CVPR 2019, algorithm 1) of corners (N, 4, ...)."""
    a1, b1, a2, b2 = first.unbind(1)
    c1, d1, c2, d2 = second.unbind(1)
    width = (torch.minimum(a2, c2) - torch.maximum(a1, c1)).clamp(min=0)
    height = (torch.minimum(b2, d2) - torch.maximum(b1, d1)).clamp(min=0)
    shared = width * height
    union = (a2 - a1) * (b2 - b1) + (c2 - c1) * (d2 - d1) - shared
    hull = (torch.maximum(a2, c2) - torch.minimum(a1, c1)) * (
        torch.maximum(b2, d2) - torch.minimum(b1, d1)
    )
    iou = shared / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)
