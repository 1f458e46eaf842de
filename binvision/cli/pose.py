"""``binvision pose``: the joints of people in pictures, a video, a camera or a stream."""

from __future__ import annotations

from functools import partial
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
    from binvision.media.landmark_results import FoundPoints
    from binvision.media.record_files import OpenSink

__all__ = ["pose"]


def pose(
    model: Annotated[
        str, typer.Option(help="Packed file of a network of joints; 'binvision train' makes one.")
    ],
    source: SourceOrCamera = None,
    camera: Camera = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="A person in each picture, or in the first frame of a video and followed from "
            "there: left, top, width, height in pixels. Repeatable.",
        ),
    ] = None,
    boxes: BoxesFile = None,
    detector: Annotated[
        str | None,
        typer.Option(help="What finds people: a packed file of a detector of your own."),
    ] = None,
    score: Score = None,
    detect_every: DetectEvery = None,
    no_smooth: NoSmooth = False,
    out: Out = None,
    results: PointResults = None,
    show: Show = False,
    serve: Serve = None,
    host: Host = None,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Find the joints of people in pictures, a video, a camera or a stream.

    Name people with --boxes, --box or --detector; with none of them, the whole picture or first
    frame is taken for one person. In a video each person is followed from the last joints, and
    these are smoothed. Joints count the pixels of the upright picture, from 0.

    Example: binvision pose jump.jpg --model pose14.safetensors --out joints.jpg

    Example: binvision pose clip.mp4 --model pose14.safetensors --box 120,40,90,220 --out joints.mp4
    """
    import cv2

    from binvision.cli.aligning import GivenBoxes, PointLooker
    from binvision.cli.looking import look_through, report
    from binvision.cli.outputs import Outputs
    from binvision.landmarks.pose_estimator import PoseEstimator
    from binvision.media.boxes import parse_box
    from binvision.media.landmark_results import PointColumns, open_point_results

    where = source_of(source, camera)
    if (boxes is not None) + bool(box) + (detector is not None) > 1:
        raise UsageError("where are the people? give one of --box, --boxes and --detector")
    if detector is None and (score is not None or detect_every is not None):
        raise UsageError("--score and --detect-every are of --detector: give it too")
    address = address_of(serve, host)
    given = None if boxes is None else GivenBoxes(boxes)
    cv2.setNumThreads(threads)
    estimator = PoseEstimator(
        model,
        detector=detector,
        threads=threads,
        smooth=not no_smooth,
        detect_every=detect_every or DETECT_EVERY,
        score_threshold=score,
    )
    sinks: list[OpenSink[FoundPoints]] = []
    if results is not None:
        columns = PointColumns("person", estimator.scheme.points, confidences=True)
        sinks.append(partial(open_point_results, results, columns))
    start = [parse_box(text) for text in box or ()]
    looker = PointLooker(estimator, "estimator", given, start)
    summary = look_through(where, looker, Outputs(out, show, address, sinks))
    if given and not summary.interrupted:
        given.note_unseen()
    report(summary, json)
