"""Losses that binarisation methods add, collected from a model's layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d

__all__ = ["kernel_loss"]


def kernel_loss(model: nn.Module) -> Tensor:
    """Sum RBCN's kernel loss over all layers of ``model`` whose method asks for it.

    Liu et al., IJCAI 2019: ``L_kernel = sum over layers of ||W - C sign(W)||^2 / 2``.

    Returns:
        A scalar; zero for a model whose methods have no such loss.
    """
    terms = [
        layer.kernel_loss()
        for layer in model.modules()
        if isinstance(layer, BinaryConv2d) and layer.method.kernel_loss
    ]
    return torch.stack(terms).sum() if terms else torch.zeros(())
