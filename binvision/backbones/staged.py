"""A 1-bit backbone of several resolutions: what detection and pose read."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.binary import QuantConv2d, Spec
from binvision.errors import ConfigError

__all__ = ["FineStem", "StagedBackbone", "Stem"]


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


class FineStem(nn.Module):
    """One 8-bit 3x3 convolution on the pixels, at their own resolution: for small pictures.

    Args:
        out_channels: Output channels.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.conv, self.norm = QuantConv2d(3, out_channels, 3, 1, 1), nn.BatchNorm2d(out_channels)
        self.act = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to (N, out_channels, H, W)."""
        return self.act(self.norm(self.conv(x)))


class StagedBackbone(nn.Module):
    """A real stem, then stages of 1-bit blocks, each at twice the stride of the one before.

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        block: A key of :data:`~binvision.backbones.BLOCKS`, or such a block with options, as
            ``dict(type="group", branches=3)``.
        stem_stride: 4 (:class:`Stem`), or 1 (:class:`FineStem`) for pictures of some 32 pixels.
        stem_channels: Channels after the first convolution of the stem of stride 4.
        channels: Channels of each stage: those of the stage before, or twice that.
        blocks: Blocks of each stage. The first stage may have none; its output is then the stem's.

    Raises:
        ConfigError: The block is unknown, or the stages do not fit together.
    """

    def __init__(
        self,
        method: Spec,
        *,
        block: Spec = "bireal",
        stem_stride: int = 4,
        stem_channels: int = 16,
        channels: Sequence[int] = (64, 128, 256, 256),
        blocks: Sequence[int] = (0, 2, 2, 2),
    ) -> None:
        super().__init__()
        _check(channels, blocks)
        if stem_stride not in (1, 4):
            raise ConfigError(f"stem_stride={stem_stride}: there are stems of stride 1 and 4")
        self.strides = tuple(stem_stride * 2**index for index in range(len(channels)))
        self.out_channels = tuple(channels)
        self.stem: nn.Module = (
            FineStem(channels[0]) if stem_stride == 1 else Stem(stem_channels, channels[0])
        )
        self.stages = nn.ModuleList()
        for index, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            before, stride = channels[max(index - 1, 0)], 2 if index else 1
            self.stages.append(
                BLOCKS.build(block, before, width, stride, count, method)
                if count
                else nn.Sequential()
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


def _check(channels: Sequence[int], blocks: Sequence[int]) -> None:
    if len(channels) != len(blocks) or any(count < 1 for count in blocks[1:]):
        raise ConfigError(
            f"channels={tuple(channels)} and blocks={tuple(blocks)}: give a count for each stage, "
            f"at least one block after the first"
        )
    for before, after in zip(channels, channels[1:], strict=False):
        if after not in (before, 2 * before):
            raise ConfigError(f"channels go from {before} to {after}: only x1 or x2 has a shortcut")
