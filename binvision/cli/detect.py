"""``binvision detect``: find objects in pictures, a video, a camera or a stream."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.terminal import note
from binvision.errors import SourceError, UsageError

if TYPE_CHECKING:
    from binvision.cli.detecting import DetectionSummary, Outputs
    from binvision.cli.finder import Finder

__all__ = ["detect"]

_HOST = "127.0.0.1"
_OVERLAP = 0.2


def detect(
    source: Annotated[
        str,
        typer.Argument(
            help="Picture, folder or quoted glob of pictures, video file, index of a camera, or "
            "address of a stream (rtsp://, http://)."
        ),
    ],
    model: Annotated[str, typer.Option(help="Shipped model or packed file.")] = "bin-face",
    score: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Least score of an object [default: the model's]."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these classes, separated by commas."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Annotated copy: a folder for pictures, a file for one picture or a video "
            "(.mp4, .mkv, .avi)."
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="What was found: .csv, .json, or .coco.json for COCO's tools."),
    ] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--show", help="Show the run in a window; q ends it, any key goes to the next picture."
        ),
    ] = False,
    serve: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Show a video or camera in browsers; 0 takes a free port.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help=f"Address at which --serve listens [default: {_HOST}, seen by this machine "
            "alone; 0.0.0.0 is seen by the network]."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Longest side to which pictures are scaled [default: the model's]."
        ),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(min=1, help="Do not scale, but look at tiles of this side, in pixels."),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=0.9,
            help="Part that neighbouring tiles share; it should be larger than any object "
            f"[default: {_OVERLAP}].",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of network and scaling.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Find objects in pictures, a video, a camera or a stream.

    Pictures may differ in size; they are turned upright as their camera noted, and boxes count the
    pixels of the upright picture. One that cannot be read is named and left out, and the exit code
    is 1 at the end. Of a single picture the objects are printed.

    Example: binvision detect photos/ --out annotated/ --results found.csv
    """
    from binvision.cli.detecting import Outputs
    from binvision.cli.finder import Finder

    if overlap is not None and tile is None:
        raise UsageError("--overlap is of tiles: give --tile SIDE too, or leave it out")
    if size is not None and tile is not None:
        raise UsageError("--size scales pictures and --tile does not: give one of them")
    if host is not None and serve is None:
        raise UsageError("--host is of --serve: give --serve PORT too, or leave it out")
    tiles = None if tile is None else (tile, _OVERLAP if overlap is None else overlap)
    address = None if serve is None else (host or _HOST, serve)
    outputs = Outputs(out, results, show, address)
    names = [name.strip() for name in classes.split(",")] if classes is not None else []
    finder = Finder(model, score=score, classes=names, size=size, tiles=tiles, threads=threads)
    _report(_run(source, finder, outputs), json)


def _run(source: str, finder: Finder, outputs: Outputs) -> DetectionSummary:
    """Open the source and detect to its end; the files are named on stderr.

    Raises:
        BinvisionError: The source, the model or an output is wrong.
    """
    from binvision.cli.detecting import DetectionSummary, picture_shots, run_detector, video_shots
    from binvision.media.pictures import find_pictures
    from binvision.media.sources import open_source
    from binvision.media.window import check_display

    if outputs.show:
        check_display("--show")
    pictures = find_pictures(source)
    outputs.check(pictures)
    summary = DetectionSummary(source, finder.model, "frames" if pictures is None else "pictures")
    try:
        if pictures is None:
            with open_source(source) as video:
                summary.source = video.name
                shots = video_shots(video)
                run_detector(shots, finder, summary, outputs, video.count, video.fps)
        else:
            shots = picture_shots(pictures, summary)
            run_detector(shots, finder, summary, outputs, len(pictures), None)
    finally:
        for path in summary.written:
            note(f"wrote {path}")
    return summary


def _report(summary: DetectionSummary, as_json: bool) -> None:
    """Print the summary.

    Raises:
        KeyboardInterrupt: Ctrl-C had ended the run: the process ends as interrupted ones do.
        SourceError: Pictures could not be read.
    """
    if as_json:
        typer.echo(json_module.dumps(summary.as_dict()))
    else:
        if summary.unit == "pictures" and summary.pictures == 1:
            for found in summary.last:
                box = ",".join(f"{value:.1f}" for value in found.box_xywh)
                typer.echo(f"{found.name} {found.score:.2f} {box}")
        typer.echo(summary.line())
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.unreadable:
        looked_at = summary.pictures + len(summary.unreadable)
        raise SourceError(
            f"{len(summary.unreadable)} of {looked_at} pictures could not be read; "
            f"the first: {summary.unreadable[0]}"
        )
