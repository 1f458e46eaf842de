"""Arguments and options that several commands have, with the words that explain them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from binvision.errors import UsageError

__all__ = [
    "DETECT_EVERY",
    "Accuracy",
    "BoxesFile",
    "Camera",
    "DetectEvery",
    "Host",
    "Json",
    "ModelName",
    "NoSmooth",
    "Out",
    "PackedOut",
    "PointResults",
    "Score",
    "Serve",
    "Show",
    "Source",
    "SourceOrCamera",
    "Threads",
    "address_of",
    "source_of",
]

DETECT_EVERY = 30
_HOST = "127.0.0.1"
_SOURCE = (
    "Picture, folder or quoted glob of pictures, video file, index of a camera, or address of a "
    "stream (rtsp://, http://)."
)

PackedOut = Annotated[Path, typer.Option("--out", "-o", help="The packed file to write.")]
ModelName = Annotated[
    str | None, typer.Option(help="Name of the model [default: that of the file].")
]
Accuracy = Annotated[
    Path | None,
    typer.Option(help="JSON object of what was measured with these weights, to store."),
]
Source = Annotated[str, typer.Argument(help=_SOURCE)]
SourceOrCamera = Annotated[str | None, typer.Argument(help=_SOURCE)]
Camera = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="The camera with this index, as the source.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Annotated copy: a folder for pictures, a file for one picture or a video "
        "(.mp4, .mkv, .avi)."
    ),
]
PointResults = Annotated[
    Path | None, typer.Option(help="What was found: .csv (a line for each) or .json.")
]
BoxesFile = Annotated[
    Path | None,
    typer.Option(
        "--boxes",
        help="CSV with picture,x,y,w,h a line (of a video the frame's number), such as 'detect "
        "--results' writes: look there, and do not detect.",
    ),
]
Score = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="Least score of a detection [default: the detector's]."),
]
DetectEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Frames between two looks for new ones, while none that was followed is lost "
        f"[default: {DETECT_EVERY}].",
    ),
]
NoSmooth = Annotated[
    bool, typer.Option("--no-smooth", help="Leave the points of a video as each frame gives them.")
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


def source_of(source: str | None, camera: int | None) -> str:
    """The source that the argument or ``--camera`` names.

    Raises:
        UsageError: There is none, or both.
    """
    if (source is None) == (camera is None):
        raise UsageError(
            "what shall be looked at? give one SOURCE (a picture, a folder, a video, a stream) or "
            "--camera N, and not both"
        )
    return str(camera) if source is None else source


def address_of(serve: int | None, host: str | None) -> tuple[str, int] | None:
    """Host and port that ``--serve`` and ``--host`` name; None where nothing is served.

    Raises:
        UsageError: There is a host, but no port.
    """
    if host is not None and serve is None:
        raise UsageError("--host is of --serve: give --serve PORT too, or leave it out")
    return None if serve is None else (host or _HOST, serve)
