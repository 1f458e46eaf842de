"""The run behind ``track`` and ``demo track``: frames through trackers into files and a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from binvision.cli.running import DEFAULT_FPS, rate, shown, stop_on_interrupt
from binvision.cli.terminal import FrameProgress
from binvision.media.boxes import BoxXYWH
from binvision.media.drawing import Mark, annotate
from binvision.media.results import ResultRow, ResultsSink, open_results
from binvision.media.sources import FrameSource
from binvision.media.video_sink import VideoSink
from binvision.media.window import PreviewWindow

__all__ = ["Following", "Outputs", "RunSummary", "run"]


class Following(Protocol):
    """What follows the targets of a run.

    Attributes:
        targets: Their number; None where they come and go, and have classes.
    """

    targets: int | None

    def start(self, first: NDArray[np.uint8]) -> list[ResultRow]:
        """Look at the first frame, (H, W, 3) uint8 BGR; return what is there."""
        ...

    def go_on(self, frame: NDArray[np.uint8], number: int) -> list[ResultRow]:
        """Find the targets in the next frame, the one with this number."""
        ...

    def seconds(self) -> dict[str, float]:
        """Time spent, by stage."""
        ...

    @property
    def detections(self) -> int:
        """Number of frames in which a detector ran."""
        ...


@dataclass(frozen=True)
class Outputs:
    """Where the results of a run go; what is None is not made."""

    video: Path | None = None
    results: Path | None = None
    show: bool = False


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        source: Name of the source.
        model: Name of the tracker's model.
        detector: Name of the detector's, if one took part.
        boxes: For each target its box in every frame.
        frames: Frames read, the first one included.
        scores: Scores of all targets in all frames after the first.
        lost: Of these, how many counted as lost.
        seconds: Time by stage: decode, detect if a detector took part, crop, network, post,
            output.
        detections: Number of frames in which the detector ran.
        total_s: Time from the first frame to the last, everything included.
        interrupted: Whether Ctrl-C ended the run.
        written: Files that were finished.
    """

    source: str
    model: str
    detector: str | None = None
    boxes: list[list[BoxXYWH]] = field(default_factory=list)
    frames: int = 0
    scores: list[float] = field(default_factory=list)
    lost: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    detections: int = 0
    total_s: float = 0.0
    interrupted: bool = False
    written: list[Path] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Figures for JSON; a rate or a mean of nothing is None."""
        tracker_s = sum(self.seconds.get(stage, 0.0) for stage in ("crop", "network", "post"))
        return {
            "source": self.source,
            "model": self.model,
            **self._detector_figures(),
            "targets": len(self.boxes),
            "frames": self.frames,
            "mean_score": round(float(np.mean(self.scores)), 4) if self.scores else None,
            "lost": self.lost,
            "fps_tracker": rate(max(self.frames - 1, 0), tracker_s),
            "fps_whole": rate(self.frames, self.total_s),
            "ms_per_frame": {
                stage: round(1000 * seconds / max(self.frames - 1, 1), 3)
                for stage, seconds in self.seconds.items()
            },
        }

    def line(self) -> str:
        """Word the figures in one line."""
        figures = self.as_dict()
        targets = detector = ""
        if self.detector:
            targets = f"{len(self.boxes)} targets, "
            ms = figures["ms_per_detection"]
            detector = f"detector {ms or 0:.1f} ms in {self.detections} frames, "
        score = "-" if figures["mean_score"] is None else f"{figures['mean_score']:.2f}"
        stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in figures["ms_per_frame"].items())
        return (
            f"{self.frames} frames, {targets}mean score {score}, lost in {self.lost}; "
            f"tracker alone {shown(figures['fps_tracker'])} fps, {detector}"
            f"whole {shown(figures['fps_whole'])} fps (ms a frame: {stages})"
        )

    def note(self, rows: Sequence[ResultRow]) -> None:
        """Take in what was found in a frame."""
        for row in rows:
            while len(self.boxes) < row.target:
                self.boxes.append([])
            self.boxes[row.target - 1].append(row.box_xywh)
            if row.frame:
                self.scores.append(row.score)
                self.lost += row.lost

    def _detector_figures(self) -> dict[str, Any]:
        if not self.detector:
            return {}
        ms = 1000 * self.seconds.get("detect", 0.0) / self.detections if self.detections else None
        return {
            "detector": self.detector,
            "detections": self.detections,
            "ms_per_detection": ms and round(ms, 3),
        }


def run(
    source: FrameSource,
    frames: Iterator[NDArray[np.uint8]],
    first: NDArray[np.uint8],
    following: Following,
    summary: RunSummary,
    outputs: Outputs,
) -> None:
    """Track to the end of the source; the results go to ``summary`` and to the outputs.

    Files are finished whatever ends the run; only then does an error pass on.

    Args:
        source: Where the frames come from.
        frames: Its frames after the first.
        first: The first frame, (H, W, 3) uint8 BGR.
        following: What follows the targets.
        summary: Filled in.
        outputs: What to write and show.

    Raises:
        MediaError: The source breaks off, or an output cannot be written.
        BoxError: A target's first box means nothing.
        FrameError: A frame has another size than the first.
    """
    rows = following.start(first)
    summary.note(rows)
    clock = {"decode": 0.0, "output": 0.0}
    started = perf_counter()
    try:
        with ExitStack() as stack:
            writer = stack.enter_context(_Writer(source, following.targets, outputs, summary))
            stop = stack.enter_context(stop_on_interrupt())
            bar = stack.enter_context(FrameProgress(f"tracking {source.name}", source.count))
            frame: NDArray[np.uint8] | None = first
            while frame is not None:
                began = perf_counter()
                writer.write(frame, rows)
                bar.advance()
                written = perf_counter()
                clock["output"] += written - began
                summary.frames += 1
                summary.interrupted = stop.requested
                if stop.requested or writer.closed_by_user:
                    break
                frame = next(frames, None)
                clock["decode"] += perf_counter() - written
                if frame is not None:
                    rows = following.go_on(frame, summary.frames)
                    summary.note(rows)
            began = perf_counter()
        clock["output"] += perf_counter() - began  # finishing the files
    finally:
        summary.total_s = perf_counter() - started
        summary.seconds = {
            "decode": clock["decode"],
            **following.seconds(),
            "output": clock["output"],
        }
        summary.detections = following.detections


class _Writer:
    """All outputs of a run, opened together and finished together."""

    def __init__(
        self, source: FrameSource, targets: int | None, outputs: Outputs, summary: RunSummary
    ) -> None:
        self._summary = summary
        self._results: ResultsSink | None = None
        self._video: VideoSink | None = None
        self._window: PreviewWindow | None = None
        self._targets = targets
        with ExitStack() as stack:  # what was opened is closed again if the next one fails
            if outputs.results:
                about = {"source": summary.source, "model": summary.model}
                if summary.detector:
                    about["detector"] = summary.detector
                self._results = open_results(outputs.results, targets, about)
                stack.callback(self._results.discard)
            if outputs.video:
                fps = source.fps or DEFAULT_FPS
                self._video = VideoSink(outputs.video, fps, source.size_hw)
                stack.callback(self._video.close)
            if outputs.show:
                self._window = PreviewWindow()
            stack.pop_all()

    @property
    def closed_by_user(self) -> bool:
        return self._window is not None and self._window.closed

    def write(self, frame: NDArray[np.uint8], rows: Sequence[ResultRow]) -> None:
        for row in rows:
            if self._results:
                self._results.write(row)
        if not self._video and not self._window:
            return
        caption = ", ".join(filter(None, (self._summary.detector, self._summary.model)))
        picture = annotate(frame, [self._mark(row) for row in rows], caption)
        if self._video:
            self._video.write(picture)
        if self._window:
            self._window.show(picture)

    def _mark(self, row: ResultRow) -> Mark:
        name = row.label or "target"
        label = name if self._targets == 1 else f"{name} {row.target}"
        return Mark(row.box_xywh, label, row.score, row.lost, row.target - 1)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:  # each is finished, whichever of the others fails
            if self._window:
                stack.callback(self._window.close)
            if self._video:
                stack.callback(self._finish_video)
            if self._results:
                stack.callback(self._finish_results)

    def _finish_results(self) -> None:
        if self._results:
            self._results.close()
            self._summary.written.extend(self._results.paths)

    def _finish_video(self) -> None:
        if self._video and self._video.close():
            self._summary.written.append(self._video.path)
