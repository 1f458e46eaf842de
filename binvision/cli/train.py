"""``binvision train``: train a network from a configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from binvision.cli.export import Pictures
from binvision.errors import UsageError

__all__ = ["key_values", "train"]


def train(
    config: Annotated[
        str, typer.Argument(help="A configuration file, or the name of a shipped one.")
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="Binarisation method in place of the configuration's own, with what belongs to it."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Detection: COCO JSON, or folder of Pascal VOC XML or YOLO txt. Pose: COCO "
            "keypoint JSON. Classification: archive of labelled pictures (.npz)."
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures of --data.")] = None,
    val_data: Annotated[
        Path | None,
        typer.Option(help="Detection: another set, whose AP is measured during the training."),
    ] = None,
    val_images: Annotated[
        Path | None, typer.Option(help="Detection: folder of the pictures of --val-data.")
    ] = None,
    faces: Annotated[
        list[Path] | None,
        typer.Option(help="Faces with 68 points: archive (.npz) or folder of .pts. Repeatable."),
    ] = None,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            help="Archive of photographs (.npz): targets of trackers, backgrounds of the others. "
            "Trackers take detection sets too. Repeatable."
        ),
    ] = None,
    sequences: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of sequences in the GOT-10k layout, or COCO file of videos. Repeatable."
        ),
    ] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(help="Checkpoints and logs [default: work_dirs/NAME, or NAME_METHOD]."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Checkpoint of the float twin that guides the training.")
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint whose weights a new schedule starts from."),
    ] = None,
    genotype: Annotated[
        Path | None,
        typer.Option(help="Architecture that 'binvision search' has found (.json)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and data.")] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Length of the schedule in steps.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of a process [default: all].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Detectors and landmarks: packed file to write at the end, its real convolutions "
            "rounded to 8 bits on pictures of the training."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set any configuration key. Repeatable."),
    ] = None,
) -> None:
    """Train a network from a configuration.

    Example: binvision train tracking/siamfc_xnor --photos photos.npz

    On several processes: torchrun --nproc_per_node 2 -m binvision train ...
    """
    from binvision.training.run import TrainingRequest, find_config
    from binvision.training.run import train as run_training

    if export is not None:
        _check_export(export, config, data, tuple(faces or ()))

    name = find_config(config).stem + (f"_{method}" if method else "")
    last = run_training(
        TrainingRequest(
            config=config,
            work_dir=work_dir or Path("work_dirs") / name,
            method=method,
            data=data,
            images=images,
            val_data=val_data,
            val_images=val_images,
            faces=tuple(faces or ()),
            photos=tuple(photos or ()),
            sequences=tuple(sequences or ()),
            teacher=teacher,
            start_from=start_from,
            genotype=genotype,
            seed=seed,
            iterations=iterations,
            threads=threads,
            resume=resume,
            overrides=key_values(overrides or []),
        )
    )
    typer.echo(str(last))
    if export is not None and int(os.environ.get("RANK", 0)) == 0:
        _export(last, export, Pictures((), images, tuple(faces or ()), data))


def _check_export(target: Path, config: str, data: Path | None, faces: tuple[Path, ...]) -> None:
    """Find out what cannot be written before the training, not after it."""
    if data is None and (not faces or "tracking" in config):
        raise UsageError(
            "--export is for detectors and landmarks, with --data or --faces; 'binvision export' "
            "packs trackers"
        )
    if not target.parent.is_dir():
        raise UsageError(f"--export {target}: there is no folder {target.parent}; make it first")


def _export(checkpoint: Path, target: Path, pictures: Pictures) -> None:
    from binvision import runtime
    from binvision.cli.export import pack
    from binvision.detectors.annotations import read_detection_set
    from binvision.detectors.exporting import pack_checkpoint
    from binvision.detectors.settings import TASK as DETECTION
    from binvision.export.verify import verify
    from binvision.runtime.account import working_size_hw
    from binvision.training.checkpoint import task_of

    if task_of(checkpoint) == DETECTION and pictures.data is not None:
        found = read_detection_set(pictures.data, pictures.images).pictures
        packed, network, examples = pack_checkpoint(
            checkpoint, name=target.stem, accuracy={}, pictures=[each.path for each in found]
        )
    else:
        packed, network, examples = pack(checkpoint, target.stem, {}, pictures)
    size_hw = working_size_hw(packed)
    assert size_hw is not None  # the settings of both have one
    verify(network, packed, size_hw, examples)
    saved = runtime.save(target, packed)
    typer.echo(f"{target}: {saved.file_bytes:,} bytes")


def key_values(texts: list[str]) -> dict[str, str]:
    """Take the pairs of ``--set`` apart.

    Raises:
        UsageError: One has no equals sign.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text!r}: expected KEY=VALUE, such as randomness.seed=3")
        pairs[key.strip()] = value.strip()
    return pairs
