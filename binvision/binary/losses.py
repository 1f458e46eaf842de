"""Losses that binarisation methods add, collected from a model's layers."""

from __future__ import annotations

from torch import Tensor, nn

from binvision.binary.conv import BinaryConv2d
from binvision.binary.parts import LOSSES

__all__ = ["auxiliary_losses"]


def auxiliary_losses(model: nn.Module) -> dict[str, Tensor]:
    """Return what the methods of the layers of ``model`` add to the loss.

    Args:
        model: A model that has just run in training mode; some losses read what its layers saw.

    Returns:
        ``loss_NAME`` for each loss, weighted and summed over the layers that ask for it, a scalar.
    """
    sums: dict[str, Tensor] = {}
    for layer in model.modules():
        if isinstance(layer, BinaryConv2d):
            for name, weight in layer.method.losses.items():
                term = weight * LOSSES[name](layer)
                key = f"loss_{name}"
                sums[key] = sums[key] + term if key in sums else term
    return sums
