"""From a checkpoint of a detector to its packed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from binvision import __version__
from binvision.detectors.letterbox import Letterbox
from binvision.detectors.model import load_checkpoint
from binvision.detectors.settings import TASK, DetectorSettings
from binvision.errors import DataError
from binvision.export import export_model, round_to_eight_bits
from binvision.media.images import list_images, natural_key, read_image
from binvision.runtime import PackedModel

__all__ = ["pack_checkpoint", "pictures_in"]

OUTPUT = "head"

# Pictures that ranges are measured on; more find no greater values that matter.
_PICTURES = 48
# Of these, on which packed and PyTorch results are compared.
_COMPARED = 8


def pack_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], pictures: Sequence[Path] = ()
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack a detector.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        pictures: Files. Where there are some, the real convolutions after the first are rounded to
            8 bits, their ranges measured on some of these pictures.

    Returns:
        The packed model, the network that it computes, and some of the pictures as the network
        sees them, (1, H, W, 3) uint8, to compare the two on.

    Raises:
        ModelFileError: The file is not a checkpoint of a detector.
        ExportError: A layer has no packed form.
        SourceError: A picture is damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    # All settings, not only those that differ: a later change of a default must not change how
    # a model that was measured with the old one behaves.
    settings = DetectorSettings.from_mapping(network.settings(), where=name)
    packed: nn.Module = network
    examples: list[np.ndarray] = []
    if pictures:
        # From all over the set: neighbours by name are often frames of one film.
        count = min(_PICTURES, len(pictures))
        paths = [pictures[index * len(pictures) // count] for index in range(count)]
        inputs = [_input(path, settings) for path in paths]
        packed = round_to_eight_bits(
            network, (torch.from_numpy(each).permute(0, 3, 1, 2) for each in inputs)
        )
        examples = inputs[:: _PICTURES // _COMPARED]
        record["eight_bit"] = {"images": paths[0].parent.name, "pictures": count}
    model = export_model(
        packed,
        output=OUTPUT,
        name=name,
        task=TASK,
        settings=asdict(settings),
        provenance={"exported_by": f"binvision {__version__}", **record},
        accuracy=accuracy,
    )
    return model, packed, examples


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, in natural order of their names.

    Raises:
        DataError: The folder is missing or has no pictures.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of pictures")
    paths = sorted(list_images(folder), key=natural_key)
    if not paths:
        raise DataError(f"{folder}: has no pictures; give the folder that they are in")
    return paths


def _input(path: Path, settings: DetectorSettings) -> np.ndarray:
    """What the network sees of a picture."""
    image, _ = Letterbox(settings.multiple)(read_image(path), settings.input_size)
    return image
