"""The run behind ``detect``: pictures or frames through a detector into files and viewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binvision.cli.finder import Finder
from binvision.cli.running import DEFAULT_FPS, Stop, rate, shown, stop_on_interrupt
from binvision.cli.terminal import FrameProgress, note
from binvision.detectors.detections import Detections
from binvision.errors import SourceError, UsageError
from binvision.kernels.isa import kernel_path
from binvision.media.detection_results import (
    DetectionsSink,
    FoundObject,
    PictureResult,
    open_detection_results,
)
from binvision.media.drawing import Mark, annotate
from binvision.media.images import read_image
from binvision.media.pictures import PictureFile, picture_place, write_picture
from binvision.media.sources import FrameSource
from binvision.media.stream_server import StreamServer
from binvision.media.video_sink import VIDEO_SUFFIXES, VideoSink
from binvision.media.window import PreviewWindow

__all__ = [
    "DetectionSummary",
    "Outputs",
    "Shot",
    "picture_shots",
    "run_detector",
    "video_shots",
]


_FEW = 12  # objects in a picture that all have their names beside them
_NAMED = 1 / 8  # width of the smallest that has among more, of the picture's shorter side


@dataclass(frozen=True)
class Shot:
    """A picture, or a frame of a video.

    Attributes:
        picture: Name of the picture, or number of the frame.
        identifier: What COCO's annotations would call it.
        image: (H, W, 3) uint8, BGR.
        file: Where it was read from; None for a frame.
    """

    picture: int | str
    identifier: int | str
    image: NDArray[np.uint8]
    file: PictureFile | None = None


@dataclass(frozen=True)
class Outputs:
    """Where the results of a run go; what is None is not made.

    Attributes:
        out: Annotated video, folder of annotated pictures, or for one picture a file.
        results: File of what was found.
        show: Show the run in a window.
        address: Host and port at which the run is served to browsers.
    """

    out: Path | None = None
    results: Path | None = None
    show: bool = False
    address: tuple[str, int] | None = None

    @property
    def is_video(self) -> bool:
        """Whether ``out`` is a video."""
        return self.out is not None and self.out.suffix.lower() in VIDEO_SUFFIXES

    def check(self, pictures: Sequence[PictureFile] | None) -> None:
        """Make sure that the outputs suit a source, before any work is done.

        Args:
            pictures: Those of the source; None where it is a video, a camera or a stream.

        Raises:
            UsageError: They do not, or ``out`` would replace one of the pictures.
        """
        if self.address and pictures is not None:
            raise UsageError(
                "--serve shows a video, a camera or a stream while it runs; of pictures, write "
                "copies with --out FOLDER, or look at them with --show"
            )
        if self.out is None or self.is_video:
            return
        if pictures is None:
            raise UsageError(
                f"--out {self.out}: the annotated frames of a video or camera are a video; "
                f"name a file that ends in {', '.join(VIDEO_SUFFIXES)}"
            )
        for picture in pictures:
            picture_place(self.out, picture, len(pictures) == 1)


@dataclass
class DetectionSummary:
    """What a run did.

    Attributes:
        source: Name of the source.
        model: Name of the model.
        unit: What is counted: pictures or frames.
        pictures: How many were looked at.
        unreadable: What was wrong with those that could not be read.
        objects: How many were found, by class.
        last: What was found in the last picture.
        seconds: Time by stage: decode, plan, letterbox, network, post, output.
        total_s: Time from the first picture to the last, everything included.
        interrupted: Whether Ctrl-C ended the run.
        written: Files that were finished; of a folder of pictures the folder alone.
    """

    source: str
    model: str
    unit: str
    pictures: int = 0
    unreadable: list[str] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)
    last: Sequence[FoundObject] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    total_s: float = 0.0
    interrupted: bool = False
    written: list[Path] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON; a rate of nothing is None."""
        detector_s = sum(self.seconds.get(stage, 0.0) for stage in ("letterbox", "network", "post"))
        return {
            "source": self.source,
            "model": self.model,
            "kernels": kernel_path(),
            self.unit: self.pictures,
            "unreadable": len(self.unreadable),
            "objects": dict(self.objects.most_common()),
            "fps_detector": rate(self.pictures, detector_s),
            "fps_whole": rate(self.pictures, self.total_s),
            "ms_per_picture": {
                stage: round(1000 * seconds / max(self.pictures, 1), 3)
                for stage, seconds in self.seconds.items()
            },
        }

    def line(self) -> str:
        """Word the figures in one line."""
        figures = self.as_dict()
        unreadable = f" ({len(self.unreadable)} more unreadable)" if self.unreadable else ""
        unit = self.unit if self.pictures != 1 else self.unit.removesuffix("s")
        objects = f"{self.objects.total()} object{'' if self.objects.total() == 1 else 's'}"
        counts = ", ".join(f"{name} {count}" for name, count in self.objects.most_common())
        stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in figures["ms_per_picture"].items())
        return (
            f"{self.pictures} {unit}{unreadable}, {objects}"
            f"{f' ({counts})' if counts else ''}; {self.model} on {figures['kernels']}: "
            f"detector alone {shown(figures['fps_detector'])} {self.unit}/s, "
            f"whole {shown(figures['fps_whole'])} (ms each: {stages})"
        )


def picture_shots(pictures: Sequence[PictureFile], summary: DetectionSummary) -> Iterator[Shot]:
    """Read pictures upright; of several, those that cannot be read are named and left out.

    Raises:
        SourceError: There is one picture, and it cannot be read.
    """
    for file in pictures:
        try:
            image = read_image(file.path, upright=True)
        except SourceError as error:
            if len(pictures) == 1:
                raise
            summary.unreadable.append(str(error))
            note(f"left out: {error}")
        else:
            yield Shot(file.name, file.identifier, image, file)


