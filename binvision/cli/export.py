"""``binvision export``: from a checkpoint of ``binvision train`` to a packed model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from binvision.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from binvision.runtime import PackedModel

__all__ = ["export"]


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth file of `binvision train`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The packed file to write.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model [default: that of the file].")
    ] = None,
    accuracy: Annotated[
        Path | None,
        typer.Option(help="JSON object of what was measured with these weights, to store."),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            help="Tracker: photograph archive (.npz), as for `binvision train`; repeatable. The "
            "real convolutions after the first are then rounded to 8 bits, their ranges measured "
            "on views of these pictures: a quarter of their bytes and time."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Detector: folder of pictures for the same; some of those it was trained on."
        ),
    ] = None,
) -> None:
    """Write a trained network as a packed model, 1-bit where the network is.

    Example: binvision export work_dirs/rb_siamfc/last.pth -o my.safetensors
    """
    from binvision import runtime
    from binvision.cli.tables import cost_table, print_table
    from binvision.export.verify import verify
    from binvision.runtime.account import working_size_hw

    measured = _read_accuracy(accuracy) if accuracy else {}
    packed, network, examples = _pack(checkpoint, name or out.stem, measured, photos or [], images)
    size_hw = working_size_hw(packed)
    difference = verify(network, packed, size_hw, examples) if size_hw else 0.0
    saved = runtime.save(out, packed)
    print_table(cost_table(saved, size_hw))
    typer.echo(f"results differ from PyTorch's by {difference:.1e} of their size", err=True)
    typer.echo(f"{out}: {saved.file_bytes:,} bytes")


def _pack(
    checkpoint: Path,
    name: str,
    accuracy: dict[str, Any],
    photos: list[Path],
    images: Path | None,
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack what the checkpoint holds, whichever task it is for, and pictures to verify it on."""
    from binvision.detectors import exporting as detectors
    from binvision.detectors.settings import TASK as DETECTION
    from binvision.trackers import exporting as trackers
    from binvision.training.checkpoint import task_of

    if task_of(checkpoint) == DETECTION:
        if photos:
            raise UsageError("--photos is for trackers; give a detector --images FOLDER")
        pictures = detectors.pictures_in(images) if images else []
        return detectors.pack_checkpoint(
            checkpoint, name=name, accuracy=accuracy, pictures=pictures
        )
    if images:
        raise UsageError("--images is for detectors; give a tracker --photos ARCHIVE")
    packed, network = trackers.pack_checkpoint(
        checkpoint, name=name, accuracy=accuracy, photos=photos
    )
    return packed, network, []


def _read_accuracy(path: Path) -> dict[str, Any]:
    from binvision.errors import ModelFileError
    from binvision.runtime.container import parse_json

    try:
        return parse_json(path.read_bytes(), "accuracy")
    except OSError as error:
        raise UsageError(f"--accuracy {path}: {error.strerror}; expected a JSON file") from error
    except ModelFileError as error:
        raise UsageError(f"--accuracy {path}: {error}") from error
