"""From a checkpoint of a detector to its packed model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from binvision import __version__
from binvision.detectors.letterbox import Letterbox
from binvision.detectors.model import load_checkpoint
from binvision.detectors.settings import TASK, DetectorSettings
from binvision.errors import DataError
from binvision.export import export_model, round_to_eight_bits
from binvision.media.images import list_images, natural_key, read_image
from binvision.runtime import PackedModel

__all__ = ["pack_checkpoint"]

OUTPUT = "head"

# Pictures that ranges are measured on; more find no greater values that matter.
_PICTURES = 48


def pack_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], images: Path | None = None
) -> tuple[PackedModel, nn.Module]:
    """Pack a detector.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        images: Folder of pictures. Where there is one, the real convolutions after the first are
            rounded to 8 bits, their ranges measured on these pictures.

    Returns:
        The packed model, and the network that it computes.

    Raises:
        ModelFileError: The file is not a checkpoint of a detector.
        ExportError: A layer has no packed form.
        DataError: The folder is missing or has no pictures.
        SourceError: A picture is damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    # All settings, not only those that differ: a later change of a default must not change how
    # a model that was measured with the old one behaves.
    settings = DetectorSettings.from_mapping(network.settings(), where=name)
    packed: nn.Module = network
    if images is not None:
        paths = _spread(images)
        packed = round_to_eight_bits(network, _inputs(paths, settings))
        record["eight_bit"] = {"images": images.name, "pictures": len(paths)}
    model = export_model(
        packed,
        output=OUTPUT,
        name=name,
        task=TASK,
        settings=asdict(settings),
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
    )
    return model, packed


def _spread(folder: Path) -> list[Path]:
    """Pictures from all over a folder: neighbours by name are often frames of one film."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of pictures")
    paths = sorted(list_images(folder), key=natural_key)
    if not paths:
        raise DataError(f"{folder}: has no pictures; give the folder that they are in")
    count = min(_PICTURES, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]


def _inputs(paths: list[Path], settings: DetectorSettings) -> Iterator[Tensor]:
    """What the network sees of each picture: (1, 3, H, W)."""
    letterbox = Letterbox(settings.multiple)
    for path in paths:
        image, _ = letterbox(read_image(path), settings.input_size)
        yield torch.from_numpy(image).permute(0, 3, 1, 2)
