"""Training of landmark networks under mmengine: plain, or guided by the float twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn

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
        graph: On a GPU, record the network's forward and backward pass once and replay them (CUDA
            graphs). Small maps keep a GPU busy for less time than it takes to start their kernels.
            All batches must have the size of the first.

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
        graph: bool = False,
    ) -> None:
        super().__init__()
        self.network = LandmarkNetwork(LandmarkConfig(**network))
        self._guide = guide
        self.teacher = _load_teacher(teacher, self.network) if teacher else None
        self.to(memory_format=torch.channels_last)
        self._maps: Callable[[Tensor], list[Tensor]] = self.network.all_maps
        if compile:
            self._maps = torch.compile(self.network.all_maps, dynamic=False)
        self._graph = graph

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
        if self._graph and pixels.is_cuda:
            self._maps, self._graph = _record(self.network, self._maps, pixels), False
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


class _Maps(nn.Module):
    """The maps of a network as the forward pass of a module, whose gradients can be recorded."""

    def __init__(self, network: LandmarkNetwork, maps: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.network = network
        self._maps = maps

    def forward(self, pixels: Tensor) -> list[Tensor]:
        return self._maps(pixels)


def _record(
    network: LandmarkNetwork, maps: Callable[[Tensor], list[Tensor]], pixels: Tensor
) -> Callable[[Tensor], list[Tensor]]:
    # Weights that autocast keeps from one pass to the next would not change in a replay.
    with torch.autocast(
        "cuda",
        torch.get_autocast_dtype("cuda"),
        enabled=torch.is_autocast_enabled("cuda"),
        cache_enabled=False,
    ):
        recorded = torch.cuda.make_graphed_callables(
            _Maps(network, maps), (pixels.clone(),), allow_unused_input=True
        )
    # A module would become a part of the one in training, and be saved with it.
    replay: Callable[[Tensor], list[Tensor]] = recorded.forward
    return replay


def _load_teacher(path: str, network: LandmarkNetwork) -> LandmarkNetwork:
    teacher, _ = load_checkpoint(path)
    for name in ("scheme", "input_size"):
        own, other = getattr(network.config, name), getattr(teacher.config, name)
        if own != other:
            raise ConfigError(f"the teacher {path} has {name} {other}, the network {own}")
    return teacher.requires_grad_(False)
