"""``binvision detect``: find objects in pictures, a video, a camera or a stream."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from binvision.cli.options import Host, Json, Out, Serve, Show, Source, Threads, address_of
from binvision.errors import UsageError

__all__ = ["detect"]

_OVERLAP = 0.2


def detect(
    source: Source,
    model: Annotated[str, typer.Option(help="Shipped model or packed file.")] = "bin-face",
    score: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Least score of an object [default: the model's]."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these classes, separated by commas."),
    ] = None,
    out: Out = None,
    results: Annotated[
        Path | None,
        typer.Option(help="What was found: .csv, .json, or .coco.json for COCO's tools."),
    ] = None,
    show: Show = False,
    serve: Serve = None,
    host: Host = None,
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
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Find objects in pictures, a video, a camera or a stream.

    Pictures may differ in size; they are turned upright as their camera noted, and boxes count the
    pixels of the upright picture. One that cannot be read is named and left out, and the exit code
    is 1 at the end. Of a single picture the objects are printed.

    Example: binvision detect photos/ --out annotated/ --results found.csv
    """
    from binvision.cli.detecting import DetectorLooker
    from binvision.cli.finder import Finder
    from binvision.cli.looking import look_through, report
    from binvision.cli.outputs import Outputs
    from binvision.media.detection_results import FoundObject, open_detection_results

    if overlap is not None and tile is None:
        raise UsageError("--overlap is of tiles: give --tile SIDE too, or leave it out")
    if size is not None and tile is not None:
        raise UsageError("--size scales pictures and --tile does not: give one of them")
    address = address_of(serve, host)
    tiles = None if tile is None else (tile, _OVERLAP if overlap is None else overlap)
    opened = [] if results is None else [partial(open_detection_results, results)]
    outputs = Outputs[FoundObject](out, show, address, opened)
    names = [name.strip() for name in classes.split(",")] if classes is not None else []
    finder = Finder(model, score=score, classes=names, size=size, tiles=tiles, threads=threads)
    report(look_through(source, DetectorLooker(finder), outputs), json)
