"""LQ-Nets: quantisers that are fitted to what they quantise, here of one bit."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, WEIGHTS, ActivationQuantizer, WeightQuantizer
from binvision.binary.steps import straight_through

__all__ = ["LqActivation", "LqWeight"]

_NEWEST = 0.1  # share of the newest fit in a basis
_MEDIAN = 0.6745  # of |x|, x normal


@WEIGHTS.register("lq")
class LqWeight(WeightQuantizer):
    """``v[o] * sign(W_o)``, the basis v fitted by QEM.

    ::

        codes B = sign(W_o), since their threshold, the middle of the levels +-v, is 0
        fit   v = (B^T B)^-1 B^T W_o = mean |W_o|, of which v is the moving average

    The gradient goes to W as it is. v starts at the median of ``|W|`` under He's initialisation, as
    in the authors' code, and follows after each step.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
    """

    basis: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        first = _MEDIAN * math.sqrt(2 / math.prod(shape[1:]))
        self.register_buffer("basis", torch.full((shape[0],), first))

    def forward(self, kernel: Tensor) -> Tensor:
        """Return ``v * sign(W)``, (O, C / groups, KH, KW)."""
        basis = self.basis.to(kernel.dtype).view(-1, 1, 1, 1)
        return straight_through(kernel, basis * sign(kernel))

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and the basis, (1, 1, O)."""
        return sign(kernel)[None], self.basis.to(kernel.dtype).view(1, 1, -1).clone()

    def after_step(self, latent: Tensor) -> None:
        """Move the basis towards the fit."""
        self.basis.lerp_(latent.abs().mean((1, 2, 3)).to(self.basis.dtype), _NEWEST)


@ACTIVATIONS.register("lq")
class LqActivation(ActivationQuantizer):
    """``v * sign(x)``, the basis v fitted to what the layer sees; see :class:`LqWeight`.

    The codes are +-1, as the paper defines them; the authors' code has 0 and 1 after a ReLU. The
    gradient passes within the levels, where ``|x| <= v``.

    Args:
        channels: Input channels.
    """

    basis: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("basis", torch.tensor(2 * _MEDIAN))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``v * sign(x)``, (N, C, H, W); in training, follow the fit."""
        with torch.no_grad():
            basis, size = self.basis.to(x.dtype).clone(), x.abs()
            if self.training:
                self.basis.lerp_(size.mean(dtype=self.basis.dtype), _NEWEST)
        return straight_through(x, basis * sign(x), size <= basis)

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return the threshold 0, (1, 1), and the basis, (1,)."""
        return self.basis.new_zeros(1, 1), self.basis.view(1).clone()


register_method(
    Method(
        name="lq_nets",
        kind="quantiser",
        title="LQ-Nets, one bit",
        paper="Zhang et al., LQ-Nets: Learned Quantization for Highly Accurate and Compact Deep "
        "Neural Networks, ECCV 2018 (arXiv 1807.10029)",
        formula="y[o] = v_o * u * sum(sign(W_o) * sign(x)); bases v_o and u are moving averages "
        "of the least-squares fits (B^T B)^-1 B^T W = mean |W_o| and mean |x| (QEM)",
        activation="lq",
        weight="lq",
    )
)
