"""``binvision export``: from a checkpoint of ``binvision train`` to a packed model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from binvision.cli.options import Accuracy, ModelName, PackedOut
from binvision.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from binvision.runtime import PackedModel

__all__ = ["Pictures", "export", "pack", "read_accuracy"]


@dataclass(frozen=True)
class Pictures:
    """What ranges are measured on, by the option that names it."""

    photos: tuple[Path, ...]
    images: Path | None
    faces: tuple[Path, ...]
    data: Path | None

    def check(self, kind: str, *wanted: str) -> None:
        """Refuse options that are for networks of another task.

        Raises:
            UsageError: One was given; the message says which fit.
        """
        for name, given in asdict(self).items():
            if given and name not in wanted:
                fitting = ", ".join(f"--{each}" for each in wanted)
                raise UsageError(f"--{name} is not for {kind}; give it {fitting}")


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A .pth file of `binvision train`.")],
    out: PackedOut,
    name: ModelName = None,
    accuracy: Accuracy = None,
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
            help="Detector: folder of pictures for the same; some of those it was trained on. "
            "Pose: the pictures of --data."
        ),
    ] = None,
    faces: Annotated[
        list[Path] | None,
        typer.Option(
            help="Face alignment: archive (.npz) or folder of .pts for the same. Repeatable."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="For the same: pose, COCO keypoint annotations; classification, the archive."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Tracker: a setting of its loop that the file is to carry, such as a threshold. "
            "Repeatable.",
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

    measured = read_accuracy(accuracy) if accuracy else {}
    pictures = Pictures(tuple(photos or ()), images, tuple(faces or ()), data)
    packed, network, examples = pack(checkpoint, name or out.stem, measured, pictures)
    if set_:
        packed = _with_settings(packed, set_)
    size_hw = working_size_hw(packed)
    difference = verify(network, packed, size_hw, examples) if size_hw else 0.0
    saved = runtime.save(out, packed)
    print_table(cost_table(saved, size_hw))
    typer.echo(f"results differ from PyTorch's by {difference:.1e} of their size", err=True)
    typer.echo(f"{out}: {saved.file_bytes:,} bytes")


def pack(
    checkpoint: Path, name: str, accuracy: dict[str, Any], pictures: Pictures
) -> tuple[PackedModel, nn.Module, list[np.ndarray]]:
    """Pack what the checkpoint holds, whichever task it is for.

    Returns:
        The packed model, the network that it computes, and pictures to compare the two on.

    Raises:
        BinvisionError: The checkpoint or the pictures cannot be used.
    """
    from binvision.classifiers import exporting as classifiers
    from binvision.classifiers.settings import TASK as CLASSIFICATION
    from binvision.detectors import exporting as detectors
    from binvision.detectors.settings import TASK as DETECTION
    from binvision.landmarks import exporting as landmarks
    from binvision.landmarks.annotations import read_point_set
    from binvision.landmarks.settings import TASK as LANDMARKS
    from binvision.trackers import box_exporting
    from binvision.trackers import exporting as trackers
    from binvision.trackers.box_settings import TASK as BOXES
    from binvision.training.checkpoint import task_of

    task = task_of(checkpoint)
    if task == LANDMARKS:
        pictures.check("a landmark network", "faces", "data", "images")
        sets = [read_point_set(path) for path in pictures.faces]
        if pictures.data:
            sets.append(read_point_set(pictures.data, pictures.images))
        return landmarks.pack_checkpoint(checkpoint, name=name, accuracy=accuracy, sets=sets)
    if task == DETECTION:
        pictures.check("a detector", "images")
        paths = detectors.pictures_in(pictures.images) if pictures.images else []
        return detectors.pack_checkpoint(checkpoint, name=name, accuracy=accuracy, pictures=paths)
    if task == CLASSIFICATION:
        pictures.check("a classifier", "data")
        return classifiers.pack_checkpoint(
            checkpoint, name=name, accuracy=accuracy, data=pictures.data
        )
    pictures.check("a tracker", "photos")
    pack_tracker = box_exporting.pack_box_checkpoint if task == BOXES else trackers.pack_checkpoint
    packed, network = pack_tracker(checkpoint, name=name, accuracy=accuracy, photos=pictures.photos)
    return packed, network, []


def _with_settings(packed: PackedModel, assignments: list[str]) -> PackedModel:
    from binvision.trackers.box_settings import TASK, BoxSettings
    from binvision.trackers.embedder import TASK as EMBEDDER
    from binvision.trackers.evaluation.entrants import parse_settings, replace_settings
    from binvision.trackers.settings import SiamFCSettings

    if packed.task not in (TASK, EMBEDDER):
        raise UsageError(f"--set is for trackers, and {packed.name} is for {packed.task}")
    kind: type[SiamFCSettings | BoxSettings] = (
        BoxSettings if packed.task == TASK else SiamFCSettings
    )
    settings = kind.from_mapping(packed.settings, packed.name)
    changed = replace_settings(settings, parse_settings(assignments))
    return replace(packed, settings=asdict(changed))


def read_accuracy(path: Path) -> dict[str, Any]:
    """Read the file of ``--accuracy``.

    Raises:
        UsageError: It cannot be read, or is no JSON object.
    """
    from binvision.errors import ModelFileError
    from binvision.runtime.container import parse_json

    try:
        return parse_json(path.read_bytes(), "accuracy")
    except OSError as error:
        raise UsageError(f"--accuracy {path}: {error.strerror}; expected a JSON file") from error
    except ModelFileError as error:
        raise UsageError(f"--accuracy {path}: {error}") from error
