"""Weights that become binary over the schedule: BinaryRelax and ADMM."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES, WEIGHTS, WeightQuantizer

__all__ = ["AdmmWeight", "RelaxedWeight", "admm_penalty", "project"]


class _LateWeight(WeightQuantizer):
    """Real kernels of a kind up to a share of the schedule; then ``mean |W| sign(W)``.

    The mean is over the layer, the projection of W onto the binary kernels of one scale. Outside a
    schedule, and in evaluation, the weights are binary.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule, 0..1, at which the weights become binary.
    """

    progress: Tensor

    def __init__(self, shape: tuple[int, ...], until: float) -> None:
        super().__init__(shape)
        self.until = until
        self.register_buffer("progress", torch.ones(()), persistent=False)

    def forward(self, kernel: Tensor) -> Tensor:
        """Return what the kernel is at this point of the schedule; its gradient passes as it is."""
        fixed = kernel.detach()
        exact = project(fixed)
        if self.training:
            exact = torch.where(self.progress < self.until, self._early(fixed, exact), exact)
        return exact + (kernel - fixed)

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and their scale (1, 1, O)."""
        return sign(kernel)[None], kernel.abs().mean().expand(1, 1, len(kernel))

    def _early(self, kernel: Tensor, exact: Tensor) -> Tensor:
        raise NotImplementedError


def project(kernel: Tensor) -> Tensor:
    """Return the nearest kernel of one magnitude, ``mean |W| sign(W)``."""
    return kernel.abs().mean() * sign(kernel)


@WEIGHTS.register("binary_relax")
class RelaxedWeight(_LateWeight):
    """Between the float weights and their projection, ever nearer to that.

    ::

        w = (lambda q(W) + W) / (lambda + 1),   q(W) = mean |W| sign(W)

    with lambda from 1 to ``growth``, multiplied by the same factor in each step (phase I); w = q(W)
    afterwards (phase II). The gradient at w moves W.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule that is phase I.
        growth: The greatest lambda.
    """

    def __init__(self, shape: tuple[int, ...], until: float = 0.7, growth: float = 100.0) -> None:
        super().__init__(shape, until)
        self.growth = growth

    def _early(self, kernel: Tensor, exact: Tensor) -> Tensor:
        strength = self.growth ** (self.progress / self.until)
        return (strength * exact + kernel) / (strength + 1)


@WEIGHTS.register("admm")
class AdmmWeight(_LateWeight):
    """Real weights W with a binary copy G that they have to agree with, and a dual variable.

    ::

        W <- argmin  loss(W) + rho / 2 ||W - G + dual||^2     by the optimiser, with loss "admm"
        G <- q(W + dual),   q(V) = mean |V| sign(V)           every ``period`` steps
        dual <- dual + W - G

    In the last part of the schedule the weights are q(W), so that the layers after it get to know
    them. The optimiser of the schedule takes the place of the paper's extragradient steps.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
        until: Share of the schedule in which W is real.
        period: Steps between two changes of G.
    """

    goal: Tensor
    dual: Tensor
    steps: Tensor

    def __init__(self, shape: tuple[int, ...], until: float = 0.7, period: int = 50) -> None:
        super().__init__(shape, until)
        self.period = period
        self.register_buffer("goal", torch.zeros(shape))
        self.register_buffer("dual", torch.zeros(shape))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def _early(self, kernel: Tensor, exact: Tensor) -> Tensor:
        return kernel

    def after_step(self, latent: Tensor) -> None:
        """Project, and count up the disagreement."""
        is_due = (self.steps % self.period == 0) & (self.progress < self.until)
        goal = project(latent + self.dual)
        self.dual.copy_(torch.where(is_due, self.dual + latent - goal, self.dual))
        self.goal.copy_(torch.where(is_due, goal, self.goal))
        self.steps += 1


@LOSSES.register("admm")
def admm_penalty(layer: BinaryConv2d) -> Tensor:
    """``||W - G + dual||^2 / 2`` while W is real and G known, 0 otherwise: a scalar."""
    quantizer = layer.quantizer
    assert isinstance(quantizer, AdmmWeight)
    is_on = (quantizer.progress < quantizer.until) & (quantizer.steps > 0)
    penalty = 0.5 * (layer.weight - quantizer.goal + quantizer.dual).square().sum()
    return penalty * is_on


register_method(
    Method(
        name="binary_relax",
        kind="training",
        title="BinaryRelax",
        paper="Yin et al., BinaryRelax: A Relaxation Approach for Training Deep Neural Networks "
        "with Quantized Weights, SIAM Journal on Imaging Sciences 2018 (arXiv 1801.06313)",
        formula="y = sum(w * x), w = (lambda q(W) + W) / (lambda + 1) with a growing lambda, then "
        "w = q(W) = mean |W| sign(W) for the last part of the schedule. Weights alone are binary, "
        "as in the paper.",
        activation=None,
        weight="binary_relax",
    )
)
register_method(
    Method(
        name="admm",
        kind="training",
        title="ADMM",
        paper="Leng et al., Extremely Low Bit Neural Network: Squeeze the Last Bit Out with ADMM, "
        "AAAI 2018 (arXiv 1707.09870)",
        formula="minimise loss(W) + rho/2 ||W - G + dual||^2; G = q(W + dual) with q(V) = mean |V| "
        "sign(V); dual = dual + W - G; then y = sum(q(W) * x). Weights alone are binary, as in the "
        "paper.",
        activation=None,
        weight="admm",
        losses={"admm": 1e-3},
    )
)
