"""The tracker that predicts boxes, in PyTorch: what is trained, exported and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from binvision.backbones import ResidualBackbone
from binvision.backbones.residual import ResidualBlock
from binvision.binary import Spec
from binvision.trackers.correlation_layers import ChannelCorrelation, PixelCorrelation
from binvision.training.checkpoint import load_network

__all__ = [
    "COARSE_CROP",
    "FINE_CROP",
    "BoxTracker",
    "BoxTrackerConfig",
    "load_checkpoint",
    "middle",
]

FINE_CROP = 7
"""Side of the exemplar's middle in the fine map, cells of 8 pixels."""

COARSE_CROP = 6
"""Side of the exemplar's middle in the coarse map, cells of 16 pixels."""


@dataclass(frozen=True)
class BoxTrackerConfig:
    """What a network is built from; JSON-able through :func:`dataclasses.asdict`.

    Attributes:
        method: Binarisation method of all blocks; ``fp`` gives the float twin.
        fine_blocks: Blocks at stride 8; they, their stem and their head are those of
            :class:`~binvision.backbones.ResidualBackbone`.
        coarse_blocks: Blocks at stride 16.
        coarse_channels: Their channels, once or twice those at stride 8.
        channels: Channels of both maps that are correlated, and of the towers.
        tower_blocks: Blocks of each tower.
        tracker: Settings of the tracking loop that ship with the model and differ from the
            loop's own defaults.
    """

    method: Spec
    fine_blocks: int = 4
    coarse_blocks: int = 3
    coarse_channels: int = 256
    channels: int = 128
    tower_blocks: int = 3
    tracker: dict[str, float] | None = None


class BoxTracker(nn.Module):
    """Siamese network with an anchor-free box head (as SiamFC++, AAAI 2020, arXiv 1911.06188).

    ::

        m = BN(concat(channel correlation at stride 8,             SiamRPN++, CVPR 2019
                      pixel correlation at stride 16))             Alpha-Refine, CVPR 2021
        c = BN(Conv1x1(concat(m, the search region's own coarse map)))
        score = Conv1x1(tower(c)),   box = Conv1x1(tower'(c))

    One network sees exemplar and search region. The channel correlation keeps each channel's
    evidence for the whole target apart, the pixel correlation says which part of the target each
    place looks like. All convolutions between stem and heads are 1-bit, except the 1x1 ones.

    Args:
        config: Sizes and method.
    """

    task = "tracking/box"
    stride = 16
    origin = 3.5  # centre of the first cell, pixels: the stem has a window of 8 and no padding

    def __init__(self, config: BoxTrackerConfig) -> None:
        super().__init__()
        self.config = config
        width, method = config.channels, config.method
        self.fine = ResidualBackbone(method, blocks=config.fine_blocks, out_channels=width)
        wide = config.coarse_channels
        self.coarse = nn.Sequential(
            *(
                ResidualBlock(128 if i == 0 else wide, wide, 2 if i == 0 else 1, method)
                for i in range(config.coarse_blocks)
            )
        )
        self.coarse_head = nn.Conv2d(wide, width, 1, bias=False)
        self.coarse_norm = nn.BatchNorm2d(width)
        self.by_channel, self.by_pixel = ChannelCorrelation(stride=2), PixelCorrelation()
        # Correlations are far smaller numbers than features: unscaled, they go unheard.
        self.match_norm = nn.BatchNorm2d(width + COARSE_CROP**2)
        self.join = nn.Conv2d(2 * width + COARSE_CROP**2, width, 1, bias=False)
        self.join_norm = nn.BatchNorm2d(width)
        self.score_tower, self.box_tower = (
            nn.Sequential(
                *(ResidualBlock(width, width, 1, method) for _ in range(config.tower_blocks))
            )
            for _ in range(2)
        )
        self.score, self.box = nn.Conv2d(width, 1, 1), nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.score.bias, -3.0)  # of all cells few are the target's
        nn.init.constant_(self.box.bias, 0.7)  # a box of 64 pixels: half of it is 16 exp(.7)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fine and the coarse map of pixels (N, 3, S, S) in 0..255, BGR."""
        *_, last, fine = self.fine.stages(images)
        return fine, self.coarse_norm(self.coarse_head(self.coarse(last)))

    def match(
        self, fine: Tensor, coarse: Tensor, exemplar_fine: Tensor, exemplar_coarse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Find the exemplars in search regions, one by one.

        Args:
            fine: (N, C, 2h - 1 or 2h, ...), the search regions' maps.
            coarse: (N, C, h, h).
            exemplar_fine: (N, C, 7, 7), the exemplars' middles.
            exemplar_coarse: (N, C, 6, 6).

        Returns:
            Logits (N, 1, h, h), and left, top, right, bottom (N, 4, h, h): the logarithm of the
            distance from a cell's centre to a side of the box, in strides of 16 pixels.
        """
        alike = torch.cat(
            [self.by_channel(fine, exemplar_fine), self.by_pixel(coarse, exemplar_coarse)], 1
        )
        found = self.join_norm(self.join(torch.cat([self.match_norm(alike), coarse], 1)))
        return self.score(self.score_tower(found)), self.box(self.box_tower(found))

    def forward(
        self, image: Tensor, exemplar_fine: Tensor, exemplar_coarse: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return scores, boxes, and both maps of the image; see :meth:`match`."""
        fine, coarse = self.features(image)
        score, box = self.match(fine, coarse, exemplar_fine, exemplar_coarse)
        return score, box, fine, coarse

    def settings(self) -> dict[str, float]:
        """Return the ``settings`` that a packed file of this network carries."""
        return {
            "stride": self.stride,
            "origin": self.origin,
            "fine_crop": FINE_CROP,
            "coarse_crop": COARSE_CROP,
            **(self.config.tracker or {}),
        }


def middle(features: Tensor, side: int) -> Tensor:
    """Cut the middle (N, C, side, side) of features; the spare row is the last one."""
    first = (features.shape[-1] - side) // 2
    return features[..., first : first + side, first : first + side]


def load_checkpoint(path: str | Path) -> tuple[BoxTracker, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    return load_network(
        Path(path), BoxTracker.task, lambda values: BoxTracker(BoxTrackerConfig(**values))
    )
