"""``binvision align``: 68 points on every face of pictures, a video, a camera or a stream."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from binvision.cli.options import (
    DETECT_EVERY,
    BoxesFile,
    Camera,
    DetectEvery,
    Host,
    Json,
    NoSmooth,
    Out,
    PointResults,
    Score,
    Serve,
    Show,
    SourceOrCamera,
    Threads,
    address_of,
    source_of,
)
from binvision.errors import UsageError

if TYPE_CHECKING:
    from binvision.landmarks.faces import Face
    from binvision.media.landmark_results import FoundPoints
    from binvision.media.record_files import OpenSink

__all__ = ["MODEL", "align"]

MODEL = "hpm-face68-fast"
_MEASURES = {
    "pose": ("yaw", "pitch", "roll"),
    "openness": ("left_eye_openness", "right_eye_openness", "mouth_openness"),
}
_CONFIDENCE = "confidence"


def align(
    source: SourceOrCamera = None,
    camera: Camera = None,
    model: Annotated[str, typer.Option(help="Shipped model or packed file.")] = MODEL,
    detector: Annotated[
        str | None,
        typer.Option(
            help="What finds the faces: a shipped model or a packed file [default: the one that "
            "the model names]."
        ),
    ] = None,
    score: Score = None,
    detect_every: DetectEvery = None,
    boxes: BoxesFile = None,
    mirror: Annotated[
        bool,
        typer.Option(
            "--mirror",
            help="Average with the points of the mirrored face: surer, twice the network's time.",
        ),
    ] = False,
    no_smooth: NoSmooth = False,
    out: Out = None,
    results: PointResults = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What --results has beside box, score and points, separated by commas: pose "
            "(yaw, pitch, roll of the head in degrees), openness (of eyes and mouth), confidence "
            "(of each point; JSON always has it).",
        ),
    ] = None,
    pts: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for copies of the pictures with .pts files beside them, as 300-W has "
            "them.",
        ),
    ] = None,
    show: Show = False,
    serve: Serve = None,
    host: Host = None,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Find 68 points on every face of pictures, a video, a camera or a stream.

    In a video each face is followed from its last points, keeps its number, and its points are
    smoothed; the detector looks when a face is lost, and now and then for new ones. Pictures are
    turned upright as their camera noted, and points count the pixels of the upright picture, from
    0. Of a single picture the faces are printed.

    Example: binvision align --camera 0 --show

    Example: binvision align photos/ --out annotated/ --results faces.csv --columns pose,openness
    """
    import cv2

    from binvision.cli.aligning import GivenBoxes, PointLooker
    from binvision.cli.looking import look_through, report
    from binvision.cli.outputs import Outputs
    from binvision.landmarks.aligner import FaceAligner
    from binvision.media.landmark_results import PointColumns, PointsFolder, open_point_results

    where = source_of(source, camera)
    about_detector = {"--detector": detector, "--score": score, "--detect-every": detect_every}
    idle = [name for name, value in about_detector.items() if value is not None]
    if boxes is not None and idle:
        raise UsageError(f"--boxes says where the faces are: leave out {', '.join(idle)}")
    address = address_of(serve, host)
    wanted = _wanted(columns)
    given = None if boxes is None else GivenBoxes(boxes)
    cv2.setNumThreads(threads)
    aligner = FaceAligner(
        model,
        detector=detector,
        threads=threads,
        mirror=mirror,
        smooth=not no_smooth,
        detect_every=detect_every or DETECT_EVERY,
        score_threshold=score,
    )
    measures = [name for group in wanted for name in _MEASURES.get(group, ())]
    of_each = PointColumns("face", aligner.scheme.points, measures, _CONFIDENCE in wanted)
    sinks: list[OpenSink[FoundPoints]] = []
    if results is not None:
        sinks.append(partial(open_point_results, results, of_each))
    if pts is not None:
        sinks.append(lambda about: PointsFolder(pts))
    outputs = Outputs(out, show, address, sinks, pts)
    measure = partial(_measured, groups=wanted)
    looker = PointLooker(aligner, "aligner", given, measure=measure)
    summary = look_through(where, looker, outputs)
    if given and not summary.interrupted:
        given.note_unseen()
    report(summary, json)


def _wanted(columns: str | None) -> list[str]:
    """Groups of columns that ``--columns`` names."""
    names = [] if columns is None else columns.lower().split(",")
    groups = list(dict.fromkeys(name.strip() for name in names))
    known = (*_MEASURES, _CONFIDENCE)
    for group in groups:
        if group not in known:
            raise UsageError(
                f"--columns: {group!r} is unknown; expected some of {', '.join(known)}"
            )
    return groups


def _measured(face: Face, groups: list[str]) -> dict[str, float]:
    """The figures that stand in the columns of these groups."""
    values: dict[str, tuple[float, ...]] = {}
    if "pose" in groups:
        values["pose"] = face.head_pose
    if "openness" in groups:
        values["openness"] = (*face.eye_openness, face.mouth_openness)
    return {
        name: float(value)
        for group in groups
        if group in values
        for name, value in zip(_MEASURES[group], values[group], strict=True)
    }
