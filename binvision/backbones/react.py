"""The block of ReActNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, RPReLU, Spec

__all__ = ["ReActBlock"]


@register_block("react")
class ReActBlock(nn.Module):
    """A 1-bit 3x3 and a 1-bit 1x1 convolution, each with a shortcut (ReActNet, ECCV 2020, fig. 5).

    ::

        h = RPReLU(BN(BinaryConv3x3(x)) + shortcut(x))
        y = RPReLU(BN(BinaryConv1x1(h)) + h)

    Where the channels double, h enters two 1x1 convolutions whose results are concatenated. RSign
    is the learned shift of :class:`~binvision.binary.BinaryConv2d`.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride, self.copies = stride, out_channels // in_channels
        self.spatial = BinaryConv2d(in_channels, in_channels, 3, stride, 1, method=method)
        self.spatial_norm = nn.BatchNorm2d(in_channels)
        self.spatial_act = RPReLU(in_channels)
        self.mix = BinaryConv2d(in_channels, out_channels, 1, method=method)
        self.mix_norm = nn.BatchNorm2d(out_channels)
        self.mix_act = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        x = self.spatial_act(self.spatial_norm(self.spatial(x)) + shortcut)
        shortcut = torch.cat([x] * self.copies, 1) if self.copies > 1 else x
        return self.mix_act(self.mix_norm(self.mix(x)) + shortcut)
