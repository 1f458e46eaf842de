"""Training of detectors under mmengine: plain, guided by the float twin, or with BiDet's losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor

from binvision.binary import auxiliary_losses
from binvision.detectors.detections import Detections
from binvision.detectors.detector import Detector
from binvision.detectors.guidance import (
    bottleneck_loss,
    feature_loss,
    instance_loss,
    sparse_object_loss,
)
from binvision.detectors.losses import detection_losses
from binvision.detectors.model import DetectorConfig, DetectorNetwork, load_checkpoint
from binvision.detectors.scenes import DetectionScenes
from binvision.detectors.torch_network import TorchNetwork
from binvision.errors import ConfigError

__all__ = ["DetectorTraining"]

DATASETS.register_module(module=DetectionScenes)

_LEAST_SCORE = 0.01  # of what is validated, as in ``binvision eval coco``


@MODELS.register_module()
class DetectorTraining(BaseModel):
    """Trains a detector of any method.

    Args:
        network: Arguments of :class:`DetectorConfig`.
        teacher: Checkpoint of the float twin that guides the training; "" for none.
        feature: Weight of :func:`feature_loss`, if there is a teacher.
        instance: Weight of :func:`instance_loss`, if there is a teacher.
        bottleneck: Weight of :func:`bottleneck_loss`.
        sparse: Weight of :func:`sparse_object_loss`.
        compile: Compile the network (one fixed input size); pays after some 200 steps.

    Raises:
        ConfigError: The teacher has other classes or another stride.
        ModelFileError: ``teacher`` cannot be read.
    """

    def __init__(
        self,
        network: dict[str, Any],
        *,
        teacher: str = "",
        feature: float = 1.0,
        instance: float = 1.0,
        bottleneck: float = 0.0,
        sparse: float = 0.0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.network = DetectorNetwork(DetectorConfig(**network))
        self._weights = {
            "feature": feature,
            "instance": instance,
            "bottleneck": bottleneck,
            "sparse": sparse,
        }
        self.teacher = _load_teacher(teacher, self.network) if teacher else None
        self.to(memory_format=torch.channels_last)
        self._features: Callable[[Tensor], Tensor] = self.network.features
        if compile:
            self._features = torch.compile(self.network.features, dynamic=False)

    def train(self, mode: bool = True) -> DetectorTraining:
        """Set training mode, except for the teacher, whose statistics are fixed."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(
        self, images: Tensor, centres: Tensor, boxes: Tensor, weights: Tensor, mode: str = "loss"
    ) -> dict[str, Tensor]:
        """Return the losses of one batch; ``mode`` is mmengine's and must be ``loss``."""
        if mode != "loss":
            raise ConfigError(f"DetectorTraining computes mode 'loss' only, got {mode!r}")
        side, multiple = images.shape[-1], self.network.multiple
        if side % multiple:
            raise ConfigError(
                f"train_dataloader.dataset.size={side}: this backbone takes multiples of {multiple}"
            )
        pixels = images.float().contiguous(memory_format=torch.channels_last)
        features = self._features(pixels)
        raw = self.network.head(features)
        stride = self.network.config.stride
        losses = detection_losses(raw, centres, boxes, weights, stride)
        further: dict[str, Callable[[], Tensor]] = {
            "bottleneck": lambda: bottleneck_loss(features),
            "sparse": lambda: sparse_object_loss(raw),
        }
        if self.teacher is not None:
            with torch.no_grad():
                guide_features = self.teacher.features(pixels)
                guide = self.teacher.head(guide_features)
            further["feature"] = lambda: feature_loss(features, guide_features)
            further["instance"] = lambda: instance_loss(raw, guide, stride)
        for name, loss in further.items():
            if self._weights[name]:
                losses[f"loss_{name}"] = self._weights[name] * loss()
        return losses | auxiliary_losses(self.network)

    def val_step(self, data: dict[str, Any]) -> list[Detections]:
        """Detect in each ``image`` (H, W, 3) of a batch, as in use but with all uncertain ones."""
        network = TorchNetwork(self.network, threads=torch.get_num_threads())
        detector = Detector(network, score_threshold=_LEAST_SCORE)
        return [detector(image) for image in data["image"]]


def _load_teacher(path: str, network: DetectorNetwork) -> DetectorNetwork:
    teacher, _ = load_checkpoint(path)
    for name in ("classes", "stride"):
        own, other = getattr(network.config, name), getattr(teacher.config, name)
        if own != other:
            raise ConfigError(f"the teacher {path} has {name} {other}, the network {own}")
    return teacher.requires_grad_(False)
