"""From a checkpoint of a landmark network to its packed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from binvision.errors import DataError
from binvision.export.trained import pack_trained, spread
from binvision.landmarks.annotations import PointPicture, PointSet
from binvision.landmarks.crop import box_of, crop_matrix, crop_of_box, take_crop
from binvision.landmarks.model import load_checkpoint
from binvision.landmarks.settings import TASK, LandmarkSettings
from binvision.runtime import PackedModel

__all__ = ["pack_checkpoint"]

OUTPUT = "maps"

# Crops that ranges are measured on; more find no greater values that matter.
_CROPS = 96


def pack_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], sets: Sequence[PointSet] = ()
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack a landmark network.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        sets: Annotated pictures. Where there are some, the real convolutions after the first are
            rounded to 8 bits, their ranges measured on crops of these pictures.

    Returns:
        The packed model, the network that it computes, and some crops as the network sees them,
        (1, S, S, 3) uint8, to compare the two on.

    Raises:
        ModelFileError: The file is not a checkpoint of a landmark network.
        ExportError: A layer has no packed form.
        DataError: The sets have no points.
        SourceError: A picture is damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    settings = LandmarkSettings.from_mapping(network.settings(), where=name)
    inputs: list[np.ndarray] = []
    if sets:
        pictures = [each for group in sets for each in group.pictures if _box(each) is not None]
        if not pictures:
            raise DataError(f"{sets[0].name}: no picture with points to measure ranges on")
        inputs = [_input(picture, settings) for picture in spread(pictures, _CROPS)]
        record["eight_bit"] = {"sets": [each.name for each in sets], "crops": len(inputs)}
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


def _box(picture: PointPicture) -> tuple[float, float, float, float] | None:
    points = picture.points[np.isfinite(picture.points).all(1)]
    box = box_of(points) if len(points) else (0.0, 0.0, 0.0, 0.0)
    return box if max(box[2:]) > 0 else None


def _input(picture: PointPicture, settings: LandmarkSettings) -> np.ndarray:
    """What the network sees of a picture."""
    box = _box(picture)
    assert box is not None  # those without were left out
    centre, side = crop_of_box(box, settings.crop)
    matrix = crop_matrix(centre, side, settings.input_size)
    return take_crop(picture.read(), matrix, settings.input_size)[None]
