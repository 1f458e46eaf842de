"""The detector network in PyTorch: what is trained, exported and compared with its packed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones import build_backbone
from binvision.backbones.residual import ResidualBlock
from binvision.binary import BinaryConv2d, Spec
from binvision.detectors.settings import TASK
from binvision.errors import ConfigError
from binvision.training.checkpoint import load_network

__all__ = ["BOX_NUMBERS", "DetectorConfig", "DetectorNetwork", "load_checkpoint"]

BOX_NUMBERS = 4
_RARE = -4.6  # logit of 0.01: nearly every cell is background (Lin et al., 2017, section 4.1)


@dataclass(frozen=True)
class DetectorConfig:
    """What a detector is built from; JSON-able through :func:`dataclasses.asdict`.

    Attributes:
        backbone: Arguments of :func:`binvision.backbones.build_backbone`; one with ``levels``.
        classes: Names of the classes.
        stride: Pixels between two cells of the head, one of the backbone's strides. 4 is for
            objects of some ten pixels, 8 for the rest.
        width: Channels of neck and tower.
        tower: 1-bit blocks between neck and head.
        input_size: Longest side of the input at inference, pixels.
        settings: Further settings of inference that ship with the model.
    """

    backbone: dict[str, Any]
    classes: list[str]
    stride: int = 8
    width: int = 128
    tower: int = 1
    input_size: int = 320
    settings: dict[str, float] | None = None


class DetectorNetwork(nn.Module):
    """A single-stage, anchor-free detector with 1-bit backbone, neck and tower.

    The neck goes from the coarsest map of the backbone to the one at ``stride``, twice as fine
    each time (FPN, CVPR 2017, fig. 3)::

        x = block(upsample(x) + lateral(level))

    and one real 1x1 convolution gives for each cell a logit of each class (Objects as Points,
    arXiv 1904.07850), a logit of the quality, that is, of the box's IoU with the truth, and the
    logarithms of the distances from the cell's centre to the left, top, right and bottom edge
    in units of the stride (FCOS, ICCV 2019, eq. 1).

    Args:
        config: Backbone, classes and sizes.

    Raises:
        ConfigError: The backbone has no map at ``stride``, or there are no classes.
    """

    task = TASK

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        strides = getattr(self.backbone, "strides", ())
        if config.stride not in strides:
            raise ConfigError(
                f"stride={config.stride}: backbone {config.backbone.get('type')!r} has maps at "
                f"{', '.join(map(str, strides)) or 'one stride only'}"
            )
        if not config.classes:
            raise ConfigError("classes: expected at least one name")
        method = config.backbone["method"]
        self._first = strides.index(config.stride)
        channels = self.backbone.out_channels[self._first :]
        self.laterals = nn.ModuleList(_lateral(c, config.width, method) for c in channels)
        self.neck = nn.ModuleList(
            ResidualBlock(config.width, config.width, 1, method) for _ in channels[1:]
        )
        self.tower = nn.Sequential(
            *(ResidualBlock(config.width, config.width, 1, method) for _ in range(config.tower))
        )
        self.head = nn.Conv2d(config.width, len(config.classes) + 1 + BOX_NUMBERS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        nn.init.constant_(self.head.bias[: len(config.classes)], _RARE)

    @property
    def multiple(self) -> int:
        """What height and width of the input must be multiples of."""
        return self.backbone.strides[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Map pixels (N, 3, H, W) in 0..255, BGR, to (N, K + 5, H / stride, W / stride)."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what the head reads, (N, width, H / stride, W / stride)."""
        levels = self.backbone.levels(images)[self._first :]
        x = self.laterals[-1](levels[-1])
        for level, lateral, block in zip(
            levels[-2::-1], self.laterals[-2::-1], self.neck[::-1], strict=True
        ):
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest") + lateral(level))
        return self.tower(x)

    def settings(self) -> dict[str, Any]:
        """Return the ``settings`` that a packed file of this network carries."""
        return {
            "classes": list(self.config.classes),
            "stride": self.config.stride,
            "multiple": self.multiple,
            "input_size": self.config.input_size,
            **(self.config.settings or {}),
        }


def _lateral(in_channels: int, out_channels: int, method: Spec) -> nn.Module:
    """Bring a level to the neck's channels; one that has them already needs nothing."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        BinaryConv2d(in_channels, out_channels, 1, method=method), nn.BatchNorm2d(out_channels)
    )


def load_checkpoint(path: str | Path) -> tuple[DetectorNetwork, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    return load_network(Path(path), TASK, lambda values: DetectorNetwork(DetectorConfig(**values)))
