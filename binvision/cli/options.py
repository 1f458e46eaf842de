"""Arguments and options that several commands have, with the words that explain them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from binvision.errors import UsageError

__all__ = ["Host", "Json", "Out", "Serve", "Show", "Source", "Threads", "address_of"]

_HOST = "127.0.0.1"

Source = Annotated[
    str,
    typer.Argument(
        help="Picture, folder or quoted glob of pictures, video file, index of a camera, or "
        "address of a stream (rtsp://, http://)."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Annotated copy: a folder for pictures, a file for one picture or a video "
        "(.mp4, .mkv, .avi)."
    ),
]
Show = Annotated[
    bool,
    typer.Option(
        "--show", help="Show the run in a window; q ends it, any key goes to the next picture."
    ),
]
Serve = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        min=0,
        max=65535,
        help="Show a video or camera in browsers; 0 takes a free port.",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        help=f"Address at which --serve listens [default: {_HOST}, seen by this machine "
        "alone; 0.0.0.0 is seen by the network]."
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of network and scaling.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def address_of(serve: int | None, host: str | None) -> tuple[str, int] | None:
    """Host and port that ``--serve`` and ``--host`` name; None where nothing is served.

    Raises:
        UsageError: There is a host, but no port.
    """
    if host is not None and serve is None:
        raise UsageError("--host is of --serve: give --serve PORT too, or leave it out")
    return None if serve is None else (host or _HOST, serve)
