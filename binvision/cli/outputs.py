"""Where the results of a run go: annotated pictures, a video, a window, browsers, result files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from binvision.cli.running import DEFAULT_FPS, Stop
from binvision.cli.shots import Shot
from binvision.cli.terminal import note
from binvision.errors import UsageError
from binvision.media.pictures import PictureFile, picture_place, write_picture
from binvision.media.record_files import OpenSink, PictureResult, PictureSink
from binvision.media.stream_server import StreamServer
from binvision.media.video_sink import VIDEO_SUFFIXES, VideoSink
from binvision.media.window import PreviewWindow

__all__ = ["Outputs", "Writer"]

Found = TypeVar("Found")


@dataclass(frozen=True)
class Outputs(Generic[Found]):
    """Where the results of a run go; what is None is not made.

    Attributes:
        out: Annotated video, folder of annotated pictures, or for one picture a file.
        show: Show the run in a window.
        address: Host and port at which the run is served to browsers.
        results: What open the files of what was found, given what they say of the run.
        pts: Folder where one of them puts copies of the pictures; for the check alone.
    """

    out: Path | None = None
    show: bool = False
    address: tuple[str, int] | None = None
    results: Sequence[OpenSink[Found]] = ()
    pts: Path | None = None

    @property
    def is_video(self) -> bool:
        """Whether ``out`` is a video."""
        return self.out is not None and self.out.suffix.lower() in VIDEO_SUFFIXES

    @property
    def are_seen(self) -> bool:
        """Whether annotated pictures are wanted at all."""
        return bool(self.out or self.show or self.address)

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
        if self.pts is not None:
            if pictures is None:
                raise UsageError(
                    f"--pts {self.pts}: .pts files stand beside pictures; of a video or camera, "
                    f"write --results"
                )
            for picture in pictures:
                picture_place(self.pts, picture, alone=False)
        if self.out is None or self.is_video:
            return
        if pictures is None:
            raise UsageError(
                f"--out {self.out}: the annotated frames of a video or camera are a video; "
                f"name a file that ends in {', '.join(VIDEO_SUFFIXES)}"
            )
        for picture in pictures:
            picture_place(self.out, picture, len(pictures) == 1)


class Writer(Generic[Found]):
    """All outputs of a run, opened together and finished together."""

    def __init__(
        self,
        outputs: Outputs[Found],
        about: Mapping[str, Any],
        count: int | None,
        fps: float | None,
        written: list[Path],
    ) -> None:
        """Open them.

        Args:
            outputs: What to write and show.
            about: What files of results say of the run.
            count: How many shots there will be, if that is known.
            fps: Frames per second of the source, if it states them.
            written: Gets the files that are finished; of a folder of pictures the folder alone.

        Raises:
            UsageError: A file's name does not say its kind.
            SinkError: One of them cannot be opened; nothing is left of the others.
        """
        self._outputs, self._count, self._written = outputs, count, written
        self._fps = fps or DEFAULT_FPS
        self._results: list[PictureSink[Found]] = []
        self._video: VideoSink | None = None
        self._window: PreviewWindow | None = None
        self._server: StreamServer | None = None
        with ExitStack() as stack:  # what was opened is closed again if the next one fails
            for open_results in outputs.results:
                self._results.append(open_results(about))
                stack.callback(self._results[-1].discard)
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
        """Whether the user wants the run to end, and said so in the window."""
        return self._window is not None and self._window.closed

    def write(
        self,
        shot: Shot,
        found: Sequence[Found],
        annotate: Callable[[NDArray[np.uint8], Sequence[Found]], NDArray[np.uint8]],
    ) -> None:
        """Write and show what was found in a shot.

        Args:
            shot: The shot.
            found: What was found.
            annotate: Draws it on a copy of the picture; called only where that is seen.

        Raises:
            SinkError: An output cannot be written.
        """
        for results in self._results:
            results.write(PictureResult(shot.picture, shot.identifier, shot.image, found))
        if not self._outputs.are_seen:
            return
        picture = annotate(shot.image, found)
        if self._outputs.out:
            self._write_picture(self._outputs.out, shot, picture)
        if self._server:
            self._server.show(picture)
        if self._window:
            self._window.show(picture)

    def hold(self, stop: Stop) -> None:
        """Let the user look at a picture until a key is pressed or the run is to stop."""
        if self._window:
            self._window.hold(lambda: stop.requested)

    def _write_picture(self, out: Path, shot: Shot, picture: NDArray[np.uint8]) -> None:
        if self._outputs.is_video:
            if self._video is None:
                self._video = VideoSink(out, self._fps, picture.shape[:2])
            self._video.write(picture)
        elif shot.file:
            place = picture_place(out, shot.file, self._count == 1)
            write_picture(place, picture)
            self._note(place if self._count == 1 else out)

    def __enter__(self) -> Writer[Found]:
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:  # each is finished, whichever of the others fails
            for viewer in (self._window, self._server):
                if viewer:
                    stack.callback(viewer.close)
            if self._video:
                stack.callback(self._finish_video, self._video)
            for results in reversed(self._results):
                stack.callback(self._finish_results, results)

    def _finish_results(self, results: PictureSink[Found]) -> None:
        if results.close():
            self._note(results.path)

    def _finish_video(self, video: VideoSink) -> None:
        if video.close():
            self._note(video.path)

    def _note(self, path: Path) -> None:
        if path not in self._written:
            self._written.append(path)
