"""The landmark network in PyTorch: what is trained, exported and compared with its packed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from binvision.backbones import HourglassBackbone, build_backbone
from binvision.errors import ConfigError
from binvision.landmarks.losses import SHARPNESS
from binvision.landmarks.schemes import find_scheme
from binvision.landmarks.settings import TASK
from binvision.training.checkpoint import load_network

__all__ = ["LandmarkConfig", "LandmarkNetwork", "load_checkpoint"]

# Standard deviation of a head's first weights: what it reads is a sum over many blocks, and large.
_NARROW = 0.01


@dataclass(frozen=True)
class LandmarkConfig:
    """What a landmark network is built from; JSON-able through :func:`dataclasses.asdict`.

    Attributes:
        backbone: Arguments of :func:`binvision.backbones.build_backbone`; an hourglass.
        scheme: Name of the points, a key of :data:`binvision.landmarks.schemes.SCHEMES`.
        input_size: Side of the square input, pixels.
        loss: Loss of the heat maps, a key of :data:`binvision.landmarks.losses.SHARPNESS`.
        settings: Further settings of inference that ship with the model.
    """

    backbone: dict[str, Any]
    scheme: str
    input_size: int = 256
    loss: str = "softmax"
    settings: dict[str, Any] | None = None


class LandmarkNetwork(nn.Module):
    """1-bit hourglasses with a heat map for each point (Bulat & Tzimiropoulos, ICCV 2017).

    A real 1x1 convolution after each hourglass gives a map for each point; the last is the output,
    those before it are supervised too (Newell et al., ECCV 2016, section 3.2).

    Args:
        config: Backbone, points and sizes.

    Raises:
        ConfigError: The backbone is no hourglass, the input does not fit, or the loss is unknown.
        UsageError: The points are unknown.
    """

    task = TASK

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.config = config
        self.scheme = find_scheme(config.scheme)
        backbone = build_backbone(config.backbone)
        if not isinstance(backbone, HourglassBackbone):
            raise ConfigError(
                f"backbone {config.backbone.get('type')!r} has no maps to find points in; "
                f"take 'hourglass'"
            )
        if config.input_size < 1 or config.input_size % backbone.multiple:
            raise ConfigError(
                f"input_size={config.input_size}: this backbone takes multiples of "
                f"{backbone.multiple}"
            )
        if config.loss not in SHARPNESS:
            raise ConfigError(f"unknown loss {config.loss!r}; valid: {', '.join(SHARPNESS)}")
        self.backbone = backbone
        self.stride = backbone.stride
        points = len(self.scheme.points)
        self.inner_heads = nn.ModuleList(_head(backbone, points) for _ in backbone.stacks[1:])
        self.head = _head(backbone, points)

    def forward(self, images: Tensor) -> Tensor:
        """Map pixels (N, 3, S, S) in 0..255, BGR, to logits (N, P, S / stride, S / stride)."""
        maps = self.head(self.backbone(images))
        sharpness = SHARPNESS[self.config.loss]
        return maps if sharpness == 1 else maps * sharpness

    def all_maps(self, images: Tensor) -> list[Tensor]:
        """Return the maps of every hourglass as they are trained, the output's last."""
        features = self.backbone.stages(images)
        heads = [*self.inner_heads, self.head]
        return [head(x) for head, x in zip(heads, features, strict=True)]

    def settings(self) -> dict[str, Any]:
        """Return the ``settings`` that a packed file of this network carries."""
        return {
            "scheme": self.config.scheme,
            "input_size": self.config.input_size,
            "stride": self.stride,
            **(self.config.settings or {}),
        }


def _head(backbone: HourglassBackbone, points: int) -> nn.Conv2d:
    head = nn.Conv2d(backbone.out_channels, points, 1)
    nn.init.normal_(head.weight, std=_NARROW)
    nn.init.zeros_(head.bias)
    return head


def load_checkpoint(path: str | Path) -> tuple[LandmarkNetwork, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    return load_network(Path(path), TASK, lambda values: LandmarkNetwork(LandmarkConfig(**values)))
