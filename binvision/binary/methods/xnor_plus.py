"""XNOR-Net++: one scale in place of two, learned, in several shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.parts import SCALES, Scale
from binvision.errors import ConfigError

__all__ = ["FusedScale"]

_PAPER = (
    "Bulat & Tzimiropoulos, XNOR-Net++: Improved Binary Neural Networks, BMVC 2019 "
    "(arXiv 1909.13863)"
)


_SHAPES = ("channels", "map", "rows_columns")


@SCALES.register("fused")
class FusedScale(Scale):
    """XNOR-Net++'s Gamma, one learned scale in place of those of weights and input.

    ::

        channels      y[o, i, j] = alpha[o] * sum(sign(W_o) * sign(x))
        map           y[o, i, j] = alpha[o] * beta[i, j] * sum(sign(W_o) * sign(x))
        rows_columns  y[o, i, j] = alpha[o] * beta[i] * gamma[j] * sum(sign(W_o) * sign(x))

    All start at 1: what matters is that a step is small against them, since a batch norm follows.
    The paper has a number for each row and column of a layer's output; here beta and gamma are
    given a size, and are stretched linearly where the output has another. What differs from
    position to position has no packed form; ``channels`` packs.

    Args:
        kernel: The first real kernel, (O, C / groups, KH, KW).
        shape: ``channels``, ``map`` or ``rows_columns``.
        size_hw: Rows and columns of beta and gamma.

    Raises:
        ConfigError: There is no such shape.
    """

    def __init__(
        self, kernel: Tensor, shape: str = "channels", size_hw: Sequence[int] = (8, 8)
    ) -> None:
        super().__init__(kernel)
        if shape not in _SHAPES:
            raise ConfigError(f"scale 'fused' of shape {shape!r}; valid: {', '.join(_SHAPES)}")
        height, width = size_hw
        self.varies = shape != "channels"
        self.alpha = nn.Parameter(torch.ones(len(kernel), 1, 1, 1))
        self.beta = (
            nn.Parameter(torch.ones(height, width if shape == "map" else 1))
            if self.varies
            else None
        )
        self.gamma = nn.Parameter(torch.ones(1, width)) if shape == "rows_columns" else None

    @torch.no_grad()
    def start(self, kernel: Tensor) -> None:
        """Take for alpha the mean magnitude of ``kernel``."""
        self.alpha.copy_(kernel.abs().mean((1, 2, 3), keepdim=True))

    def forward(self, kernel: Tensor) -> Tensor:
        """Return alpha, (O, 1, 1, 1)."""
        return self.alpha

    def positions(self, x: Tensor, y: Tensor, layer: BinaryConv2d) -> Tensor:
        """Return beta times gamma, (1, 1, H', W')."""
        assert self.beta is not None
        table = (self.beta if self.gamma is None else self.beta * self.gamma)[None, None]
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
        "into one, Gamma = alpha, learned by back-propagation (its first case)",
        activation="clip",
        weight="clip",
        scale="fused",
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
        scale={"type": "fused", "shape": "rows_columns"},
    )
)
