"""Yang et al.'s tracker on an FPGA: thresholds learned for groups of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.estimators import sign_clip
from binvision.binary.method import Method, register_method
from binvision.binary.parts import ACTIVATIONS, ActivationQuantizer

__all__ = ["GroupThresholdActivation"]


@ACTIVATIONS.register("group_threshold")
class GroupThresholdActivation(ActivationQuantizer):
    """A sign whose threshold is learned, one for each group of channels.

    ::

        a(x[c]) = sign(x[c] - T[g]),  c in group g

    Both gradients are clipped: ``1`` to x and ``-1`` to T where ``|x - T| <= 1``.

    Args:
        channels: Input channels.
        groups: Groups of neighbouring channels.
    """

    group: Tensor

    def __init__(self, channels: int, groups: int = 8) -> None:
        super().__init__(channels)
        groups = min(groups, channels)
        self.threshold = nn.Parameter(torch.zeros(groups))
        self.register_buffer("group", torch.arange(channels) * groups // channels, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the signs, (N, C, H, W)."""
        return sign_clip(x - self.threshold[self.group].view(-1, 1, 1).to(x.dtype))

    def planes(self) -> tuple[Tensor, Tensor]:
        """Return thresholds (1, C) and the coefficient 1."""
        return self.threshold[self.group].unsqueeze(0), self.threshold.new_ones(1)


register_method(
    Method(
        name="yang",
        kind="quantiser",
        title="Trainable threshold group binarisation, depthwise separable",
        paper="Yang, He & Fan, Binarized Depthwise Separable Neural Network for Object Tracking in "
        "FPGA, GLSVLSI 2019",
        formula="y[o] = mean |W_o| * sum(sign(W_o) * sign(x - T_g)), T learned for each group of "
        "channels; in a block, a 3x3 within each channel, then a 1x1 across channels",
        activation="group_threshold",
        weight="clip",
        scale="mean",
        config={"model": {"network": {"backbone": {"block": "separable"}}}},
    )
)
