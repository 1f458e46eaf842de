"""Activations that binary networks use between their convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["RPReLU"]


class RPReLU(nn.Module):
    """PReLU between two learned shifts (Liu et al., ReActNet, ECCV 2020, eq. 4).

    ::

        y[c] = x[c] - gamma[c] + zeta[c]               if x[c] > gamma[c]
               beta[c] * (x[c] - gamma[c]) + zeta[c]   otherwise

    It moves and bends the distribution that the next sign cuts in two. The sign's own shift
    (RSign, eq. 3) is part of :class:`~binvision.binary.BinaryConv2d`. With both shifts zero, as at
    first, it is a PReLU.

    Args:
        channels: Channels C of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.full((channels,), 0.25))
        self.zeta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` (N, C, H, W) element by element."""
        gamma, zeta = (shift.view(-1, 1, 1).to(x.dtype) for shift in (self.gamma, self.zeta))
        return F.prelu(x - gamma, self.beta.to(x.dtype)) + zeta

    def extra_repr(self) -> str:
        """Return the line that ``print(model)`` shows for this layer."""
        return f"{len(self.beta)}"
