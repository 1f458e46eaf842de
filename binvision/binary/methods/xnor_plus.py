"""XNOR-Net++: one scale in place of two, learned, in several shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.methods.rbcn import LearnedScale
from binvision.binary.parts import SCALES

__all__ = ["FusedScale"]

_PAPER = (
    "Bulat & Tzimiropoulos, XNOR-Net++: Improved Binary Neural Networks, BMVC 2019 "
    "(arXiv 1909.13863)"
)


@SCALES.register("fused")
class FusedScale(LearnedScale):
    """XNOR-Net++'s Gamma, learned, an outer product of channels and positions.

    ::

        y[o, i, j] = alpha[o] * beta[i] * gamma[j] * sum(sign(W_o) * sign(x))

    or, with ``factored`` false, ``alpha[o] * beta[i, j]``. alpha starts at ``mean |W_o|``, the
    others at 1. The paper has a number for each row and column of a layer's output; here beta and
    gamma are given a size, and are stretched linearly where the output has another. There is no
    packed form, since the scale differs from position to position; the paper's first case, a
    number for each channel, packs and is the scale ``learned``.

    Args:
        kernel: The first real kernel, (O, C / groups, KH, KW).
        size_hw: Rows and columns of beta and gamma.
        factored: Whether rows and columns have factors of their own.
    """

    varies = True

    def __init__(
        self, kernel: Tensor, size_hw: Sequence[int] = (8, 8), factored: bool = True
    ) -> None:
        super().__init__(kernel)
        height, width = size_hw
        self.beta = nn.Parameter(torch.ones(height, 1 if factored else width))
        self.gamma = nn.Parameter(torch.ones(1, width)) if factored else None

    def positions(self, x: Tensor, y: Tensor, layer: BinaryConv2d) -> Tensor:
        """Return beta times gamma, (1, 1, H', W')."""
        table = self.beta if self.gamma is None else self.beta * self.gamma
        table = table[None, None]
        if table.shape[2:] != y.shape[2:]:
            table = F.interpolate(table, y.shape[2:], mode="bilinear", align_corners=True)
        return table.to(y.dtype)


register_method(
    Method(
        name="xnorpp",
        kind="quantiser",
        title="XNOR-Net++, a scale for each channel",
        paper=_PAPER,
        formula="y[o] = alpha_o * sum(sign(W_o) * sign(x)): the scales of weights and input fused "
        "into one, Gamma = alpha, learned by back-propagation (its first case). It starts at "
        "mean |W_o|.",
        activation="clip",
        weight="clip",
        scale="learned",
    )
)
register_method(
    Method(
        name="xnorpp_space",
        kind="quantiser",
        title="XNOR-Net++, a scale for each channel, row and column",
        paper=_PAPER,
        formula="y[o, i, j] = alpha_o * beta_i * gamma_j * sum(sign(W_o) * sign(x)): Gamma is an "
        "outer product of learned vectors. It differs from position to position, which has no "
        "packed form.",
        activation="clip",
        weight="clip",
        scale="fused",
    )
)
