"""Losses of the features before the last layer, which draw each class together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.registry import Registry

__all__ = ["FEATURE_LOSSES", "BayesianFeatures", "CentreLoss"]

# Makes a module that maps features (N, D) and labels (N,) to a scalar, from the number of classes
# and D.
FEATURE_LOSSES: Registry[nn.Module] = Registry("feature loss")


@FEATURE_LOSSES.register("centre")
class CentreLoss(nn.Module):
    """Distance of features from the learned centre of their class.

    ::

        weight / 2 * mean over pictures of ||f - c[y]||^2

    Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016;
    the second part of the loss of modulated convolutional networks (Wang et al., CVPR 2018).

    Args:
        classes: Number of classes.
        width: Number of features D.
        weight: Weight of the loss.
    """

    def __init__(self, classes: int, width: int, weight: float = 1e-3) -> None:
        super().__init__()
        self.weight = weight
        self.centres = nn.Parameter(torch.zeros(classes, width))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of one batch."""
        return 0.5 * self.weight * (features - self.centres[labels]).square().sum(1).mean()


@FEATURE_LOSSES.register("bayesian")
class BayesianFeatures(CentreLoss):
    """The features of a class are normal around its centre, with a variance of their own each.

    ::

        weight / 2 * mean over pictures of  ||f - c[y]||^2
            + sum over n of ((f[n] - c[y, n])^2 / v[y, n] + log v[y, n])

    with c and v learned: the feature loss of BONN (Gu et al., ICCV 2019, arXiv 1908.06314).

    Args:
        classes: Number of classes.
        width: Number of features D.
        weight: Weight of the loss, the paper's theta.
    """

    def __init__(self, classes: int, width: int, weight: float = 1e-3) -> None:
        super().__init__(classes, width, weight)
        self.log_variance = nn.Parameter(torch.zeros(classes, width))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of one batch."""
        log_variance = self.log_variance[labels]
        error = (features - self.centres[labels]).square()
        terms = error + error * (-log_variance).exp() + log_variance
        return 0.5 * self.weight * terms.sum(1).mean()
