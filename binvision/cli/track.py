"""``binvision track``: follow targets through a video, images, a camera or a stream."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.terminal import note
from binvision.errors import BoxError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from binvision.cli.following import Detecting
    from binvision.cli.tracking import Following, Outputs, RunSummary
    from binvision.media.boxes import BoxXYWH

__all__ = ["Targets", "report", "track", "track_source"]

_DETECTOR, _DETECT_EVERY = "bin-face", 10


class Targets(str, Enum):
    """Which of the objects that a detector finds are followed."""

    ALL = "all"
    BEST = "best"


def track(
    source: Annotated[
        str,
        typer.Argument(
            help="Video file, folder or quoted glob of images, index of a camera, or address "
            "of a stream (rtsp://, http://)."
        ),
    ],
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Target in the first frame: left, top, width, height in pixels. Repeatable.",
        ),
    ] = None,
    init_file: Annotated[
        Path | None,
        typer.Option(help="Ground truth file of a benchmark; its first line is the target."),
    ] = None,
    select: Annotated[
        bool, typer.Option("--select", help="Draw the target in a window with the mouse.")
    ] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Let a detector find the targets, in any frame.")
    ] = False,
    detector: Annotated[
        str | None,
        typer.Option(help=f"Its model: a shipped one or a packed file [default: {_DETECTOR}]."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these of its classes, separated by commas."),
    ] = None,
    targets: Annotated[
        Targets | None,
        typer.Option(
            help="Follow all that it finds, or the best one and, when that is gone for good, "
            "another [default: all]."
        ),
    ] = None,
    detect_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames between two detections; in every frame while a target is lost, or none "
            f"is there [default: {_DETECT_EVERY}].",
        ),
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Least score of a detection, in 0..1 [default: the model's]."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Longest side to which frames are scaled for the detector [default: the "
            "model's]; larger finds smaller objects.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Model of the tracker: a shipped one or a packed file.")
    ] = "bin-track",
    out: Annotated[
        Path | None, typer.Option(help="Annotated video to write: .mp4, .mkv or .avi.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Boxes to write: .csv, .json, .mot.txt as MOTChallenge reads it, or .txt with "
            "one x,y,w,h a line (not with --detect)."
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the run in a window; q ends it.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of networks and crops.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Follow targets through a video, from the first frame or from where a detector finds them.

    Each frame gets a box, a score in 0..1 and a mark when the target is lost: then its last box is
    kept, drawn dashed, and the search widens until it is found again. With --detect every target
    has a number of its own, and what is lost is found again by what it looks like.

    Example: binvision track clip.mp4 --init 120,80,64,48 --out out.mp4 --results boxes.csv

    Example: binvision track clip.mp4 --detect --detector bin-drone --results boxes.mot.txt
    """
    from binvision.cli.tracking import Outputs

    outputs = Outputs(out, results, show)
    detecting = _wanted_detector(detect, detector, classes, targets, detect_every, score, size)
    wanted = detecting or _wanted_boxes(init, init_file, select)
    if detecting and (init or init_file or select):
        raise UsageError(
            "--detect finds the targets itself: leave out --init, --init-file, --select"
        )
    report(track_source(source, wanted, model, threads, outputs), json)


def track_source(
    source: str,
    wanted: Sequence[BoxXYWH] | Detecting | None,
    model: str,
    threads: int,
    outputs: Outputs,
) -> RunSummary:
    """Open a source and track targets through it.

    Args:
        source: What ``open_source`` takes.
        wanted: Targets in the first frame, or how they are detected; None lets the user draw them.
        model: Shipped model of the tracker or packed file.
        threads: Threads of the networks and of OpenCV, for the whole process.
        outputs: What to write and show.

    Returns:
        What was done; also after Ctrl-C.

    Raises:
        BinvisionError: The source, a box, a model or an output is wrong.
    """
    import cv2

    from binvision.cli.following import DetectedTargets, Detecting, GivenTargets
    from binvision.cli.tracking import RunSummary, run
    from binvision.media.sources import open_source
    from binvision.media.window import check_display
    from binvision.trackers.networks import open_network

    cv2.setNumThreads(threads)
    if outputs.show:
        check_display("--show")
    with open_source(source) as opened:
        frames = iter(opened)
        first = next(frames)
        wanted = _select(first) if wanted is None else wanted
        network = open_network(model, threads=threads)
        summary = RunSummary(opened.name, network.name)
        following: Following
        if isinstance(wanted, Detecting):
            following = DetectedTargets(wanted, network, threads)
            summary.detector = following.detector
        else:
            following = GivenTargets(network, wanted)
        network.prepare()
        try:
            run(opened, frames, first, following, summary, outputs)
        finally:
            for path in summary.written:
                note(f"wrote {path} ({summary.frames} frames)")
    return summary


def report(summary: RunSummary, as_json: bool, scores: Mapping[str, float] | None = None) -> None:
    """Print the summary, and ``scores`` that the caller computed from it.

    Raises:
        KeyboardInterrupt: Ctrl-C had ended the run: the process ends as interrupted ones do.
    """
    scores = scores or {}
    if as_json:
        typer.echo(json_module.dumps({**summary.as_dict(), **scores}))
    else:
        typer.echo(summary.line())
        for name, value in scores.items():
            typer.echo(f"{name.replace('_', ' ')} {value:.3f}")
    if summary.interrupted:
        raise KeyboardInterrupt


def _wanted_detector(
    detect: bool,
    detector: str | None,
    classes: str | None,
    targets: Targets | None,
    every: int | None,
    score: float | None,
    size: int | None,
) -> Detecting | None:
    """How targets are detected, if they are."""
    from binvision.cli.following import Detecting

    given = {
        "--detector": detector,
        "--classes": classes,
        "--targets": targets,
        "--detect-every": every,
        "--score": score,
        "--size": size,
    }
    idle = [name for name, value in given.items() if value is not None]
    if not detect and idle:
        raise UsageError(f"{', '.join(idle)}: means something with --detect only; add it")
    if not detect:
        return None
    return Detecting(
        detector=detector or _DETECTOR,
        classes=tuple(name.strip() for name in classes.split(",")) if classes is not None else (),
        targets=(targets or Targets.ALL).value,
        every=every or _DETECT_EVERY,
        score=score,
        size=size,
    )


def _wanted_boxes(
    init: list[str] | None, init_file: Path | None, select: bool
) -> list[BoxXYWH] | None:
    """Boxes that the options name; None means that they are to be drawn."""
    from binvision.media.boxes import parse_box, read_boxes

    if sum((bool(init), init_file is not None, select)) != 1:
        raise UsageError(
            "where is the target? give exactly one of --init X,Y,W,H (repeatable), "
            "--init-file groundtruth.txt, --select and --detect"
        )
    if init:
        return [parse_box(text) for text in init]
    if init_file is None:
        return None
    x, y, w, h = read_boxes(init_file)[0].tolist()
    if not w > 0 or not h > 0:
        raise BoxError(f"{init_file}, line 1: has no area ({x:g},{y:g},{w:g},{h:g})")
    return [(x, y, w, h)]


def _select(first: NDArray[np.uint8]) -> list[BoxXYWH]:
    from binvision.media.window import check_display, select_boxes

    check_display("--select")
    return select_boxes(first)
