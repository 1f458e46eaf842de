"""Pictures in and out: frame sources, video and result files, drawing, boxes. OpenCV only."""

from __future__ import annotations

from binvision.media.boxes import overlaps, parse_box, read_boxes
from binvision.media.drawing import Mark, annotate
from binvision.media.results import ResultRow, ResultsSink, open_results
from binvision.media.sources import FrameSource, open_source
from binvision.media.video_sink import VideoSink

__all__ = [
    "FrameSource",
    "Mark",
    "ResultRow",
    "ResultsSink",
    "VideoSink",
    "annotate",
    "open_results",
    "open_source",
    "overlaps",
    "parse_box",
    "read_boxes",
]
