"""Rectified binary convolutional networks: learned scales and the kernel loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES, SCALES, Scale

__all__ = ["LearnedScale", "kernel_error"]

_PAPER = "Liu et al., Rectified Binary Convolutional Networks, IJCAI 2019 (arXiv 1908.07748)"


@SCALES.register("learned")
class LearnedScale(Scale):
    """RBCN's matrix C, one number for each output channel or tap; it starts at ``mean |W_o|``.

    Args:
        kernel: The first real kernel, (O, C / groups, KH, KW).
        taps: Whether each tap of the window has its own number. The packed runtime keeps that
            exactly, at about twice the time of a layer.
    """

    def __init__(self, kernel: Tensor, taps: bool = False) -> None:
        super().__init__(kernel)
        sides = kernel.shape[2:] if taps else (1, 1)
        self.rectification = nn.Parameter(torch.empty(len(kernel), 1, *sides))
        self.start(kernel)

    @torch.no_grad()
    def start(self, kernel: Tensor) -> None:
        """Start again from the mean magnitude of ``kernel``."""
        self.rectification.copy_(kernel.abs().mean((1, 2, 3), keepdim=True))

    def forward(self, kernel: Tensor) -> Tensor:
        """Return (O, 1, 1, 1) or (O, 1, KH, KW)."""
        return self.rectification


@LOSSES.register("kernel")
def kernel_error(layer: BinaryConv2d) -> Tensor:
    """RBCN's kernel loss ``sum((W - C sign(W))^2) / 2``, a scalar.

    The gradient is that of the written formula, with the estimator's slope for the sign: the
    paper's update of W (its term through sign(W)) plus the direct term, which draws W towards +-C.
    """
    return 0.5 * (layer.kernel() - layer.binarize_weight()).square().sum()


register_method(
    Method(
        name="rbcn",
        kind="quantiser",
        title="RBCN, a scale for each output channel",
        paper=_PAPER,
        formula="y[o] = C_o * sum(sign(W_o) * sign(x)), C learned; loss + ||W - C sign(W)||^2 / 2",
        activation="polynomial",
        weight="polynomial",
        scale="learned",
        losses={"kernel": 1e-4},
    )
)
register_method(
    Method(
        name="rbcn_matrix",
        kind="quantiser",
        title="RBCN, a scale for each tap",
        paper=_PAPER,
        formula="y[o] = sum over taps t of C_o[t] * sum(sign(W_o[t]) * sign(x[t])), C learned; "
        "loss + ||W - C sign(W)||^2 / 2",
        activation="polynomial",
        weight="polynomial",
        scale={"type": "learned", "taps": True},
        losses={"kernel": 1e-4},
    )
)
