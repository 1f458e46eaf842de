"""``binvision refine``: teach a packed landmark model how its points go together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.options import Accuracy, ModelName, PackedOut
from binvision.errors import ModelTaskError, UsageError

if TYPE_CHECKING:
    from binvision.landmarks.annotations import PointSet
    from binvision.landmarks.shape_learning import LearnedShape
    from binvision.runtime import PackedModel

__all__ = ["refine"]


def refine(
    model: Annotated[str, typer.Argument(help="Model of the zoo or packed file, of points.")],
    out: PackedOut,
    faces: Annotated[
        list[Path] | None,
        typer.Option(help="Archive of faces (.npz) or folder of .pts. Repeatable."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="COCO keypoint annotations, for pose or faces.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures of --data.")] = None,
    name: ModelName = None,
    accuracy: Accuracy = None,
    crops: Annotated[int, typer.Option(min=1, max=100, help="Crops of each picture.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Of their places.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Correct the points of a face or person by each other, as annotated pictures teach it.

    Give it the pictures that the network was trained on, never those that it is measured on. It
    costs some microseconds a face and no training: a linear map from where all points were found to
    where they should have been.

    Example: binvision refine my.safetensors -o refined.safetensors --faces helen/trainset
    """
    from binvision import runtime
    from binvision.cli.export import read_accuracy
    from binvision.landmarks.settings import TASK
    from binvision.zoo import find

    packed = runtime.load(find(model))
    if packed.task != TASK:
        raise ModelTaskError(f"model {model} is for {packed.task}; only points can be refined")
    measured = read_accuracy(accuracy) if accuracy else {}
    sets = _read_sets(tuple(faces or ()), data, images)
    learned = _learn(packed, sets, crops, seed, threads)
    record = {
        "sets": [each.name for each in sets],
        "pictures": learned.pictures,
        "crops": learned.crops,
        "seed": seed,
        "penalty": learned.penalty,
        "error_before": round(learned.before, 5),
        "error_after": round(learned.after, 5),
    }
    refined = replace(
        packed.with_tables(learned.correction.tables()),
        name=name or out.stem,
        accuracy=measured,
        provenance={**packed.provenance, "refined": record},
    )
    saved = runtime.save(out, refined)
    typer.echo(
        f"mean error of pictures left out: {100 * learned.before:.2f} -> "
        f"{100 * learned.after:.2f} % of the shape's size "
        f"({learned.pictures:,} pictures, {learned.crops:,} crops)"
    )
    typer.echo(f"{out}: {saved.file_bytes:,} bytes")


def _read_sets(faces: tuple[Path, ...], data: Path | None, images: Path | None) -> list[PointSet]:
    from binvision.landmarks.annotations import read_point_set

    if not faces and data is None:
        raise UsageError("nothing to learn from: give --faces, or --data with its pictures")
    sets = [read_point_set(path) for path in faces]
    if data is not None:
        sets.append(read_point_set(data, images))
    return sets


def _learn(
    packed: PackedModel, sets: list[PointSet], crops: int, seed: int, threads: int
) -> LearnedShape:
    from binvision.cli.terminal import FrameProgress
    from binvision.landmarks.estimator import PointEstimator
    from binvision.landmarks.network import PackedNetwork
    from binvision.landmarks.shape_learning import learn_shape

    estimator = PointEstimator(PackedNetwork(packed.with_tables({}), threads=threads))
    total = sum(len(each.pictures) for each in sets)
    with FrameProgress("looking at pictures", total, "pictures") as progress:
        return learn_shape(estimator, sets, crops=crops, seed=seed, progress=progress.advance)
