"""Blocks by name: what the stages of a backbone are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

from binvision.binary.registry import Registry, Spec

__all__ = ["BLOCKS", "register_block"]

# Makes a stage: (in_channels, out_channels, stride, count, method, **options) to a module that
# maps (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride)), of ``count`` blocks.
BLOCKS: Registry[nn.Module] = Registry("block")

B = TypeVar("B", bound=Callable[[int, int, int, Spec], nn.Module])


def register_block(name: str, *, normalized: bool = True) -> Callable[[B], B]:
    """Enter the decorated block; a stage is then a row of them, the first with the stride.

    Args:
        name: The key in :data:`BLOCKS`.
        normalized: Whether it ends in an activation. After the last of those that end in a bare
            convolution, a stage has a batch norm and a PReLU, so that what reads it, a sign or a
            head, gets what it gets of every other block.
    """

    def enter(block: B) -> B:
        @BLOCKS.register(name)
        def stage(
            in_channels: int, out_channels: int, stride: int, count: int, method: Spec
        ) -> nn.Sequential:
            row = [
                block(
                    in_channels if index == 0 else out_channels,
                    out_channels,
                    stride if index == 0 else 1,
                    method,
                )
                for index in range(count)
            ]
            if count and not normalized:
                row += [nn.BatchNorm2d(out_channels), nn.PReLU(out_channels)]
            return nn.Sequential(*row)

        return block

    return enter
