"""A trained network of one output as a packed model, rounded to 8 bits on inputs of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from binvision import __version__
from binvision.export import export_model, round_to_eight_bits
from binvision.runtime import PackedModel

__all__ = ["pack_trained", "spread"]

_COMPARED = 8  # inputs on which packed and PyTorch results are compared

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, from all over: neighbours by name are often frames of one film."""
    count = min(most, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def pack_trained(
    network: nn.Module,
    inputs: Sequence[np.ndarray],
    *,
    output: str,
    name: str,
    task: str,
    settings: dict[str, Any],
    record: dict[str, Any],
    accuracy: dict[str, Any],
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack a network.

    Args:
        network: In evaluation mode.
        inputs: What it sees in use, (1, H, W, 3) uint8 each. Where there are some, the real
            convolutions after the first are rounded to 8 bits, their ranges measured on these.
        output: What its result is called.
        name: Name of the model.
        task: What it is for.
        settings: All of them, not only those that differ: a later change of a default must not
            change how a model that was measured with the old one behaves.
        record: Where the weights came from.
        accuracy: What was measured with them.

    Returns:
        The packed model, the network that it computes, and some of the inputs, to compare the two
        on.

    Raises:
        ExportError: A layer has no packed form.
    """
    if inputs:
        network = round_to_eight_bits(
            network, (torch.from_numpy(each).permute(0, 3, 1, 2) for each in inputs)
        )
    model = export_model(
        network,
        outputs=(output,),
        name=name,
        task=task,
        settings=settings,
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
    )
    return model, network, list(inputs[:: max(1, len(inputs) // _COMPARED)])
