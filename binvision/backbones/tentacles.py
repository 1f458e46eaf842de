"""A shared trunk and several branches: an ensemble in one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from binvision.backbones.blocks import BLOCKS
from binvision.backbones.staged import StagedBackbone
from binvision.binary import Spec
from binvision.errors import ConfigError

__all__ = ["TentacleBackbone"]


class TentacleBackbone(StagedBackbone):
    """A staged backbone whose later stages are there several times (TentacleNet, AICAS 2020).

    Stem and first stages are a trunk that all branches read; the maps of the branches are
    concatenated. A linear layer on their means is then the sum of the logits of a layer for each
    branch, so that any head makes of it an ensemble that is trained from end to end, and packed as
    one network.

    Args:
        method: Binarisation method of the blocks; ``fp`` gives the float twin.
        branches: Number of branches.
        trunk: Stages of the trunk, beside the stem.
        block: As for :class:`StagedBackbone`.
        channels: Channels of each stage of the trunk or of one branch.
        blocks: Blocks of each stage.
        options: Further arguments of :class:`StagedBackbone`.

    Raises:
        ConfigError: There is no branch, or no stage is left for them.
    """

    def __init__(
        self,
        method: Spec,
        *,
        branches: int = 3,
        trunk: int = 1,
        block: Spec = "bireal",
        channels: Sequence[int] = (64, 128, 256, 256),
        blocks: Sequence[int] = (0, 2, 2, 2),
        **options: Any,
    ) -> None:
        super().__init__(method, block=block, channels=channels, blocks=blocks, **options)
        if branches < 1 or not 0 < trunk < len(channels):
            raise ConfigError(
                f"branches={branches}, trunk={trunk}: expected at least one branch, and a trunk "
                f"of 1 to {len(channels) - 1} of {len(channels)} stages"
            )
        self.trunk = trunk
        self.out_channels = tuple(
            width * (branches if index >= trunk else 1) for index, width in enumerate(channels)
        )
        self.others = nn.ModuleList(
            nn.ModuleList(
                BLOCKS.build(block, channels[i - 1], channels[i], 2, blocks[i], method)
                for i in range(trunk, len(channels))
            )
            for _ in range(branches - 1)
        )

    def levels(self, x: Tensor) -> list[Tensor]:
        """Map pixels (N, 3, H, W) in 0..255 to a map for each of ``strides``, finest first.

        From the first branch on, the channels of all branches are side by side.
        """
        x = self.stem(x)
        outputs = []
        for stage in self.stages[: self.trunk]:
            x = stage(x)
            outputs.append(x)
        branches = [self.stages[self.trunk :], *self.others]
        states = [x] * len(branches)
        for index in range(len(self.stages) - self.trunk):
            states = [branch[index](state) for branch, state in zip(branches, states, strict=True)]
            outputs.append(torch.cat(states, 1) if len(states) > 1 else states[0])
        return outputs
