"""The SiamFC network in PyTorch: what is trained, exported and compared with its packed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones import build_backbone
from binvision.errors import ConfigError
from binvision.training.checkpoint import load_network

__all__ = ["EXEMPLAR_SIZE", "SiamFC", "SiamFCConfig", "load_checkpoint"]

EXEMPLAR_SIZE = 127
"""Side of the exemplar in pixels (Bertinetto et al., 2016, section 2.3)."""


@dataclass(frozen=True)
class SiamFCConfig:
    """What a SiamFC network is built from; JSON-able through :func:`dataclasses.asdict`.

    Attributes:
        backbone: Arguments of :func:`binvision.backbones.build_backbone`.
        exemplar_crop: Side, in feature cells, of the exemplar's centre that is correlated.
        tracker: Settings of the tracking loop that ship with the model and differ from the
            loop's own defaults.
    """

    backbone: dict[str, Any]
    exemplar_crop: int = 9
    tracker: dict[str, float] | None = None


class SiamFC(nn.Module):
    """Fully-convolutional Siamese network (Bertinetto et al., ECCV workshops 2016, eq. 1).

    ::

        f(z, x) = a * (crop(phi(z)) correlated with phi(x)) + b

    phi is the backbone. Only the centre of phi(z) is correlated: the exemplar shows the target
    with a margin of context, and the outermost cells see mostly that and the border.

    Args:
        config: The backbone and the crop.

    Raises:
        ConfigError: The backbone is unknown, or no larger than the crop on an exemplar.
    """

    task = "tracking/siamfc"

    def __init__(self, config: SiamFCConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        self.log_scale = nn.Parameter(torch.tensor(-4.0))
        self.bias = nn.Parameter(torch.tensor(-3.0))
        side = self._exemplar_side()
        if config.exemplar_crop > side or (side - config.exemplar_crop) % 2:
            raise ConfigError(
                f"exemplar_crop={config.exemplar_crop} cannot be centred in the {side}x{side} "
                f"features of a {EXEMPLAR_SIZE}-pixel exemplar; choose {side} or {side - 2}, ..."
            )

    def embed(self, images: Tensor) -> Tensor:
        """Return phi(images): pixels (N, 3, H, W) in 0..255, BGR, to features (N, C, h, w)."""
        return self.backbone(images)

    def crop(self, exemplar_features: Tensor) -> Tensor:
        """Cut the centre of (N, C, h, w) exemplar features to the configured side."""
        size = self.config.exemplar_crop
        top = (exemplar_features.shape[-2] - size) // 2
        left = (exemplar_features.shape[-1] - size) // 2
        return exemplar_features[..., top : top + size, left : left + size]

    def respond(self, exemplar_features: Tensor, search_features: Tensor) -> Tensor:
        """Correlate every exemplar with every search region.

        Args:
            exemplar_features: (N, C, k, k), already cropped.
            search_features: (M, C, h, w).

        Returns:
            Logits (M, N, h - k + 1, w - k + 1), float32.
        """
        raw = F.conv2d(search_features, exemplar_features)
        return raw.float() * self.log_scale.exp() + self.bias

    def forward(self, exemplars: Tensor, searches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits of all pairs, (M, N, h, w), and the exemplars' stage outputs."""
        stages = self.backbone.stages(exemplars)
        found = self.backbone.stages(searches)[-1]
        return self.respond(self.crop(stages[-1]), found), stages

    def compile_stages(self) -> None:
        """Compile the backbone for training; parameters and checkpoints stay as they are."""
        self.backbone.stages = torch.compile(self.backbone.stages, dynamic=False)

    def settings(self) -> dict[str, float]:
        """Return the ``settings`` that a packed file of this network carries."""
        return {
            "exemplar_size": EXEMPLAR_SIZE,
            "exemplar_crop": self.config.exemplar_crop,
            "stride": self.backbone.stride,
            "response_scale": float(self.log_scale.detach().exp()),
            "response_bias": float(self.bias.detach()),
            **(self.config.tracker or {}),
        }

    def _exemplar_side(self) -> int:
        was_training = self.training
        self.eval()
        with torch.inference_mode():
            side = self.embed(torch.zeros(1, 3, EXEMPLAR_SIZE, EXEMPLAR_SIZE)).shape[-1]
        self.train(was_training)
        return side


def load_checkpoint(path: str | Path) -> tuple[SiamFC, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    return load_network(Path(path), SiamFC.task, lambda values: SiamFC(SiamFCConfig(**values)))
