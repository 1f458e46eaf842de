"""Training of SiamFC under mmengine: plain, and guided by a real-valued network (RBCN)."""

from __future__ import annotations

import re
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn

from binvision.binary import BinaryConv2d, auxiliary_losses
from binvision.errors import ConfigError
from binvision.trackers.guidance import (
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from binvision.trackers.losses import (
    balanced_logistic_loss,
    contrastive_loss,
    distance_cells,
    own_pairs,
)
from binvision.trackers.model import EXEMPLAR_SIZE, SiamFC, SiamFCConfig, load_checkpoint
from binvision.trackers.pairs import ObjectGroups

__all__ = ["GuidedSiamFCTraining", "SiamFCTraining", "pair_losses"]

DATASETS.register_module(module=ObjectGroups)

_OF_PARTS = re.compile(r"\.(activation|quantizer|scale)\.")  # what a method adds to a layer
_GUIDANCE_WEIGHTS = {"feature": 0.5, "adversarial": 0.02}


def pair_losses(
    network: nn.Module, data: dict[str, Tensor], stride: int
) -> tuple[dict[str, Tensor], Tensor, list[Tensor]]:
    """Run a batch of object groups through a SiamFC network.

    Args:
        network: :class:`SiamFC`, wrapped for distributed training or not.
        data: ``exemplars`` (B, E, 3, 127, 127), ``searches`` (B, S, 3, h, w), ``offsets``
            (B, S, 2).
        stride: Pixels per response cell.

    Returns:
        The losses by name, the share of pairs whose peak lies within 1.5 cells of the target,
        and the exemplars' stage outputs.
    """
    objects = data["exemplars"].shape[0]
    exemplars, searches = (_as_pixels(data[key]) for key in ("exemplars", "searches"))
    logits, stages = network(exemplars, searches)
    distance = distance_cells(data["offsets"].flatten(0, 1), logits.shape[-2:], stride)
    own = own_pairs(logits, objects)
    losses = {
        "loss_logistic": balanced_logistic_loss(own, distance),
        "loss_contrastive": contrastive_loss(logits, distance, objects),
    }
    peak = own.detach().flatten(2).argmax(2)
    hit = distance.flatten(1).gather(1, peak) < 1.5
    return losses, hit.float().mean(), stages


@MODELS.register_module()
class SiamFCTraining(BaseModel):
    """Trains a SiamFC network of any method on object groups.

    Args:
        network: Arguments of :class:`SiamFCConfig`.
        compile: Compile the backbone (two fixed input sizes); pays after some 200 steps.
    """

    def __init__(self, network: dict[str, Any], *, compile: bool = False) -> None:
        super().__init__()
        self.network = SiamFC(SiamFCConfig(**network)).to(memory_format=torch.channels_last)
        if compile:
            self.network.compile_stages()

    def forward(
        self, exemplars: Tensor, searches: Tensor, offsets: Tensor, mode: str = "loss"
    ) -> dict[str, Tensor]:
        """Return the losses of one batch; ``mode`` is mmengine's and must be ``loss``."""
        if mode != "loss":
            raise ConfigError(f"SiamFCTraining computes mode 'loss' only, got {mode!r}")
        data = {"exemplars": exemplars, "searches": searches, "offsets": offsets}
        losses, hit, _ = pair_losses(self.network, data, self.network.backbone.stride)
        return {**losses, "hit": hit}


@MODELS.register_module()
class GuidedSiamFCTraining(BaseModel):
    """Trains a 1-bit SiamFC under the guidance of its float twin (see :mod:`.guidance`).

    The network starts from the twin's weights. Both branches share their weights, so guiding
    the exemplars' maps guides both, for a tenth of the time instead of a third.

    Args:
        network: Arguments of :class:`SiamFCConfig`.
        teacher: Checkpoint of the float twin.
        compile: Compile both backbones.

    Raises:
        ModelFileError: ``teacher`` cannot be read.
        ConfigError: The teacher's stages differ from the network's.
    """

    def __init__(self, network: dict[str, Any], teacher: str, *, compile: bool = False) -> None:
        super().__init__()
        self.network = SiamFC(SiamFCConfig(**network))
        guide, _ = load_checkpoint(teacher)
        self._start_from(guide)
        self.teacher = guide.requires_grad_(False)
        with torch.inference_mode():
            probe = torch.zeros(1, 3, EXEMPLAR_SIZE, EXEMPLAR_SIZE)
            channels = [stage.shape[1] for stage in self.teacher.backbone.stages(probe)]
        self.discriminators = Discriminators(channels)
        self.to(memory_format=torch.channels_last)
        self._stride = self.network.backbone.stride
        if compile:
            self.network.compile_stages()
            self.teacher.compile_stages()

    def train(self, mode: bool = True) -> GuidedSiamFCTraining:
        """Set training mode, except for the teacher, whose statistics are fixed."""
        super().train(mode)
        if hasattr(self, "teacher"):
            self.teacher.eval()
        return self

    def forward(self, exemplars: Tensor, searches: Tensor, offsets: Tensor) -> tuple[Any, ...]:
        """Return losses, hits and the exemplars' stages of both networks."""
        data = {"exemplars": exemplars, "searches": searches, "offsets": offsets}
        losses, hit, stages = pair_losses(self.network, data, self._stride)
        with torch.no_grad():
            guide = self.teacher.backbone.stages(_as_pixels(exemplars))
        return losses, hit, stages, guide

    def train_step(
        self, data: dict[str, Tensor], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """Update the network, then the discriminators, on one batch."""
        data = self.data_preprocessor(data, training=True)
        network_optim: OptimWrapper = optim_wrapper["network"]
        judge_optim: OptimWrapper = optim_wrapper["discriminators"]

        with network_optim.optim_context(self.network):
            losses, hit, stages, guide = self(**data)
            judges = _unwrapped(self.discriminators)
            judges.requires_grad_(False)
            judged = judges(stages)
            judges.requires_grad_(True)
        losses["loss_feature"] = _GUIDANCE_WEIGHTS["feature"] * feature_loss(stages, guide)
        losses["loss_adversarial"] = _GUIDANCE_WEIGHTS["adversarial"] * adversarial_loss(judged)
        losses |= auxiliary_losses(_unwrapped(self.network))
        total, logged = self.parse_losses({**losses, "hit": hit})
        network_optim.update_params(total)

        with judge_optim.optim_context(self.discriminators):
            real = self.discriminators(guide)
            binary = self.discriminators([stage.detach() for stage in stages])
        judge_loss = discriminator_loss(real, binary)
        judge_optim.update_params(judge_loss)
        return {**logged, "loss_discriminators": judge_loss.detach()}

    def _start_from(self, guide: SiamFC) -> None:
        """Copy the guide's weights; scales of the method start from the copied kernels."""
        missing, unexpected = self.network.load_state_dict(guide.state_dict(), strict=False)
        if unexpected or any(not _OF_PARTS.search(name) for name in missing):
            raise ConfigError(
                "the teacher is not the float twin of this network: "
                f"missing {missing[:3]}, unexpected {unexpected[:3]}; use the same backbone"
            )
        for layer in self.network.modules():
            if isinstance(layer, BinaryConv2d) and layer.scale is not None:
                layer.scale.start(layer.kernel())


def _as_pixels(views: Tensor) -> Tensor:
    """Views (B, V, 3, h, w) uint8 to float (B * V, 3, h, w), channels last."""
    return views.flatten(0, 1).float().contiguous(memory_format=torch.channels_last)


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without the wrapper of distributed training."""
    return getattr(module, "module", module)
