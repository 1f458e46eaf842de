"""Densely connected 1-bit stages: BinaryDenseNet and MeliusNet."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.backbones.melius import MeliusBlock
from binvision.binary import BinaryConv2d, Spec
from binvision.errors import ConfigError

__all__ = ["DenseBlock", "DenseStage", "MeliusStage"]


class DenseBlock(nn.Module):
    """A 1-bit convolution whose result joins its input (BinaryDenseNet, arXiv 1906.08637).

    ::

        y = concat(x, BinaryConv3x3(sign(BN(x))))

    All that earlier blocks found stays in sight of the later ones, at full precision, and gradients
    reach each layer past the signs of the others. The paper has no bottleneck of 1x1 convolutions,
    which loses most by its signs. The float twin has a ReLU in the place of the sign.

    Args:
        in_channels: Input channels.
        growth: Channels that it adds.
        method: Binarisation method.
    """

    def __init__(self, in_channels: int, growth: int, method: Spec) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = BinaryConv2d(in_channels, growth, 3, padding=1, method=method)
        # The norm before the sign has this freedom already.
        self.conv.shift.requires_grad_(False)
        self.rectify = nn.Identity() if self.conv.method.activation else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, in + growth, H, W)."""
        return torch.cat([x, self.conv(self.rectify(self.norm(x)))], 1)


class _JoiningStage(nn.Module):
    """A real transition to half of the output channels; the blocks add the other half in parts.

    ::

        x = BN(Conv1x1(ReLU(max_pool(BN(x)))))      real, where stride or channels ask for it

    That is BinaryDenseNet's downsampling: the maximum, the ReLU, then the real 1x1 convolution. At
    stride 1 there is no pool.
    """

    def __init__(
        self,
        block: Callable[[int, int, Spec], nn.Module],
        in_channels: int,
        out_channels: int,
        stride: int,
        count: int,
        method: Spec,
    ) -> None:
        super().__init__()
        start = out_channels // 2
        if not 0 < count <= out_channels - start:
            raise ConfigError(
                f"{count} blocks that add {out_channels - start} channels: expected at least one, "
                f"and a channel for each"
            )
        self.stride = stride
        self.enter_norm = nn.BatchNorm2d(in_channels)
        self.enter = nn.Conv2d(in_channels, start, 1, bias=False)
        widths = [start + (out_channels - start) * i // count for i in range(count + 1)]
        self.blocks = nn.Sequential(
            *(block(a, b - a, method) for a, b in zip(widths, widths[1:], strict=False))
        )
        self.norm, self.act = nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        x = self.enter_norm(x)
        if self.stride > 1:
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        return self.act(self.norm(self.blocks(self.enter(F.relu(x)))))


@BLOCKS.register("dense")
class DenseStage(_JoiningStage):
    """A stage of :class:`DenseBlock`, with the channels of the other stages at its end.

    Args:
        in_channels: Input channels.
        out_channels: Output channels; the blocks add half of them between them.
        stride: 1 or 2.
        count: Number of blocks, at least one.
        method: Binarisation method.

    Raises:
        ConfigError: There is no block, or a block would add nothing.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, count: int, method: Spec
    ) -> None:
        super().__init__(DenseBlock, in_channels, out_channels, stride, count, method)


@BLOCKS.register("melius")
class MeliusStage(_JoiningStage):
    """A stage of :class:`MeliusBlock`, with the channels of the other stages at its end.

    Args:
        in_channels: Input channels.
        out_channels: Output channels; the blocks add half of them between them.
        stride: 1 or 2.
        count: Number of blocks, at least one.
        method: Binarisation method.

    Raises:
        ConfigError: There is no block, or a block would add nothing.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, count: int, method: Spec
    ) -> None:
        super().__init__(MeliusBlock, in_channels, out_channels, stride, count, method)
