"""The block of BinaryDuo: two binary activations of each channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, Spec

__all__ = ["DuoBlock"]

_APART = 0.5  # of the two thresholds from zero, at first


@register_block("duo")
class DuoBlock(nn.Module):
    """A residual 1-bit convolution that reads each channel at two thresholds (BinaryDuo).

    ::

        y = PReLU(BN(BinaryConv3x3(concat(x, x))) + shortcut(x))

    The learned shifts of the two copies start apart, so their signs sum to a ternary activation
    as long as their weights are one (:class:`~binvision.binary.methods.duo.DuoWeight`). The
    shortcut is that of :class:`~binvision.backbones.residual.ResidualBlock`.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        stride: 1 or 2.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride, self.copies = stride, out_channels // in_channels
        self.conv = BinaryConv2d(2 * in_channels, out_channels, 3, stride, 1, method=method)
        with torch.no_grad():
            self.conv.shift[:in_channels] = _APART
            self.conv.shift[in_channels:] = -_APART
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        shortcut = x if self.stride == 1 else F.avg_pool2d(x, 2, 2, ceil_mode=True)
        if self.copies > 1:
            shortcut = torch.cat([shortcut] * self.copies, 1)
        return self.act(self.norm(self.conv(torch.cat([x, x], 1))) + shortcut)
