"""A row of 1-bit convolutions, each of a width of its own."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from binvision.backbones.plain import XnorBlock
from binvision.binary import QuantConv2d, Spec
from binvision.errors import ConfigError

__all__ = ["VggBackbone"]


class VggBackbone(nn.Module):
    """VGG-Small: a real 3x3 convolution, then 1-bit ones, halved after every second.

    There is no shortcut, so that every layer may have any width: what
    :mod:`binvision.classifiers.search.widths` searches. The first convolution is 8-bit on the
    pixels; the others are blocks of XNOR-Net. In the place of the network's large fully connected
    layer stands what reads the last map, after a batch norm and a PReLU.

    Args:
        method: Binarisation method of all convolutions but the first.
        channels: Output channels of every convolution.

    Attributes:
        stride: Pixels of the input for one of the output.
        out_channels: Channels of the output.

    Raises:
        ConfigError: There are fewer than two convolutions, or one without channels.
    """

    def __init__(
        self, method: Spec, *, channels: Sequence[int] = (128, 128, 256, 256, 512, 512)
    ) -> None:
        super().__init__()
        if len(channels) < 2 or min(channels) < 1:
            raise ConfigError(
                f"channels={tuple(channels)}: give a number for each of two convolutions or more"
            )
        self.stride, self.out_channels = 2 ** (len(channels) // 2), channels[-1]
        self.stem = QuantConv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.Sequential(
            *(
                XnorBlock(before, after, 2 if index % 2 else 1, method)
                for index, (before, after) in enumerate(
                    zip(channels, channels[1:], strict=False), start=1
                )
            )
        )
        self.norm, self.act = nn.BatchNorm2d(channels[-1]), nn.PReLU(channels[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to (N, out_channels, H / stride, W / stride)."""
        return self.act(self.norm(self.blocks(self.stem(x))))
