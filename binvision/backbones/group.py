"""Group-Net: several homogeneous 1-bit branches side by side, with soft gates between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.backbones.residual import ResidualBlock
from binvision.binary import Spec
from binvision.errors import ConfigError

__all__ = ["GroupStage"]


@BLOCKS.register("group")
class GroupStage(nn.Module):
    """K branches of 1-bit blocks that together stand for one real stage (Group-Net, CVPR 2019).

    With G[i, b] block b of branch i, a :class:`ResidualBlock`, and S[i, 0] = x::

        F[b]       = sum over i of lambda[i, b] * G[i, b](S[i, b])
        S[i, b+1]  = C[i, b] * G[i, b](S[i, b]) + (1 - C[i, b]) * F[b],  C = sigmoid(theta)
        y          = F[last]

    That is the paper's group-wise decomposition with learned connections: a gate C near 1 keeps a
    branch to itself, so that a group of several blocks is taken apart as one; near 0, the branches
    meet after each block, which is the layer-wise decomposition. lambda starts at 1 / K, and theta
    at 0, halfway.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        count: Blocks of each branch.
        method: Binarisation method.
        branches: Branches K; the paper has 5.

    Raises:
        ConfigError: ``branches`` is less than 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        count: int,
        method: Spec,
        branches: int = 5,
    ) -> None:
        super().__init__()
        if branches < 1:
            raise ConfigError(f"branches={branches}: expected at least one")
        self.branches = nn.ModuleList(
            nn.ModuleList(
                ResidualBlock(
                    in_channels if index == 0 else out_channels,
                    out_channels,
                    stride if index == 0 else 1,
                    method,
                )
                for index in range(count)
            )
            for _ in range(branches)
        )
        self.scales = nn.ParameterList(
            nn.Parameter(torch.full((branches,), 1 / branches)) for _ in range(count)
        )
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(branches)) for _ in range(count - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        states = [x] * len(self.branches)
        for index, scale in enumerate(self.scales):
            found = [
                blocks[index](state) for blocks, state in zip(self.branches, states, strict=True)
            ]
            x = found[0] * scale[0]
            for i, y in enumerate(found[1:], 1):
                x = x + y * scale[i]
            if index < len(self.gates):
                gate = self.gates[index].sigmoid()
                states = [y * gate[i] + x * (1 - gate[i]) for i, y in enumerate(found)]
        return x
