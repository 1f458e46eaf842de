"""Which pictures each member of an ensemble learns from, and what its vote counts."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from binvision.errors import ConfigError

__all__ = ["Ensemble", "bootstrap", "check_ensemble", "reweigh"]

Ensemble = Literal["bagging", "boosting"]


def check_ensemble(name: str) -> Ensemble:
    """Return ``name`` if it is a way to train an ensemble.

    Raises:
        ConfigError: It is none.
    """
    for known in get_args(Ensemble):
        if name == known:
            return known
    raise ConfigError(f"ensemble {name!r}: expected one of {', '.join(get_args(Ensemble))}")


def bootstrap(count: int, seed: int) -> Tensor:
    """Draw as many pictures as there are, with replacement (Breiman, Bagging Predictors, 1996).

    Returns:
        How often each one was drawn, float64 (count,).
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(count, (count,), generator=generator)
    return torch.bincount(drawn, minlength=count).double()


def reweigh(weights: Tensor, wrong: Tensor, classes: int) -> tuple[float, Tensor]:
    """Boost: what a member counts, and which pictures the next one has to learn.

    ::

        e = sum of w[i] where wrong / sum of w
        vote = (log((1 - e) / e) + log(classes - 1)) / 2
        w[i] <- w[i] exp(vote) where wrong, w[i] exp(-vote) elsewhere; then of mean 1

    For two classes this is AdaBoost (Freund & Schapire, 1997), which BENN takes; for more it is its
    form of Zhu et al. (Multi-class AdaBoost, 2009), whose votes are positive for every member that
    is better than chance. One that is not has no vote, and leaves the weights as they are. An error
    below that of half a picture counts as that.

    Args:
        weights: Weight of each picture, float64 (N,), of mean 1.
        wrong: Whether the member is wrong on it, boolean (N,).
        classes: Number of classes.

    Returns:
        The vote, and the new weights, float64 (N,).
    """
    error = float(weights[wrong].sum() / weights.sum())
    error = max(error, 0.5 / len(weights))
    if error >= 1 - 1 / classes:
        return 0.0, weights
    vote = (math.log((1 - error) / error) + math.log(classes - 1)) / 2
    moved = weights * (vote * (2 * wrong.double() - 1)).exp()
    return vote, moved / moved.mean()
