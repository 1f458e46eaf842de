"""A densely connected 1-bit backbone whose blocks improve what they add."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.staged import Stem
from binvision.binary import BinaryConv2d, Spec

__all__ = ["MeliusBackbone", "MeliusBlock"]


class MeliusBlock(nn.Module):
    """A dense block and an improvement block (MeliusNet, WACV 2021, arXiv 2001.05936, fig. 2).

    ::

        d = BN(BinaryConv3x3(x))                    new channels (BinaryDenseNet)
        y = concat(x, d + BN(BinaryConv3x3(concat(x, d))))      which the second half improves

    Args:
        in_channels: Input channels.
        growth: Channels that it adds.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, growth: int, method: Spec) -> None:
        super().__init__()
        both = in_channels + growth
        self.dense = BinaryConv2d(in_channels, growth, 3, padding=1, method=method)
        self.dense_norm = nn.BatchNorm2d(growth)
        self.improve = BinaryConv2d(both, growth, 3, padding=1, method=method)
        self.improve_norm = nn.BatchNorm2d(growth)
        # The twin needs something that is not linear where the binary network has its sign.
        self.act = nn.PReLU(growth)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, in + growth, H, W)."""
        new = self.act(self.dense_norm(self.dense(x)))
        return torch.cat([x, new + self.improve_norm(self.improve(torch.cat([x, new], 1)))], 1)


class MeliusBackbone(nn.Module):
    """A real stem at stride 4, then stages of :class:`MeliusBlock` with real transitions between.

    A transition halves height and width by a maximum and brings the channels down by a real 1x1
    convolution, as in the paper.

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        stem_channels: Channels after the first convolution of the stem.
        channels: Channels with which each stage begins.
        blocks: Blocks of each stage.
        growth: Channels that a block adds.
    """

    def __init__(
        self,
        method: Spec,
        *,
        stem_channels: int = 16,
        channels: Sequence[int] = (64, 64, 128, 128),
        blocks: Sequence[int] = (0, 2, 2, 2),
        growth: int = 64,
    ) -> None:
        super().__init__()
        self.strides = tuple(4 * 2**index for index in range(len(channels)))
        self.out_channels = tuple(
            width + growth * count for width, count in zip(channels, blocks, strict=True)
        )
        self.stem = Stem(stem_channels, channels[0])
        self.transitions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))
            for before, width in zip(self.out_channels, channels[1:], strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(MeliusBlock(width + growth * i, growth, method) for i in range(count)))
            for width, count in zip(channels, blocks, strict=True)
        )

    def levels(self, x: Tensor) -> list[Tensor]:
        """Map pixels (N, 3, H, W) in 0..255 to a map for each of ``strides``, finest first.

        H and W must be multiples of the greatest stride.
        """
        x = self.stages[0](self.stem(x))
        outputs = [x]
        for transition, stage in zip(self.transitions, self.stages[1:], strict=True):
            x = stage(transition(F.max_pool2d(x, 2)))
            outputs.append(x)
        return outputs
