"""Further losses of detectors: distillation from the float twin, and those of BiDet."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from binvision.detectors.losses import box_corners, generalised_iou

__all__ = ["bottleneck_loss", "feature_loss", "instance_loss", "sparse_object_loss"]


def feature_loss(features: Tensor, guide: Tensor) -> Tensor:
    """Distance of attention maps (Zagoruyko & Komodakis, ICLR 2017, eq. 2).

    ::

        A(F) = sum over channels of F^2, as a unit vector;  loss = ||A(F) - A(G)||^2

    Where a network looks can be taught to 1-bit features, their values cannot.

    Args:
        features: (N, C, h, w) of the network.
        guide: (N, C', h, w) of its twin.
    """
    own, other = (F.normalize(x.float().square().sum(1).flatten(1)) for x in (features, guide))
    return (own - other).square().sum(1).mean()


def instance_loss(raw: Tensor, guide: Tensor, stride: int) -> Tensor:
    """Imitate the twin where it sees objects: its class scores, and its boxes.

    Every cell's class logits learn the twin's probabilities by cross-entropy, weighted by the
    distance between the two; boxes learn the twin's by GIoU, weighted by the twin's score, so that
    background teaches nothing.

    Args:
        raw: (N, K + 5, h, w) the network's output.
        guide: The twin's.
        stride: Pixels between two cells.
    """
    raw, guide = raw.float(), guide.float()
    probability = guide[:, :-5].sigmoid()
    weight = probability.amax(1)
    total = weight.sum().clamp(min=1)
    gap = (raw[:, :-5].sigmoid() - probability).square()
    classes = gap * F.binary_cross_entropy_with_logits(raw[:, :-5], probability, reduction="none")
    boxes = (box_corners(x[:, -4:], stride) for x in (raw, guide))
    _, generalised = generalised_iou(*boxes)
    return (classes.sum() + ((1 - generalised) * weight).sum()) / total


def bottleneck_loss(features: Tensor) -> Tensor:
    """Information that the signs of a feature map carry beyond fair coins, in nats an element.

    BiDet (Wang et al., CVPR 2020, section 3.2) bounds I(X; F) of high-level features F by the
    divergence of p(f | x) from a prior. Of an element the sign alone is taken here, with the prior
    1/2 and the probability p = sigmoid(f) of being positive::

        loss = mean of  p log p + (1 - p) log(1 - p) + log 2

    Args:
        features: (N, C, h, w), what the head reads.
    """
    x = features.float()
    negative_entropy = x.sigmoid() * F.logsigmoid(x) + (-x).sigmoid() * F.logsigmoid(-x)
    return (negative_entropy + math.log(2)).mean()


def sparse_object_loss(raw: Tensor) -> Tensor:
    """Entropy of the scores of all peaks of a picture (BiDet, CVPR 2020, section 3.3).

    ::

        loss = mean over pictures of  -sum_i s_i log s_i,   s_i = score_i / sum_j score_j

    where i goes over the peaks, that is, what suppression of non-maxima leaves. It is least where a
    few scores hold all, and so drives false positives down.

    Args:
        raw: (N, K + 5, h, w) the network's output.
    """
    scores = raw[:, :-5].float().sigmoid()
    with torch.no_grad():
        is_peak = F.max_pool2d(scores, 3, 1, 1) == scores
    scores = (scores * is_peak).flatten(1)
    share = scores / scores.sum(1, keepdim=True).clamp(min=1e-6)
    return -(share * share.clamp(min=1e-9).log()).sum(1).mean()
