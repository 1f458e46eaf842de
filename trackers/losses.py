"""Losses on SiamFC response maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["balanced_logistic_loss", "contrastive_loss", "distance_cells", "own_pairs"]

_POSITIVE_CELLS = 1.2
_NEGATIVE_CELLS = 2.0
_LABEL_SIGMA_CELLS = 0.6


def distance_cells(offsets_xy: Tensor, size_hw: tuple[int, int], stride: int) -> Tensor:
    """Distance of every response cell from the target.

    Args:
        offsets_xy: (M, 2) displacement of the target from the search region's centre, pixels.
        size_hw: Height and width of the response map, in cells.
        stride: Pixels per cell.

    Returns:
        (M, h, w) float32, Euclidean, in cells.
    """
    height, width = size_hw
    rows = torch.arange(height, device=offsets_xy.device) - (height - 1) / 2
    cols = torch.arange(width, device=offsets_xy.device) - (width - 1) / 2
    centre = offsets_xy.float() / stride
    dy = rows.view(1, -1, 1) - centre[:, 1].view(-1, 1, 1)
    dx = cols.view(1, 1, -1) - centre[:, 0].view(-1, 1, 1)
    return torch.sqrt(dx.square() + dy.square())


def own_pairs(logits: Tensor, objects: int) -> Tensor:
    """Pick the responses of exemplars to search regions of the same object.

    Args:
        logits: (M, N, h, w); searches and exemplars are grouped by object, in the same order.
        objects: Number of objects in the batch.

    Returns:
        (M, N / objects, h, w).
    """
    searches, exemplars = logits.shape[0] // objects, logits.shape[1] // objects
    grouped = logits.unflatten(1, (objects, exemplars)).unflatten(0, (objects, searches))
    return torch.stack([grouped[i, :, i] for i in range(objects)]).flatten(0, 1)


def balanced_logistic_loss(own: Tensor, distance: Tensor) -> Tensor:
    """Mean logistic loss with positives and negatives of each map weighing the same.

    Bertinetto et al., 2016, eq. 3 and 4, with a band between positives (up to 1.2 cells) and
    negatives (from 2 cells) that counts for neither.

    Args:
        own: (M, E, h, w) logits of same-object pairs.
        distance: (M, h, w) distances from :func:`distance_cells`.
    """
    loss_if_positive, loss_if_negative = F.softplus(-own), F.softplus(own)
    positive = (distance <= _POSITIVE_CELLS).float().unsqueeze(1)
    negative = (distance >= _NEGATIVE_CELLS).float().unsqueeze(1)
    pull = (loss_if_positive * positive).sum((-2, -1)) / positive.sum((-2, -1)).clamp(min=1)
    push = (loss_if_negative * negative).sum((-2, -1)) / negative.sum((-2, -1)).clamp(min=1)
    return (pull + push).mean() / 2


def contrastive_loss(logits: Tensor, distance: Tensor, objects: int) -> Tensor:
    """Cross-entropy of the target's place against everywhere else in the batch.

    For an exemplar i and a search region j of the same object, with p a narrow Gaussian around
    the target, normalised over the map::

        L = log(sum over cells of j and of all other objects' regions of exp(logit)) - sum(p logit)

    This is InfoNCE (van den Oord et al., 2018, eq. 4) with the cells of the response map, and the
    other objects of the batch, as negatives.

    Args:
        logits: (M, N, h, w), grouped by object as in :func:`own_pairs`.
        distance: (M, h, w).
        objects: Number of objects in the batch.
    """
    own = own_pairs(logits, objects).flatten(2)
    label = torch.exp(-0.5 * (distance / _LABEL_SIGMA_CELLS).square()).flatten(1)
    label = (label / label.sum(1, keepdim=True).clamp(min=1e-6)).unsqueeze(1)

    per_map = logits.flatten(2).logsumexp(2)
    searches, exemplars = logits.shape[0] // objects, logits.shape[1] // objects
    index_m = torch.arange(logits.shape[0], device=logits.device) // searches
    index_n = torch.arange(logits.shape[1], device=logits.device) // exemplars
    same = index_m.view(-1, 1) == index_n.view(1, -1)
    others = per_map.masked_fill(same, -torch.inf).logsumexp(0)
    others = others.view(objects, 1, exemplars).expand(-1, searches, -1).flatten(0, 1)

    total = torch.logaddexp(own.logsumexp(2), others)
    return (total - (label * own).sum(2)).mean()
