"""The classifier in PyTorch: what is trained, exported and compared with its packed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from binvision.backbones import build_backbone
from binvision.classifiers.settings import TASK
from binvision.errors import ConfigError
from binvision.training.checkpoint import load_network

__all__ = ["ClassifierConfig", "ClassifierNetwork", "load_checkpoint"]


@dataclass(frozen=True)
class ClassifierConfig:
    """What a classifier is built from; JSON-able through :func:`dataclasses.asdict`.

    Attributes:
        backbone: Arguments of :func:`binvision.backbones.build_backbone`; any of them.
        classes: Names of the classes.
        input_size: Side of the square input, pixels.
        members: Networks of an ensemble; 1 is none.
    """

    backbone: dict[str, Any]
    classes: list[str]
    input_size: int = 32
    members: int = 1


class ClassifierNetwork(nn.Module):
    """A backbone, the mean of its coarsest map, and a real linear layer.

    The logits of an ensemble are the sum of its members' (soft voting), whose votes are factors of
    their linear layers. This network is the first member.

    Attributes:
        others: The further members.

    Args:
        config: Backbone and classes.

    Raises:
        ConfigError: There is no such backbone, or no member.
    """

    task = TASK

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        if config.members < 1:
            raise ConfigError(f"members={config.members}: expected 1, or more for an ensemble")
        self.config = config
        self.backbone = build_backbone(config.backbone)
        channels = self.backbone.out_channels
        self.has_levels = hasattr(self.backbone, "levels")
        self.head = nn.Linear(channels[-1] if self.has_levels else channels, len(config.classes))

        self.others = nn.ModuleList(
            ClassifierNetwork(replace(config, members=1)) for _ in range(config.members - 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map pixels (N, 3, S, S) in 0..255, BGR, to logits (N, C)."""
        logits = self.answer(images)
        for other in self.others:
            logits = logits + other.answer(images)
        return logits

    @property
    def members(self) -> list[ClassifierNetwork]:
        """The members of the ensemble, this one first."""
        return [self, *self.others]

    def answer(self, images: Tensor) -> Tensor:
        """Return the logits of this member alone."""
        features = self.backbone.levels(images)[-1] if self.has_levels else self.backbone(images)
        return self.head(features.mean((2, 3)))

    def settings(self) -> dict[str, Any]:
        """Return the ``settings`` that a packed file of this network carries."""
        return {"classes": list(self.config.classes), "input_size": self.config.input_size}


def load_checkpoint(path: str | Path) -> tuple[ClassifierNetwork, dict[str, Any]]:
    """Rebuild a trained network from a checkpoint of ``binvision train``.

    Returns:
        The network in evaluation mode, and the record of its training (data, schedule, seed).

    Raises:
        ModelFileError: The file is missing, unreadable, or not such a checkpoint.
        ModelTaskError: It is a checkpoint of another task.
    """
    return load_network(
        Path(path), TASK, lambda values: ClassifierNetwork(ClassifierConfig(**values))
    )
