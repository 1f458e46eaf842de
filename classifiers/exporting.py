"""From a checkpoint of a classifier to its packed model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from binvision.classifiers.model import load_checkpoint
from binvision.classifiers.pictures import read_pictures
from binvision.classifiers.settings import TASK
from binvision.export.trained import pack_trained, spread
from binvision.runtime import PackedModel

__all__ = ["pack_checkpoint"]

OUTPUT = "logits"

# Pictures that ranges are measured on; more find no greater values that matter.
_PICTURES = 512


def pack_checkpoint(
    checkpoint: Path, *, name: str, accuracy: dict[str, Any], data: Path | None = None
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack a classifier.

    Args:
        checkpoint: A .pth file of ``binvision train``.
        name: Name of the model.
        accuracy: What was measured with these weights.
        data: Archive of labelled pictures. With one, the real convolutions after the first are
            rounded to 8 bits, their ranges measured on pictures of its training split.

    Returns:
        The packed model, the network that it computes, and some pictures as the network sees them,
        (1, S, S, 3) uint8, to compare the two on.

    Raises:
        ModelFileError: The file is not a checkpoint of a classifier.
        ExportError: A layer has no packed form.
        DataError: The archive is missing or damaged.
    """
    network, record = load_checkpoint(checkpoint)
    record = {"checkpoint": checkpoint.name, **record}
    inputs: list[np.ndarray] = []
    if data is not None:
        images = read_pictures(data, "train").images
        inputs = [images[index][None] for index in spread(range(len(images)), _PICTURES)]
        record["eight_bit"] = {"data": data.name, "pictures": len(inputs)}
    return pack_trained(
        network,
        inputs,
        output=OUTPUT,
        name=name,
        task=TASK,
        settings=network.settings(),
        record=record,
        accuracy=accuracy,
    )
