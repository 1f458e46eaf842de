"""A residual 1-bit backbone with a coarse stem, made for small CPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, QuantConv2d, Spec

__all__ = ["ResidualBackbone", "ResidualBlock"]


@register_block("bireal")
class ResidualBlock(nn.Module):
    """One 1-bit 3x3 convolution with a real shortcut around it (Bi-Real Net, ECCV 2018, fig. 3).

    ::

        y = PReLU(BN(BinaryConv3x3(x)) + shortcut(x))

    The shortcut costs no multiplication: at stride 2 it is a 2x2 average, and where the channels
    double it is the input twice.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride, self.copies = stride, out_channels // in_channels
        self.conv = BinaryConv2d(in_channels, out_channels, 3, stride, 1, method=method)
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        if self.copies > 1:
            shortcut = torch.cat([shortcut] * self.copies, 1)
        return self.act(self.norm(self.conv(x)) + shortcut)


class ResidualBackbone(nn.Module):
    """An 8x8 stem at stride 4, then residual 1-bit blocks at stride 8, then a real 1x1 head.

    Real layers decide a small network's time on a CPU, not binary ones. One coarse stem leaves
    46 M real multiplications on a 239-pixel search region, where the two-convolution stem of a
    common ResNet or the 11x11 stem of AlexNet has some ten times as many.

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        stem_channels: Channels of the stem.
        channels: Channels of the blocks: ``stem_channels`` or twice that.
        blocks: Number of residual blocks; the first has stride 2.
        out_channels: Channels of the head.
    """

    stride = 8

    def __init__(
        self,
        method: Spec,
        *,
        stem_channels: int = 64,
        channels: int = 128,
        blocks: int = 4,
        out_channels: int = 128,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stem = QuantConv2d(3, stem_channels, 8, 4)
        self.stem_norm = nn.BatchNorm2d(stem_channels)
        self.blocks = nn.ModuleList(
            ResidualBlock(
                stem_channels if i == 0 else channels, channels, 2 if i == 0 else 1, method
            )
            for i in range(blocks)
        )
        self.head = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.head_norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to features (N, out_channels, H', W')."""
        return self.stages(x)[-1]

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return the output of each block, then that of the head: what guidance compares."""
        x = self.stem_norm(self.stem(x))
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return [*outputs, self.head_norm(self.head(x))]
