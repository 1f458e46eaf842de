"""Rounding a trained network's real convolutions to eight bits, after training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from binvision.binary import EightBitConv2d
from binvision.errors import ExportError

__all__ = ["round_to_eight_bits"]


def round_to_eight_bits(
    network: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]
) -> nn.Module:
    """Replace every real convolution of floats by one of eight bits.

    A real layer costs a 1-bit network more time and bytes than its share of the work: at eight
    bits it takes a quarter of both. Layers on pixels have eight bits anyway and stay as they are.

    Args:
        network: In evaluation mode; it is not changed.
        batches: Pixels (N, 3, H, W) in 0..255, of the kind that the network will see, or all
            inputs where it has several: the range of every activation is measured on them.

    Returns:
        A copy with an :class:`~binvision.binary.EightBitConv2d` for each ``nn.Conv2d``.

    Raises:
        ExportError: There are no batches, or a convolution never ran or saw NaN or infinity.
    """
    network = copy.deepcopy(network)
    layers = {name: m for name, m in network.named_modules() if type(m) is nn.Conv2d}
    largest = _measure(network, layers, batches)
    for name, layer in layers.items():
        if not torch.isfinite(largest[name]).all():
            raise ExportError(f"layer {name!r}: its input holds NaN or infinity; nothing to round")
        parent, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(parent), attribute, EightBitConv2d(layer, largest[name]))
    return network


def _measure(
    network: nn.Module,
    layers: dict[str, nn.Conv2d],
    batches: Iterable[Tensor | tuple[Tensor, ...]],
) -> dict[str, Tensor]:
    """Return the largest magnitude of each input channel, by layer name."""
    largest: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen = inputs[0].abs().amax(dim=(0, 2, 3))
            largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        with torch.inference_mode():
            for batch in batches:
                inputs = batch if isinstance(batch, tuple) else (batch,)
                network(*(each.float() for each in inputs))
    finally:
        for handle in handles:
            handle.remove()
    missing = sorted(layers.keys() - largest.keys())
    if missing:
        raise ExportError(f"layer {missing[0]!r} saw no picture; give some to measure its range on")
    return {name: value.clone() for name, value in largest.items()}
