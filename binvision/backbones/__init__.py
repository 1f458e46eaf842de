"""Shared feature extractors, each built in a real and in every binary method."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from torch import nn

from binvision.backbones import cells, dense, duo, group, lbc, plain, react, separable
from binvision.backbones.alexnet import AlexNetBackbone
from binvision.backbones.blocks import BLOCKS, register_block
from binvision.backbones.hierarchical import HourglassBackbone
from binvision.backbones.melius import MeliusBackbone
from binvision.backbones.residual import ResidualBackbone
from binvision.backbones.staged import StagedBackbone
from binvision.backbones.tentacles import TentacleBackbone
from binvision.backbones.vgg import VggBackbone
from binvision.binary.norms import NORMS
from binvision.errors import ConfigError

__all__ = [
    "BACKBONES",
    "BLOCKS",
    "AlexNetBackbone",
    "HourglassBackbone",
    "MeliusBackbone",
    "ResidualBackbone",
    "StagedBackbone",
    "TentacleBackbone",
    "VggBackbone",
    "build_backbone",
    "cells",
    "dense",
    "duo",
    "group",
    "lbc",
    "plain",
    "react",
    "register_block",
    "separable",
]

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNetBackbone,
    "hourglass": HourglassBackbone,
    "melius": MeliusBackbone,
    "residual": ResidualBackbone,
    "staged": StagedBackbone,
    "tentacles": TentacleBackbone,
    "vgg": VggBackbone,
}


def build_backbone(config: dict[str, Any]) -> nn.Module:
    """Build a backbone from ``{"type": name, "method": method, ...}``.

    ``norm`` may name another batch norm for all of it; see :data:`binvision.binary.norms.NORMS`.

    Raises:
        ConfigError: The type, an argument or the method does not exist; says what would be valid.
    """
    arguments = dict(config)
    norm = arguments.pop("norm", "batch")
    if norm not in NORMS:
        raise ConfigError(f"unknown norm {norm!r}; valid: {', '.join(NORMS)}")
    name = arguments.pop("type", None)
    if name not in BACKBONES:
        close = difflib.get_close_matches(str(name), BACKBONES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"unknown backbone {name!r}; valid: {', '.join(BACKBONES)}.{hint}")
    try:
        backbone = BACKBONES[name](**arguments)
    except TypeError as error:
        raise ConfigError(f"backbone {name!r} cannot be built from {arguments}: {error}") from error
    NORMS[norm](backbone)
    return backbone
