"""PyTorch networks with random weights, and what each of their layers gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from binvision.backbones import build_backbone
from binvision.binary import BinaryConv2d, QuantConv2d, RPReLU

__all__ = [
    "Bases",
    "Branches",
    "Plain",
    "ReAct",
    "fitting",
    "outputs_of_layers",
    "random_images",
    "randomize",
    "small_backbone",
]

_SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"width": 0.25},
    "hourglass": {"stem_channels": 4, "channels": 24, "depth": 2},
    "melius": {"stem_channels": 4, "channels": (8, 16), "blocks": (1, 2), "growth": 8},
    "residual": {"blocks": 3, "out_channels": 40},
    "staged": {"stem_channels": 4, "channels": (20, 40), "blocks": (1, 2)},
    "tentacles": {"stem_channels": 4, "channels": (20, 40), "blocks": (1, 2), "branches": 2},
    "vgg": {"channels": (20, 24, 40, 36)},
}


def small_backbone(kind: str, method: str, seed: int) -> nn.Module:
    """A randomised backbone that is quick to run, with its coarsest map as the result."""
    built = build_backbone({"type": kind, "method": method, **_SMALL[kind]})
    return randomize(Coarsest(built) if hasattr(built, "levels") else built, seed)


def fitting(network: nn.Module, size_hw: tuple[int, int]) -> tuple[int, int]:
    """The size, or the next greater one whose sides the network takes."""
    multiple: int = getattr(network, "multiple", 1)
    height, width = (-(-side // multiple) * multiple for side in size_hw)
    return height, width


def randomize(network: nn.Module, seed: int) -> nn.Module:
    """Draw weights, shifts, slopes and batch-norm statistics; half the gammas negative.

    Returns the same network, in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor: Tensor, mean: float, deviation: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * deviation + mean)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, BinaryConv2d):
                normal(module.weight, 0, 0.1)
                normal(module.shift, 0, 0.3)
                for part in (module.activation, module.scale):
                    for parameter in part.parameters() if part is not None else ():
                        normal(parameter, 0.2, 0.2)
            elif isinstance(module, QuantConv2d):
                normal(module.weight, 0, 0.01)
            elif isinstance(module, nn.Conv2d):
                normal(module.weight, 0, 0.1)
                if module.bias is not None:
                    normal(module.bias, 0, 0.5)
            elif isinstance(module, nn.BatchNorm2d):
                normal(module.weight, 0, 1)
                normal(module.bias, 0, 0.5)
                normal(module.running_mean, 0, 1)
                module.running_var.uniform_(0.1, 4, generator=generator)
            elif isinstance(module, nn.PReLU):
                normal(module.weight, 0.25, 0.3)
            elif isinstance(module, RPReLU):
                normal(module.beta, 0.25, 0.3)
                normal(module.gamma, 0, 0.5)
                normal(module.zeta, 0, 0.5)
    return network.eval()


def random_images(count: int, size_hw: tuple[int, int], seed: int) -> np.ndarray:
    """Pictures of noise, uint8 (N, H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size_hw, 3), dtype=np.uint8)


def outputs_of_layers(
    network: nn.Module, images: np.ndarray
) -> tuple[dict[str, Tensor], Tensor | dict[str, Tensor]]:
    """Output of each named layer, and of the network, for uint8 images (N, H, W, 3)."""
    outputs: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: outputs.update({name: output})
        )
        for name, module in network.named_modules()
        if name
    ]
    with torch.inference_mode():
        result = network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    for handle in handles:
        handle.remove()
    return outputs, result


class Plain(nn.Module):
    """A chain in the order of AlexNet, with groups, strides, dilation and a ReLU."""

    def __init__(self, method: str = "rbcn", pad_value: int = 0) -> None:
        super().__init__()
        self.stem, self.norm1 = QuantConv2d(3, 24, 5, 2), nn.BatchNorm2d(24)
        self.conv2 = BinaryConv2d(24, 140, 3, groups=2, method=method)
        self.norm2, self.pool2 = nn.BatchNorm2d(140), nn.MaxPool2d(3, 2)
        self.conv3 = BinaryConv2d(140, 70, 3, 2, 2, dilation=2, method=method, pad_value=pad_value)
        self.norm3, self.relu = nn.BatchNorm2d(70), nn.ReLU()
        self.head = nn.Conv2d(70, 9, (1, 3), (2, 1), (0, 1), bias=True)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.norm1(self.stem(x)), 3, stride=2, padding=1)
        x = self.pool2(self.norm2(self.conv2(x)))
        return self.head(self.relu(self.norm3(self.conv3(x))))


class Coarsest(nn.Module):
    """The coarsest map of a backbone that has several."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        levels: list[Tensor] = self.backbone.levels(x)
        return levels[-1]


class Branches(nn.Module):
    """Two 1-bit branches that are added, a value read three times, a sum without convolution."""

    def __init__(self, method: str = "xnor") -> None:
        super().__init__()
        self.stem, self.norm0 = QuantConv2d(3, 16, 4, 4), nn.BatchNorm2d(16)
        self.left = BinaryConv2d(16, 32, 1, method=method)
        self.right = BinaryConv2d(16, 32, 3, 1, 1, method=method)
        self.norm1, self.norm2 = nn.BatchNorm2d(32), nn.BatchNorm2d(32)
        self.act, self.last = nn.PReLU(), nn.PReLU(32)
        self.norm3 = nn.BatchNorm2d(32)
        self.down = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.norm0(self.stem(x))
        left, right = self.norm1(self.left(x)), self.norm2(self.right(x))
        y = self.act(left + right)
        doubled = torch.cat([x, x], dim=1) + self.norm3(y)
        return {"fine": self.last(doubled), "coarse": self.down(y)}


class ReAct(nn.Module):
    """ReActNet's activations after a residual, after a convolution, and after a pool."""

    def __init__(self, method: str = "bireal") -> None:
        super().__init__()
        self.stem, self.norm0, self.act0 = QuantConv2d(3, 16, 4, 4), nn.BatchNorm2d(16), RPReLU(16)
        self.conv, self.norm1 = BinaryConv2d(16, 16, 3, 1, 1, method=method), nn.BatchNorm2d(16)
        self.act1, self.act2 = RPReLU(16), RPReLU(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act0(self.norm0(self.stem(x)))
        x = self.act1(self.norm1(self.conv(x)) + x)
        return self.act2(F.max_pool2d(x, 2))


class Bases(nn.Module):
    """ABC-Net's layers: several bases and planes, one of each, groups, a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm0 = QuantConv2d(3, 20, 5, 3), nn.BatchNorm2d(20)
        abc = {"type": "abc", "activation": {"type": "abc", "planes": 2}}
        self.conv1 = BinaryConv2d(20, 20, 3, padding=1, groups=2, method=abc)
        self.norm1, self.act = nn.BatchNorm2d(20), nn.PReLU()
        one = {
            "type": "abc",
            "activation": {"type": "abc", "planes": 1},
            "weight": {"type": "abc", "bases": 1},
        }
        self.conv2 = BinaryConv2d(20, 70, 3, stride=2, method=one)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm0(self.stem(x))
        return self.conv2(self.act(self.norm1(self.conv1(x)) + x))
