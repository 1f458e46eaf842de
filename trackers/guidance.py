"""RBCN's guidance: a real-valued network teaches the 1-bit one by its feature maps.

Liu et al., RBCN, IJCAI 2019 (arXiv 1908.07748). For each guided layer l, with feature maps T_l of
the real network and R_l of the 1-bit network, and one discriminator D_l a layer::

    L_adv  = sum over l of (1 - D_l(R_l))^2                      for the 1-bit network
    L_D    = sum over l of (1 - D_l(T_l))^2 + D_l(R_l)^2         for the discriminators
    L_feat = mean over l of |R_l - T_l|^2 / variance of T_l

Discriminators and network learn in turn, each with the other held fixed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Discriminators", "adversarial_loss", "discriminator_loss", "feature_loss"]


class Discriminators(nn.ModuleList):
    """One small discriminator a guided layer; each judges every place of a feature map.

    Args:
        channels: Channels of each guided layer.
        width: Hidden channels.
    """

    def __init__(self, channels: list[int], width: int = 32) -> None:
        super().__init__(
            nn.Sequential(
                nn.Conv2d(count, width, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, width, 3, 2),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 1),
            )
            for count in channels
        )

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        """Judge the maps (N, C_l, h_l, w_l); returns scores (N, 1, h', w'), 1 meaning real."""
        return [judge(stage) for judge, stage in zip(self, stages, strict=True)]


def adversarial_loss(judged: list[Tensor]) -> Tensor:
    """Loss of the 1-bit network, from the discriminators' scores of its maps."""
    return torch.stack([(1 - score.float()).square().mean() for score in judged]).sum()


def discriminator_loss(judged_real: list[Tensor], judged_binary: list[Tensor]) -> Tensor:
    """Loss of the discriminators, from their scores of real and of 1-bit maps."""
    real = [(1 - score.float()).square().mean() for score in judged_real]
    binary = [score.float().square().mean() for score in judged_binary]
    return torch.stack(real + binary).sum()


def feature_loss(stages: list[Tensor], teacher_stages: list[Tensor]) -> Tensor:
    """Mean over layers of the squared distance, in units of the teacher's variance."""
    terms = [
        (student.float() - teacher.float()).square().mean() / teacher.float().var().clamp(min=1e-6)
        for student, teacher in zip(stages, teacher_stages, strict=True)
    ]
    return torch.stack(terms).mean()
