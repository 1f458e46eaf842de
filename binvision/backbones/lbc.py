"""LBCNN's block: fixed binary filters and a learned 1x1 convolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, Spec

__all__ = ["LbcBlock"]


@register_block("lbc", normalized=False)
class LbcBlock(nn.Module):
    """Local binary convolution with a shortcut (LBCNN, CVPR 2017, fig. 2).

    ::

        y = Conv1x1(ReLU(BinaryConv3x3(BN(x)))) + shortcut(x)

    The 1x1 convolution is real; method ``lbcnn`` keeps the filters of the 3x3 fixed.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        method: Binarisation method of the 3x3 convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride, self.copies = stride, out_channels // in_channels
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = BinaryConv2d(in_channels, out_channels, 3, stride, 1, method=method)
        self.act = nn.ReLU()
        self.mix = nn.Conv2d(out_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        if self.copies > 1:
            shortcut = torch.cat([shortcut] * self.copies, 1)
        return self.mix(self.act(self.conv(self.norm(x)))) + shortcut