def video_shots(source: FrameSource) -> Iterator[Shot]:
    """Number the frames of a video, a camera or a stream."""
    for number, frame in enumerate(source):
        yield Shot(number, number, frame)


def run_detector(
    shots: Iterator[Shot],
    finder: Finder,
    summary: DetectionSummary,
    outputs: Outputs,
    count: int | None,
    fps: float | None,
) -> None:
    """Detect to the end of the source; what was found goes to ``summary`` and to the outputs.

    Files are finished whatever ends the run; only then does an error pass on.

    Args:
        shots: Pictures or frames.
        finder: The detector.
        summary: Filled in.
        outputs: What to write and show.
        count: How many shots there will be, if that is known.
        fps: Frames per second of the source, if it states them.

    Raises:
        MediaError: The source breaks off, or an output cannot be written.
        ModelError: The network does not fit its settings, or its numbers overflow.
    """
    clock = {"decode": 0.0, "output": 0.0}
    started = perf_counter()
    try:
        with ExitStack() as stack:
            writer = stack.enter_context(_Writer(outputs, summary, count, fps))
            stop = stack.enter_context(stop_on_interrupt())
            bar = stack.enter_context(FrameProgress(f"in {summary.source}", count, summary.unit))
            while not (stop.requested or writer.closed_by_user):
                began = perf_counter()
                shot = next(shots, None)
                clock["decode"] += perf_counter() - began
                if shot is None:
                    break
                found = _objects(finder(shot.image))
                summary.pictures += 1
                summary.objects.update(each.name for each in found)
                summary.last = found
                began = perf_counter()
                writer.write(shot, found)
                clock["output"] += perf_counter() - began
                bar.advance()
                if shot.file:
                    writer.hold(stop)
            summary.interrupted = stop.requested
            began = perf_counter()
        clock["output"] += perf_counter() - began  # finishing the files
    finally:
        summary.total_s = perf_counter() - started
        summary.seconds = {
            "decode": clock["decode"],
            **finder.seconds,
            "output": clock["output"],
        }


def _objects(found: Detections) -> list[FoundObject]:
    return [
        FoundObject((x, y, w, h), score, label, found.classes[label])
        for (x, y, w, h), score, label in zip(
            found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
        )
    ]


def _marks(found: Sequence[FoundObject], size_hw: tuple[int, int]) -> list[Mark]:
    """Boxes with names and scores; among many objects the small ones have the box alone.

    The names of small objects would hide their neighbours. The least certain come first, so that
    the others are drawn on top.
    """
    wide = 0 if len(found) <= _FEW else min(size_hw) * _NAMED
    return [
        Mark(each.box_xywh, each.name, each.score, colour=each.label)
        if each.box_xywh[2] >= wide
        else Mark(each.box_xywh, colour=each.label)
        for each in reversed(found)
    ]


class _Writer:
    """All outputs of a run, opened together and finished together."""

    def __init__(
        self, outputs: Outputs, summary: DetectionSummary, count: int | None, fps: float | None
    ) -> None:
        self._summary, self._out, self._count = summary, outputs.out, count
        self._fps = fps or DEFAULT_FPS
        self._results: DetectionsSink | None = None
        self._video: VideoSink | None = None
        self._window: PreviewWindow | None = None
        self._server: StreamServer | None = None
        self._is_video = outputs.is_video
        with ExitStack() as stack:  # what was opened is closed again if the next one fails
            if outputs.results:
                about = {"source": summary.source, "model": summary.model}
                self._results = open_detection_results(outputs.results, about)
                stack.callback(self._results.discard)
            if outputs.address:
                host, port = outputs.address
                self._server = StreamServer(port, host)
                stack.callback(self._server.close)
                note(f"open {self._server.address} in a browser")
            if outputs.show:
                self._window = PreviewWindow()
            stack.pop_all()

    @property
    def closed_by_user(self) -> bool:
        return self._window is not None and self._window.closed

    def write(self, shot: Shot, found: Sequence[FoundObject]) -> None:
        if self._results:
            size_hw = shot.image.shape[:2]
            self._results.write(PictureResult(shot.picture, shot.identifier, size_hw, found))
        if not (self._out or self._window or self._server):
            return
        picture = annotate(shot.image, _marks(found, shot.image.shape[:2]))
        if self._out:
            self._write_picture(self._out, shot, picture)
        if self._server:
            self._server.show(picture)
        if self._window:
            self._window.show(picture)

    def hold(self, stop: Stop) -> None:
        """Let the user look at a picture until a key is pressed or the run is to stop."""
        if self._window:
            self._window.hold(lambda: stop.requested)

    def _write_picture(self, out: Path, shot: Shot, picture: NDArray[np.uint8]) -> None:
        if self._is_video:
            if self._video is None:
                self._video = VideoSink(out, self._fps, picture.shape[:2])
            self._video.write(picture)
        elif shot.file:
            place = picture_place(out, shot.file, self._count == 1)
            write_picture(place, picture)
            written = place if self._count == 1 else out
            if written not in self._summary.written:
                self._summary.written.append(written)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:  # each is finished, whichever of the others fails
            for viewer in (self._window, self._server):
                if viewer:
                    stack.callback(viewer.close)
            if self._video:
                stack.callback(self._finish_video, self._video)
            if self._results:
                stack.callback(self._finish_results, self._results)

    def _finish_results(self, results: DetectionsSink) -> None:
        results.close()
        self._summary.written.append(results.path)

    def _finish_video(self, video: VideoSink) -> None:
        if video.close():
            self._summary.written.append(video.path)
