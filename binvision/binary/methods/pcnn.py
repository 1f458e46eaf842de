"""Projection convolutional networks: discrete back-propagation through a learned projection."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d
from binvision.binary.estimators import sign
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES, SCALES, WEIGHTS, Scale, WeightQuantizer

__all__ = ["LayerMeanScale", "PcnnWeight", "projection_loss"]


@WEIGHTS.register("pcnn")
class PcnnWeight(WeightQuantizer):
    """The projection of ``W o C`` onto two values, with a learned matrix W a layer.

    ::

        B = sign(mean(W) * C)
        dL/dC = W o (dL/dB where |W o C| <= 1),   dL/dW = sum of C o (dL/dB where |W o C| <= 1)

    W has a number for each tap. Its mean projects in the forward pass, itself in the backward
    pass, as the authors do. This is one projection; the paper's several ones add channels.

    Args:
        shape: Shape (O, C / groups, KH, KW) of the kernel.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.projection = nn.Parameter(torch.ones(1, 1, *shape[2:]))

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the signs of the projected kernel."""
        passing = (self.projection * kernel).clamp(-1, 1)
        return passing + (self._signs(kernel) - passing).detach()

    def bases(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs (1, O, C / groups, KH, KW) and ones (1, 1, O)."""
        return self._signs(kernel)[None], kernel.new_ones(1, 1, len(kernel))

    def _signs(self, kernel: Tensor) -> Tensor:
        return sign(self.projection.mean() * kernel)


@SCALES.register("layer_mean")
class LayerMeanScale(Scale):
    """``mean |W|`` over the layer, a constant to the gradient: PCNN's two values are +- that."""

    def forward(self, kernel: Tensor) -> Tensor:
        """Return (O, 1, 1, 1)."""
        return kernel.detach().abs().mean().expand(len(kernel), 1, 1, 1)


@LOSSES.register("projection")
def projection_loss(layer: BinaryConv2d) -> Tensor:
    """PCNN's projection loss ``||B - W o C||^2 / 2``, with B held fixed, a scalar.

    The paper adds the coming step of B, a learning rate times its gradient, to C; it is left out.
    """
    assert isinstance(layer.quantizer, PcnnWeight)
    target = layer.binarize_weight().detach()
    return 0.5 * (target - layer.quantizer.projection * layer.kernel()).square().sum()


register_method(
    Method(
        name="pcnn",
        kind="loss",
        title="PCNN, one projection",
        paper="Gu et al., Projection Convolutional Neural Networks for 1-bit CNNs via Discrete "
        "Back Propagation, AAAI 2019 (arXiv 1811.12755)",
        formula="y = mean |C| * sum(sign(mean(W) C) * sign(x)), W learned; the gradient passes "
        "through W o C where |W o C| <= 1; loss + ||mean |C| sign(C) - W o C||^2 / 2",
        activation="clip",
        weight="pcnn",
        scale="layer_mean",
        losses={"projection": 1e-4},
    )
)
