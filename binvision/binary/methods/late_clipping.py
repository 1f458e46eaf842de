"""Clipping of gradients and weights in the last part of training alone."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["LateClipActivation", "LateClipWeight"]


@ACTIVATIONS.register("late_clip")
class LateClipActivation(ActivationQuantizer):
    """``sign(x)`` with a slope of 1 everywhere at first, and later of 1 where ``|x| <= 1``.

    Args:
        channels: Input channels.
        late: Share of the schedule before clipping begins.
    """

    progress: Tensor

    def __init__(self, channels: int, late: float = 0.6) -> None:
        super().__init__(channels)
        self._late = late
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs of ``x``."""
        return straight_through(x, sign(x), (x.abs() <= 1) | (self.progress < self._late))


@WEIGHTS.register("late_clip")
class LateClipWeight(WeightQuantizer):
    """``sign(W)``, whose gradient and latent weights are both clipped late in training.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        late: Share of the schedule before clipping begins: of gradients to where ``|W| <= 1``,
            and of weights to +-1 after each step.
    """

    progress: Tensor

    def __init__(self, shape: tuple[int, ...], late: float = 0.6) -> None:
        super().__init__(shape)
        self._late = late
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs of the kernel."""
        inside = (kernel.abs() <= 1) | (self.progress < self._late)
        return straight_through(kernel, sign(kernel), inside)

    def after_step(self, latent: Tensor) -> None:
        """Clip the latent weights to +-1, once it is late."""
        early = self.progress < self._late
        latent.copy_(torch.where(early, latent, latent.clamp(-1, 1)))


register_method(
    Method(
        name="late_clipping",
        kind="training",
        title="BNN, clipped late",
        paper="Alizadeh et al., An Empirical study of Binary Neural Networks' Optimisation, "
        "ICLR 2019",
        formula="y = sum(sign(W) * sign(x)); d sign(v) / dv = 1 everywhere in the first stage, "
        "then 1 where |v| <= 1 and W clipped to +-1 after each step: clipping slows the start and "
        "helps the end",
        activation="late_clip",
        weight="late_clip",
    )
)
