"""The rendered clip in 1280x720, as a file, with the target's true boxes."""

from __future__ import annotations

from pathlib import Path

import cv2

from binvision.media.boxes import BoxXYWH
from binvision.media.video_sink import VideoSink
from binvision.trackers.clip import DemoClip

__all__ = ["write_clip"]

_FACTOR = 2  # from the clip's own 640x360


def write_clip(path: Path, frames: int) -> list[BoxXYWH]:
    """Write the first ``frames`` pictures; return the true box in each."""
    clip, truth = DemoClip(), []
    height, width = (_FACTOR * side for side in clip.size_hw)
    with VideoSink(path, clip.fps, (height, width)) as video:
        for (frame, box), _ in zip(clip, range(frames), strict=False):
            video.write(cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC))
            truth.append(tuple(_FACTOR * value for value in box))
    return truth
