"""A 1-bit backbone of several resolutions: what detection and pose read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.residual import ResidualBlock
from binvision.binary import BinaryConv2d, QuantConv2d, RPReLU, Spec
from binvision.errors import ConfigError

__all__ = ["BLOCKS", "ReActBlock", "StagedBackbone", "Stem"]


class Stem(nn.Module):
    """Two real 3x3 convolutions of stride 2: 8-bit on the pixels, then float.

    Args:
        middle: Channels after the first.
        out_channels: Channels after the second.
    """

    def __init__(self, middle: int, out_channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = QuantConv2d(3, middle, 3, 2, 1), nn.BatchNorm2d(middle)
        self.act1 = nn.PReLU(middle)
        self.conv2 = nn.Conv2d(middle, out_channels, 3, 2, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.act2 = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to (N, out_channels, H / 4, W / 4)."""
        x = self.act1(self.norm1(self.conv1(x)))
        return self.act2(self.norm2(self.conv2(x)))


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


BLOCKS: dict[str, Callable[[int, int, int, Spec], nn.Module]] = {
    "bireal": ResidualBlock,
    "react": ReActBlock,
}


class StagedBackbone(nn.Module):
    """A real stem at stride 4, then stages of 1-bit blocks at strides 4, 8, 16, ...

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        block: ``bireal`` (:class:`ResidualBlock`) or ``react`` (:class:`ReActBlock`).
        stem_channels: Channels after the first convolution of the stem.
        channels: Channels of each stage: those of the stage before, or twice that.
        blocks: Blocks of each stage. The first stage may have none; its output is then the stem's.

    Raises:
        ConfigError: The block is unknown, or the stages do not fit together.
    """

    def __init__(
        self,
        method: Spec,
        *,
        block: str = "bireal",
        stem_channels: int = 16,
        channels: Sequence[int] = (64, 128, 256, 256),
        blocks: Sequence[int] = (0, 2, 2, 2),
    ) -> None:
        super().__init__()
        _check(block, channels, blocks)
        self.strides = tuple(4 * 2**index for index in range(len(channels)))
        self.out_channels = tuple(channels)
        self.stem = Stem(stem_channels, channels[0])
        make = BLOCKS[block]
        self.stages = nn.ModuleList()
        for index, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            before = channels[max(index - 1, 0)]
            self.stages.append(
                nn.Sequential(
                    *(
                        make(before if i == 0 else width, width, 2 if i == 0 < index else 1, method)
                        for i in range(count)
                    )
                )
            )

    def levels(self, x: Tensor) -> list[Tensor]:
        """Map pixels (N, 3, H, W) in 0..255 to a map for each of ``strides``, finest first.

        H and W must be multiples of the greatest stride.
        """
        x = self.stem(x)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


def _check(block: str, channels: Sequence[int], blocks: Sequence[int]) -> None:
    if block not in BLOCKS:
        raise ConfigError(f"unknown block {block!r}; valid: {', '.join(BLOCKS)}")
    if len(channels) != len(blocks) or any(count < 1 for count in blocks[1:]):
        raise ConfigError(
            f"channels={tuple(channels)} and blocks={tuple(blocks)}: give a count for each stage, "
            f"at least one block after the first"
        )
    for before, after in zip(channels, channels[1:], strict=False):
        if after not in (before, 2 * before):
            raise ConfigError(f"channels go from {before} to {after}: only x1 or x2 has a shortcut")
