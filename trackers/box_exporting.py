"""From a checkpoint of a tracker with a box head to its packed model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from binvision.trackers.pairs import ObjectGroups

__all__ = ["pack_box_checkpoint"]

# Groups of views that ranges are measured on; more find no greater values that matter.
_GROUPS = 24


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
        packable = round_to_eight_bits(network, _views(network, photos, settings.search_size))
        record["eight_bit"] = {
            "photos": [path.name for path in photos],
            "groups": _GROUPS,
            "seed": 0,
        }
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


def _views(
    network: BoxTracker, photos: Sequence[Path], search_size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """All inputs of the network: search regions, and what it keeps of one exemplar of theirs."""
    groups = ObjectGroups(
        photos=[str(path) for path in photos],
        objects=_GROUPS,
        search_size=search_size,
        boxed=True,
        seed=0,
    )
    for index in range(_GROUPS):
        group = groups[index]
        with torch.inference_mode():
            fine, coarse = network.features(group["exemplars"][:1].float())
        count = len(group["searches"])
        yield (
            group["searches"],
            middle(fine, FINE_CROP).expand(count, -1, -1, -1),
            middle(coarse, COARSE_CROP).expand(count, -1, -1, -1),
        )
