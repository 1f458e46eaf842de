"""The block of XNOR-Net: layers in a row, no shortcut."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.binary import BinaryConv2d, Spec

__all__ = ["XnorBlock"]


@register_block("xnor", normalized=False)
class XnorBlock(nn.Module):
    """Batch norm, sign, 1-bit convolution, pool (XNOR-Net, ECCV 2016, fig. 3, section 3.2).

    ::

        y = max_pool(BinaryConv3x3(sign(BN(x))))

    The norm comes before the sign, so that the sign sees centred values, and the pool after the
    convolution: the maximum of signs would be +1 nearly everywhere. Only at stride 2 is there a
    pool. The float twin has a ReLU in the place of the sign.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        stride: 1 or 2.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, method: Spec) -> None:
        super().__init__()
        self.stride = stride
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = BinaryConv2d(in_channels, out_channels, 3, padding=1, method=method)
        # The norm before the sign has this freedom already.
        self.conv.shift.requires_grad_(False)
        self.rectify = nn.Identity() if self.conv.method.activation else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        x = self.conv(self.rectify(self.norm(x)))
        return x if self.stride == 1 else F.max_pool2d(x, 2, 2, ceil_mode=True)
