"""From a checkpoint of a detector to its packed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from binvision.detectors.letterbox import Letterbox
from binvision.detectors.model import load_checkpoint
from binvision.detectors.settings import TASK, DetectorSettings
from binvision.errors import DataError
from binvision.export.trained import pack_trained, spread
from binvision.media.images import list_images, natural_key, read_image
from binvision.runtime import PackedModel

__all__ = ["pack_checkpoint", "pictures_in"]

OUTPUT = "head"

# Pictures that ranges are measured on; more find no greater values that matter.
_PICTURES = 48


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
    settings = DetectorSettings.from_mapping(network.settings(), where=name)
    inputs: list[np.ndarray] = []
    if pictures:
        paths = spread(pictures, _PICTURES)
        inputs = [_input(path, settings) for path in paths]
        record["eight_bit"] = {"images": paths[0].parent.name, "pictures": len(paths)}
    return pack_trained(
        network,
        inputs,
        output=OUTPUT,
        name=name,
        task=TASK,
        settings=asdict(settings),
        record=record,
        accuracy=accuracy,
    )


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
