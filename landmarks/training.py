"""Training of landmark networks under mmengine: plain, or guided by the float twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor

from binvision.binary import auxiliary_losses
from binvision.errors import ConfigError
from binvision.landmarks.crops import PointCrops
from binvision.landmarks.losses import SHARPNESS, guide_loss, heat_map_losses
from binvision.landmarks.model import LandmarkConfig, LandmarkNetwork, load_checkpoint

__all__ = ["LandmarkTraining"]

DATASETS.register_module(module=PointCrops)


@MODELS.register_module()
class LandmarkTraining(BaseModel):
    """Trains a landmark network of any method.

    Args:
        network: Arguments of :class:`LandmarkConfig`.
        teacher: Checkpoint of the float twin that guides the training; "" for none.
        guide: Weight of :func:`guide_loss`, if there is a teacher.
        compile: Compile the network (one fixed input size); pays after some 200 steps.

    Raises:
        ConfigError: The teacher has other points or another size.
        ModelFileError: ``teacher`` cannot be read.
    """

    def __init__(
        self,
        network: dict[str, Any],
        *,
        teacher: str = "",
        guide: float = 1.0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.network = LandmarkNetwork(LandmarkConfig(**network))
        self._guide = guide
        self.teacher = _load_teacher(teacher, self.network) if teacher else None
        self.to(memory_format=torch.channels_last)
        self._maps: Callable[[Tensor], list[Tensor]] = self.network.all_maps
        if compile:
            self._maps = torch.compile(self.network.all_maps, dynamic=False)

    def train(self, mode: bool = True) -> LandmarkTraining:
        """Set training mode, except for the teacher, whose statistics are fixed."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(
        self,
        images: Tensor,
        points: Tensor,
        weights: Tensor,
        present: Tensor,
        mode: str = "loss",
    ) -> dict[str, Tensor]:
        """Return the losses of one batch; ``mode`` is mmengine's and must be ``loss``."""
        if mode != "loss":
            raise ConfigError(f"LandmarkTraining computes mode 'loss' only, got {mode!r}")
        config, stride = self.network.config, self.network.stride
        pixels = images.float().contiguous(memory_format=torch.channels_last)
        maps = self._maps(pixels)
        losses: dict[str, Tensor] = {}
        for own in maps:
            parts = heat_map_losses(own, points, weights, present, stride, config.loss)
            for name, loss in parts.items():
                losses[name] = losses[name] + loss if name in losses else loss
        if self.teacher is not None:
            with torch.no_grad():
                guide = self.teacher(pixels)
            sharpened = maps[-1] * SHARPNESS[config.loss]
            losses["loss_guide"] = self._guide * guide_loss(sharpened, guide, weights)
        return losses | auxiliary_losses(self.network)


def _load_teacher(path: str, network: LandmarkNetwork) -> LandmarkNetwork:
    teacher, _ = load_checkpoint(path)
    for name in ("scheme", "input_size"):
        own, other = getattr(network.config, name), getattr(teacher.config, name)
        if own != other:
            raise ConfigError(f"the teacher {path} has {name} {other}, the network {own}")
    return teacher.requires_grad_(False)
