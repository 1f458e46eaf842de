"""From a checkpoint of a tracker with a box head to its packed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from binvision import __version__
from binvision.export import export_model, round_to_eight_bits
from binvision.runtime import PackedModel
from binvision.trackers.box_model import (
    COARSE_CROP,
    FINE_CROP,
    BoxTracker,
    load_checkpoint,
    middle,
)
from binvision.trackers.box_network import EXEMPLARS, OUTPUTS
from binvision.trackers.box_settings import TASK, BoxSettings
from binvision.trackers.exporting import view_groups

__all__ = ["pack_box_checkpoint"]


def pack_box_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], photos: Sequence[Path] = ()
) -> tuple[PackedModel, nn.Module]:
    """Pack the network of a tracker with a box head.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        photos: Photograph archives (.npz). Where there are some, the real convolutions after the
            first are rounded to 8 bits, their ranges measured on views of these pictures.

    Returns:
        The packed model, and the network that it computes.

    Raises:
        ModelFileError: The file is not a checkpoint of such a tracker.
        ExportError: A layer has no packed form.
        DataError: An archive is missing or damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    settings = BoxSettings.from_mapping(network.settings(), where=name)
    packable: nn.Module = network
    if photos:
        groups = view_groups(photos, record, search_size=settings.search_size, boxed=True)
        packable = round_to_eight_bits(network, (_inputs(network, group) for group in groups))
    channels = network.config.channels
    sides = {"fine": FINE_CROP, "coarse": COARSE_CROP}
    packed = export_model(
        packable,
        name=name,
        task=TASK,
        # All settings, not only those that differ: a later change of a default must not change
        # how a model that was measured with the old one behaves.
        settings=asdict(settings),
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
        outputs=OUTPUTS,
        exemplars={EXEMPLARS[part]: (side, side, channels) for part, side in sides.items()},
    )
    return packed, packable


def _inputs(network: BoxTracker, group: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """All that the network takes: search regions, and what it keeps of one exemplar of theirs."""
    with torch.inference_mode():
        fine, coarse = network.features(group["exemplars"][:1].float())
    count = len(group["searches"])
    return (
        group["searches"],
        middle(fine, FINE_CROP).expand(count, -1, -1, -1),
        middle(coarse, COARSE_CROP).expand(count, -1, -1, -1),
    )
