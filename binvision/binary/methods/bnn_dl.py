"""BNN-DL: what a sign reads is kept from useless distributions."""

from __future__ import annotations

import torch
from torch import Tensor

from binvision.binary.conv import BinaryConv2d
from binvision.binary.method import Method, register_method
from binvision.binary.parts import LOSSES

__all__ = ["distribution_loss"]


@LOSSES.register("distribution")
def distribution_loss(layer: BinaryConv2d) -> Tensor:
    """Ding's distribution loss of what the sign reads, a scalar.

    With mean m and standard deviation s of a channel over the batch, the mean over channels of::

        degeneration       max(0, m^2 - s^2)            nearly all of one sign
        saturation         max(0, s - 4)^2              nearly all where the gradient is zero
        gradient mismatch  max(0, 2 - |m| - s)^2        nearly all where it passes

    The limits 4 and 2 are those of the authors' code.
    """
    x = layer.last_input.to(layer.shift.dtype) + layer.shift.view(-1, 1, 1)
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    deviation = (variance + 1e-10).sqrt()
    degeneration = (mean.square() - deviation.square()).relu()
    saturation = (deviation - 4).relu().square()
    mismatch = (2 - mean.abs() - deviation).relu().square()
    return (degeneration + saturation + mismatch).mean()


register_method(
    Method(
        name="bnn_dl",
        kind="loss",
        title="BNN-DL, the distribution loss",
        paper="Ding et al., Regularizing Activation Distribution for Training Binarized Deep "
        "Networks, CVPR 2019 (arXiv 1904.02823)",
        formula="y = sum(sign(W) * sign(x)); loss + mean over channels of max(0, m^2 - s^2) + "
        "max(0, s - 4)^2 + max(0, 2 - |m| - s)^2, with mean m and deviation s of what the sign "
        "reads: against degeneration, saturation and gradient mismatch",
        activation="clip",
        weight="clip",
        losses={"distribution": 0.1},
    )
)
