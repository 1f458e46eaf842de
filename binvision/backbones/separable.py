"""A depthwise separable block of 1-bit convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, Spec

__all__ = ["SeparableBlock"]


@register_block("separable")
class SeparableBlock(nn.Module):
    """A 1-bit convolution within each channel, and one across channels (Yang et al., GLSVLSI 2019).

    ::

        h = PReLU(BN(BinaryDepthwise3x3(x)) + shortcut(x))
        y = PReLU(BN(BinaryConv1x1(h)) + h)

    with a shortcut around each, as in the other blocks here.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride, self.copies = stride, out_channels // in_channels
        self.depth = BinaryConv2d(
            in_channels, in_channels, 3, stride, 1, groups=in_channels, method=method
        )
        self.depth_norm, self.depth_act = nn.BatchNorm2d(in_channels), nn.PReLU(in_channels)
        self.point = BinaryConv2d(in_channels, out_channels, 1, method=method)
        self.point_norm, self.point_act = nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        x = self.depth_act(self.depth_norm(self.depth(x)) + shortcut)
        shortcut = torch.cat([x] * self.copies, 1) if self.copies > 1 else x
        return self.point_act(self.point_norm(self.point(x)) + shortcut)
