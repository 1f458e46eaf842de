"""``binvision track``: follow targets through a video, images, a camera or a stream."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.terminal import note
from binvision.errors import BoxError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from binvision.cli.tracking import Outputs, RunSummary
    from binvision.media.boxes import BoxXYWH

__all__ = ["report", "track", "track_source"]


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
    model: Annotated[str, typer.Option(help="Shipped model or packed file.")] = "rb-siamfc",
    out: Annotated[
        Path | None, typer.Option(help="Annotated video to write: .mp4, .mkv or .avi.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Boxes to write: .csv, .json, or .txt with one x,y,w,h a line."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the run in a window; q ends it.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of network and crops.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Follow targets from the first frame to the last.

    Each frame gets a box, a score in 0..1 and a mark when the target is lost: then its last box is
    kept, drawn dashed, and the search widens until it is found again.

    Example: binvision track clip.mp4 --init 120,80,64,48 --out out.mp4 --results boxes.csv
    """
    from binvision.cli.tracking import Outputs

    outputs = Outputs(out, results, show)
    boxes = _wanted_boxes(init, init_file, select)
    report(track_source(source, boxes, model, threads, outputs), json)


def track_source(
    source: str,
    boxes: Sequence[BoxXYWH] | None,
    model: str,
    threads: int,
    outputs: Outputs,
) -> RunSummary:
    """Open a source and track targets through it.

    Args:
        source: What ``open_source`` takes.
        boxes: Targets in the first frame; None lets the user draw them.
        model: Shipped model or packed file.
        threads: Threads of the network and of OpenCV, for the whole process.
        outputs: What to write and show.

    Returns:
        What was done; also after Ctrl-C.

    Raises:
        BinvisionError: The source, a box, the model or an output is wrong.
    """
    import cv2

    from binvision.cli.tracking import RunSummary, run_trackers
    from binvision.media.sources import open_source
    from binvision.media.window import check_display
    from binvision.trackers.embedder import PackedEmbedder
    from binvision.trackers.siamfc import Tracker

    cv2.setNumThreads(threads)
    if outputs.show:
        check_display("--show")
    with open_source(source) as opened:
        frames = iter(opened)
        first = next(frames)
        boxes = _select(first) if boxes is None else boxes
        embedder = PackedEmbedder(model, threads=threads)
        trackers = [Tracker(embedder) for _ in boxes]
        embedder.prepare()
        for tracker, box in zip(trackers, boxes, strict=True):
            tracker.init(first, box)
        summary = RunSummary(opened.name, embedder.name, [[box] for box in boxes])
        try:
            run_trackers(opened, frames, first, trackers, summary, outputs)
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


def _wanted_boxes(
    init: list[str] | None, init_file: Path | None, select: bool
) -> list[BoxXYWH] | None:
    """Boxes that the options name; None means that they are to be drawn."""
    from binvision.media.boxes import parse_box, read_boxes

    if sum((bool(init), init_file is not None, select)) != 1:
        raise UsageError(
            "where is the target? give exactly one of --init X,Y,W,H (repeatable), "
            "--init-file groundtruth.txt, and --select"
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
