"""Losses of heat maps: where a point is, and how a twin sees it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["SHARPNESS", "expected_points", "gaussian_maps", "guide_loss", "heat_map_losses"]

# What the maps of each loss are multiplied with to be logits of a softmax over the map. Maps
# trained pixel by pixel have some background everywhere, whose sum must not outweigh the peak.
SHARPNESS = {"softmax": 1.0, "sigmoid": 3.0, "l2": 30.0}

_SIGMA = 1.0  # of the target's Gaussian, cells
_POINT_WEIGHT = 0.5
_ABSENT_WEIGHT = 0.2
_L2_WEIGHT = 100.0  # a map is nearly empty, so its mean square is tiny


def heat_map_losses(
    maps: Tensor, points: Tensor, weights: Tensor, present: Tensor, stride: int, loss: str
) -> dict[str, Tensor]:
    """Return the losses of one hourglass's maps.

    With t a Gaussian of one cell around the true point, m the map and s the sigmoid::

        softmax  -sum t / |t| log softmax(m)  and  .5 |soft-argmax(m) - point|_1, in cells
        sigmoid  -mean (t log s(m) + (1 - t) log(1 - s(m)))      (Bulat & Tzimiropoulos, eq. 2)
        l2       100 mean (t - m)^2                              (their baseline)

    The expected point is that of Integral Human Pose Regression (ECCV 2018, eq. 2). Where nobody is
    in the picture the target is empty: with a softmax, every cell as likely as another, so that
    the score of a subject, its maps' concentration, says whether it is there.

    Args:
        maps: (N, P, h, w) the network's output, not sharpened.
        points: (N, P, 2) x, y in pixels of the input.
        weights: (N, P) weight of a point, 0 where it has none or lies outside.
        present: (N,) 1 where a subject is in the picture, else 0.
        stride: Pixels between two cells.
        loss: A key of :data:`SHARPNESS`.

    Returns:
        Scalars by name, each with its weight.
    """
    maps = maps.float()
    cells = (points + 0.5) / stride - 0.5
    absent = (1 - present).unsqueeze(1).expand_as(weights)
    target = gaussian_maps(cells, maps.shape[-2:])
    if loss != "softmax":
        target = target * present.view(-1, 1, 1, 1)
        if loss == "sigmoid":
            apart = F.binary_cross_entropy_with_logits(maps, target, reduction="none")
        else:
            apart = _L2_WEIGHT * (maps - target).square()
        return {"loss_map": _mean(apart.mean((2, 3)), weights + absent)}
    target = target / target.sum((2, 3), keepdim=True).clamp(min=1e-6)
    logs = maps.flatten(2).log_softmax(2)
    crossed = -(target.flatten(2) * logs).sum(2)
    distance = (expected_points(logs.exp().view_as(maps)) - cells).abs().sum(2)
    uneven = -logs.mean(2) - math.log(logs.shape[2])
    return {
        "loss_map": _mean(crossed, weights),
        "loss_point": _POINT_WEIGHT * _mean(distance, weights),
        "loss_absent": _ABSENT_WEIGHT * _mean(uneven, absent),
    }


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def gaussian_maps(cells: Tensor, size_hw: tuple[int, int] | torch.Size) -> Tensor:
    """Gaussians with peak 1 around (N, P, 2) x, y in cells, as (N, P, h, w)."""
    rows, columns = size_hw
    x = torch.arange(columns, device=cells.device, dtype=cells.dtype) - cells[..., :1]
    y = torch.arange(rows, device=cells.device, dtype=cells.dtype) - cells[..., 1:]
    across, down = (torch.exp(-0.5 * (each / _SIGMA).square()) for each in (x, y))
    return down.unsqueeze(3) * across.unsqueeze(2)


def expected_points(probability: Tensor) -> Tensor:
    """Expected x, y in cells, (N, P, 2), of probabilities (N, P, h, w)."""
    rows, columns = probability.shape[-2:]
    place = {"device": probability.device, "dtype": probability.dtype}
    x = (probability.sum(2) * torch.arange(columns, **place)).sum(2)
    y = (probability.sum(3) * torch.arange(rows, **place)).sum(2)
    return torch.stack([x, y], 2)


def guide_loss(maps: Tensor, guide: Tensor, weights: Tensor) -> Tensor:
    """Divergence of the twin's softmax over each map from the network's, a scalar.

    ::

        loss = mean over points of  sum p log(p / q),   p = softmax(guide), q = softmax(maps)

    (Hinton et al., arXiv 1503.02531, at temperature 1: a heat map is soft by itself).

    Args:
        maps: (N, P, h, w) logits of the network.
        guide: (N, P, h, w) logits of its twin.
        weights: (N, P) weight of a point.
    """
    own, other = (each.float().flatten(2).log_softmax(2) for each in (maps, guide))
    apart = F.kl_div(own, other, reduction="none", log_target=True).sum(2)
    return _mean(apart, weights)
