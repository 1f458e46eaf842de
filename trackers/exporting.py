"""From a checkpoint of a tracker to its packed model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from binvision import __version__
from binvision.export import export_model, round_to_eight_bits
from binvision.runtime import PackedModel
from binvision.trackers.embedder import TASK
from binvision.trackers.model import load_checkpoint
from binvision.trackers.pairs import ObjectGroups
from binvision.trackers.settings import SiamFCSettings

__all__ = ["pack_checkpoint", "view_groups"]

# Groups of views that ranges are measured on; more find no greater values that matter.
_GROUPS = 24


def pack_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], photos: Sequence[Path] = ()
) -> tuple[PackedModel, nn.Module]:
    """Pack the backbone of a tracker.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        photos: Photograph archives (.npz). Where there are some, the real convolutions after the
            first are rounded to 8 bits, their ranges measured on views of these pictures.

    Returns:
        The packed model, and the network that it computes.

    Raises:
        ModelFileError: The file is not a checkpoint of a tracker.
        ExportError: A layer has no packed form.
        DataError: An archive is missing or damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    backbone = network.backbone
    if photos:
        groups = view_groups(photos, record)
        batches = (group[role] for group in groups for role in ("exemplars", "searches"))
        backbone = round_to_eight_bits(backbone, batches)
    # All settings, not only those that differ: a later change of a default must not change how
    # a model that was measured with the old one behaves.
    settings = SiamFCSettings.from_mapping(network.settings(), where=name)
    packed = export_model(
        backbone,
        name=name,
        task=TASK,
        settings=asdict(settings),
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
    )
    return packed, backbone


def view_groups(
    photos: Sequence[Path], record: dict[str, Any], **options: Any
) -> Iterator[dict[str, Tensor]]:
    """Render the views that ranges of 8-bit layers are measured on, as the record then says.

    ``options`` are further arguments of :class:`ObjectGroups`.
    """
    record["eight_bit"] = {"photos": [path.name for path in photos], "groups": _GROUPS, "seed": 0}
    names = [str(path) for path in photos]
    groups = ObjectGroups(photos=names, objects=_GROUPS, seed=0, **options)
    return (groups[index] for index in range(_GROUPS))
