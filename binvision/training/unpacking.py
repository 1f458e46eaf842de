"""Weights of a packed model as the start of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from binvision import runtime, zoo
from binvision.backbones import ResidualBackbone
from binvision.binary import BinaryConv2d
from binvision.errors import ConfigError
from binvision.runtime import PackedModel
from binvision.runtime.model import Step

__all__ = ["take_packed_weights"]

# What the latent of a sign is: far enough from zero that a step of training seldom flips it.
_LATENT = 0.05


def take_packed_weights(backbone: ResidualBackbone, model: str | Path) -> None:
    """Start a backbone from the packed model of another one of its kind.

    A packed model has signs, and norms as a scale and a bias of each channel. The signs become
    latents of one size, and each norm one of mean 0 and variance 1: in evaluation mode the
    backbone computes what the model does, but for the 8 bits that the latter's head may round to.

    Args:
        backbone: Is written to.
        model: Name of a model of the zoo, or path of its file.

    Raises:
        ModelFileError: There is no such model, or its file is damaged.
        ConfigError: It has other layers.
    """
    packed = runtime.load(zoo.find(model))
    steps = {step.name: step for step in packed.steps if step.op in ("conv", "binary_conv")}
    layers = {
        "stem": (backbone.stem, backbone.stem_norm),
        "head": (backbone.head, backbone.head_norm),
    }
    for index, block in enumerate(backbone.blocks):
        layers[f"blocks.{index}.conv"] = (block.conv, block.norm)
        slope = _tensor(packed, steps.get(f"blocks.{index}.conv"), "slope")
        if slope is not None and slope.shape == block.act.weight.shape:
            block.act.weight.data.copy_(slope)
    if set(layers) != set(steps):
        raise ConfigError(f"{model}: has layers {', '.join(steps)}; needed: {', '.join(layers)}")
    for name, (layer, norm) in layers.items():
        _take(packed, steps[name], layer, norm)


def _take(packed: PackedModel, step: Step, layer: nn.Module, norm: nn.BatchNorm2d) -> None:
    scale, bias = (_tensor(packed, step, role) for role in ("scale", "bias"))
    assert scale is not None and bias is not None  # every convolution has both
    with torch.no_grad():
        if isinstance(layer, BinaryConv2d):
            weight = _signs(packed.tensor(step, "bits"), layer.in_channels) * _LATENT
            threshold = _tensor(packed, step, "threshold")
            if threshold is None or threshold.shape != layer.shift.shape:
                raise ConfigError(f"{packed.name}: {step.name} reads another number of channels")
            layer.shift.copy_(-threshold)
        else:
            # A stem's latents are rounded to 127 levels of the greatest: whole as they are given,
            # they stay.
            weight = torch.from_numpy(packed.tensor(step, "weight").astype(np.float32))
            levels = _tensor(packed, step, "levels")
            if levels is not None:
                weight = weight * levels[:, None]
        weight = weight.permute(3, 2, 0, 1)
        if weight.shape != layer.weight.shape:
            raise ConfigError(
                f"{packed.name}: {step.name} has the shape {tuple(weight.shape)}; "
                f"needed: {tuple(layer.weight.shape)}"
            )
        layer.weight.copy_(weight)
        if isinstance(layer, BinaryConv2d):
            signs = layer.signs()
            if signs is None:  # real, or a sum: then the method's own scale stays
                raise ConfigError(f"method {layer.method.name!r} has no kernel of signs to start")
            scale = scale / signs[1]
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.copy_(scale)
        norm.bias.copy_(bias)


def _signs(bits: np.ndarray, channels: int) -> Tensor:
    """Signs (kh, kw, channels, O) of words (kh, kw, W, O)."""
    channel = np.arange(channels)
    words = bits[:, :, channel // 64]
    ones = (words >> (channel % 64).astype(np.uint64)[:, None]) & np.uint64(1)
    return torch.from_numpy(ones.astype(np.float32) * 2 - 1)


def _tensor(packed: PackedModel, step: Step | None, role: str) -> Tensor | None:
    if step is None or role not in step.tensors:
        return None
    return torch.from_numpy(packed.tensor(step, role).astype(np.float32))
