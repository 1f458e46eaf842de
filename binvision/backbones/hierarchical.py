"""Hierarchical 1-bit blocks in an hourglass: what points are located with."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import register_block
from binvision.backbones.staged import Stem
from binvision.binary import BinaryConv2d, Spec
from binvision.errors import ConfigError

__all__ = ["POINT_BLOCKS", "BottleneckBlock", "HierarchicalBlock", "Hourglass", "HourglassBackbone"]


class _Layer(nn.Module):
    """Batch norm, sign, 1-bit convolution; the float twin has a ReLU in the place of the sign."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, method: Spec) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = BinaryConv2d(
            in_channels, out_channels, kernel, padding=kernel // 2, method=method
        )
        # The norm before the sign has this freedom already.
        self.conv.shift.requires_grad_(False)
        self.rectify = nn.Identity() if self.conv.method.activation else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.rectify(self.norm(x)))


class HierarchicalBlock(nn.Module):
    """Hierarchical, parallel, multi-scale block (Bulat & Tzimiropoulos, ICCV 2017, fig. 3c).

    ::

        h1 = conv3x3(sign(BN(x)))       half of the output channels
        h2 = conv3x3(sign(BN(h1)))      a quarter
        h3 = conv3x3(sign(BN(h2)))      a quarter
        y  = concat(h1, h2, h3) + x     fields of 3, 5 and 7 pixels side by side

    Every path to the output is short, there is no 1x1 convolution, which loses most by its signs,
    and gradients reach each layer past the signs of the others. Where the channels double, x is
    added twice, side by side, which costs no multiplication.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that, a multiple of 4.
        method: Binarisation method; ``fp`` gives the float twin.
    """

    def __init__(self, in_channels: int, out_channels: int, method: Spec) -> None:
        super().__init__()
        half, quarter = out_channels // 2, out_channels // 4
        self.copies = out_channels // in_channels
        self.first = _Layer(in_channels, half, 3, method)
        self.second = _Layer(half, quarter, 3, method)
        self.third = _Layer(quarter, quarter, 3, method)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        first = self.first(x)
        second = self.second(first)
        joined = torch.cat([first, second, self.third(second)], 1)
        return joined + (torch.cat([x] * self.copies, 1) if self.copies > 1 else x)


class BottleneckBlock(nn.Module):
    """The bottleneck of residual networks with signs: the paper's baseline (its fig. 2b, 3a).

    ::

        y = conv1x1(sign(BN(conv3x3(sign(BN(conv1x1(sign(BN(x)))))))) + x

    The two inner maps have half of the output channels.

    Args:
        in_channels: Input channels.
        out_channels: Output channels: ``in_channels`` or twice that.
        method: Binarisation method; ``fp`` gives the float twin.
    """

    def __init__(self, in_channels: int, out_channels: int, method: Spec) -> None:
        super().__init__()
        half = out_channels // 2
        self.copies = out_channels // in_channels
        self.layers = nn.Sequential(
            _Layer(in_channels, half, 1, method),
            _Layer(half, half, 3, method),
            _Layer(half, out_channels, 1, method),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, H, W)."""
        return self.layers(x) + (torch.cat([x] * self.copies, 1) if self.copies > 1 else x)


POINT_BLOCKS: dict[str, Callable[[int, int, Spec], nn.Module]] = {
    "hierarchical": HierarchicalBlock,
    "bottleneck": BottleneckBlock,
}


@register_block("hierarchical", normalized=False)
def _hierarchical(in_channels: int, out_channels: int, stride: int, method: Spec) -> nn.Module:
    return _pooled(HierarchicalBlock(in_channels, out_channels, method), stride)


@register_block("bottleneck", normalized=False)
def _bottleneck(in_channels: int, out_channels: int, stride: int, method: Spec) -> nn.Module:
    return _pooled(BottleneckBlock(in_channels, out_channels, method), stride)


def _pooled(block: nn.Module, stride: int) -> nn.Module:
    """Halve the map before a block as hourglasses do, with a maximum."""
    return nn.Sequential(nn.MaxPool2d(2, 2, ceil_mode=True), block) if stride > 1 else block


class Hourglass(nn.Module):
    """Down to a coarse map and up again (Newell et al., ECCV 2016, fig. 3).

    ::

        y = skip(x) + upsample(after(inner(before(max_pool(x)))))

    where ``inner`` is the next coarser hourglass, and one more block at the bottom.

    Args:
        block: A key of :data:`POINT_BLOCKS`.
        channels: Channels throughout.
        depth: Halvings of the map; its sides are multiples of ``2**depth``.
        method: Binarisation method.
    """

    def __init__(self, block: str, channels: int, depth: int, method: Spec) -> None:
        super().__init__()
        make = POINT_BLOCKS[block]
        self.skip = make(channels, channels, method)
        self.before = make(channels, channels, method)
        self.inner: nn.Module = (
            Hourglass(block, channels, depth - 1, method)
            if depth > 1
            else make(channels, channels, method)
        )
        self.after = make(channels, channels, method)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        low = self.after(self.inner(self.before(F.max_pool2d(x, 2))))
        return F.interpolate(low, scale_factor=2.0, mode="nearest") + self.skip(x)


class HourglassBackbone(nn.Module):
    """A real stem to a quarter of the resolution, one 1-bit block, then hourglasses in a row.

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        block: ``hierarchical`` (:class:`HierarchicalBlock`) or ``bottleneck``.
        stem_channels: Channels after the first convolution of the stem.
        channels: Channels of the hourglasses, a multiple of 8; the stem ends with half of them.
        depth: Halvings in an hourglass.
        stacks: Hourglasses, each with a block after it.

    Raises:
        ConfigError: The block is unknown, or a number is out of range.
    """

    stride = 4

    def __init__(
        self,
        method: Spec,
        *,
        block: str = "hierarchical",
        stem_channels: int = 16,
        channels: int = 256,
        depth: int = 4,
        stacks: int = 1,
    ) -> None:
        super().__init__()
        if block not in POINT_BLOCKS:
            raise ConfigError(f"unknown block {block!r}; valid: {', '.join(POINT_BLOCKS)}")
        if channels % 8 or min(channels, depth, stacks) < 1:
            raise ConfigError(
                f"channels={channels}, depth={depth}, stacks={stacks}: expected channels in "
                f"multiples of 8, and at least one halving and one hourglass"
            )
        make = POINT_BLOCKS[block]
        self.out_channels, self.multiple = channels, self.stride * 2**depth
        self.stem = Stem(stem_channels, channels // 2)
        self.enter = make(channels // 2, channels, method)
        self.stacks = nn.ModuleList(
            nn.Sequential(
                Hourglass(block, channels, depth, method), make(channels, channels, method)
            )
            for _ in range(stacks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255 to (N, channels, H / 4, W / 4), of the last stack."""
        return self.stages(x)[-1]

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return the output of each stack; the next one reads it, added to its own input."""
        x = self.enter(self.stem(x))
        outputs: list[Tensor] = []
        for stack in self.stacks:
            x = x + stack(x) if outputs else stack(x)
            outputs.append(x)
        return outputs
