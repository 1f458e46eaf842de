"""Training of detectors under mmengine: plain, and guided by the float twin."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor

from binvision.detectors.losses import detection_losses
from binvision.detectors.model import DetectorConfig, DetectorNetwork
from binvision.detectors.scenes import DetectionScenes
from binvision.errors import ConfigError

__all__ = ["DetectorTraining"]

DATASETS.register_module(module=DetectionScenes)


@MODELS.register_module()
class DetectorTraining(BaseModel):
    """Trains a detector of any method.

    Args:
        network: Arguments of :class:`DetectorConfig`.
        compile: Compile the network (one fixed input size); pays after some 200 steps.
    """

    def __init__(self, network: dict[str, Any], *, compile: bool = False) -> None:
        super().__init__()
        self.network = DetectorNetwork(DetectorConfig(**network)).to(
            memory_format=torch.channels_last
        )
        self._run = torch.compile(self.network, dynamic=False) if compile else self.network

    def forward(
        self, images: Tensor, centres: Tensor, boxes: Tensor, weights: Tensor, mode: str = "loss"
    ) -> dict[str, Tensor]:
        """Return the losses of one batch; ``mode`` is mmengine's and must be ``loss``."""
        if mode != "loss":
            raise ConfigError(f"DetectorTraining computes mode 'loss' only, got {mode!r}")
        pixels = images.float().contiguous(memory_format=torch.channels_last)
        losses = detection_losses(
            self._run(pixels), centres, boxes, weights, self.network.config.stride
        )
        return losses
