"""How ``binvision track --detect`` finds a drone, follows it, and finds it again behind a mast.

    python -m benchmarks.drone_flyover --data drones/test.json --detector bin-drone

Each clip is 150 frames at 25 a second. A drone comes from the left, flies behind a mast, where it
is hidden for half a second or more, comes out and leaves. Drones and skies are of real pictures of
test recordings; their motion and the mast are drawn (`benchmarks.flyover`). So the figures tell how
detector and tracker work together, not how often a drone is found in the field: for that there is
``binvision eval coco``. Counted are, over all clips:

- after how many frames the drone is first followed (two detections are needed at least),
- in how many of the frames that show it the target's box overlaps the true one by half or more,
- after how many frames it is followed again when it comes out,
- in how many clips it has one identity from the first frame to the last,
- targets that were never the drone,
- frames a second of detector and trackers together, on one thread, by the time that the CPU spends
  on them: other work on the machine hardly counts.

``alone`` is the tracker without a detector, started with the true box of the first frame that
shows the whole drone. ``--out`` writes the first clip and its annotated track.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import process_time

import cv2
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.flyover import FPS, Clip, make_clips
from benchmarks.machine import describe
from binvision.detectors.detector import Detector
from binvision.errors import BinvisionError
from binvision.media.boxes import BoxXYWH, overlaps
from binvision.media.drawing import Mark, annotate
from binvision.media.video_sink import VideoSink
from binvision.trackers import MultiTracker, Target, Tracker
from binvision.trackers.networks import TrackingNetwork, open_network

LEAST_OVERLAP = 0.5

Run = list[tuple[Target, ...]]


@dataclass(frozen=True)
class Outcome:
    """What became of one clip.

    Attributes:
        found_after: Frames from the drone's coming to its being followed; None if it never is.
        followed: Part of the frames with the drone in which it is followed.
        again_after: Frames from its coming out to its being followed again; None likewise.
        kept: Whether it is one target before and behind the mast, and no other in between.
        strangers: Targets that were the drone in no frame.
        detections: Part of the frames in which the detector ran.
        fps: Frames a second.
    """

    found_after: int | None
    followed: float
    again_after: int | None
    kept: bool
    strangers: int
    detections: float
    fps: float


def main(arguments: list[str] | None = None) -> None:
    """Render, track, print."""
    options = _parse(arguments)
    cv2.setNumThreads(1)
    results: dict[str, list[Outcome]] = {}
    try:
        detector = load_detector(options.detector, options.score)
        network = open_network(options.model)
        network.prepare()
        for number, clip in enumerate(make_clips(options.data, options.clips, options.seed)):
            detector(clip.frames[0])  # plans for this size
            for every in options.detect_every:
                run, *figures = follow(clip, detector, network, every)
                results.setdefault(f"every {every}", []).append(outcome(clip, run, *figures))
                if options.out and not number and every == options.detect_every[0]:
                    write_videos(options.out, clip, run)
            results.setdefault("alone", []).append(outcome(clip, *follow_alone(clip, network)))
            print(f"{number + 1} of {options.clips}: {clip.name}", file=sys.stderr)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(results)
    print("  ".join(f"{name} {value}" for name, value in describe(1).items()))


def load_detector(model: str, score: float | None) -> Detector:
    """Load a shipped model, a packed file, or a checkpoint of ``binvision train`` (.pth)."""
    if not model.endswith(".pth"):
        return Detector(model, score_threshold=score)
    from binvision.detectors.torch_network import TorchNetwork

    return Detector(TorchNetwork.from_checkpoint(model), score_threshold=score)


def follow(
    clip: Clip, detector: Detector, network: TrackingNetwork, detect_every: int
) -> tuple[Run, float, float]:
    """Targets in each frame, the part of the frames in which the detector ran, and the rate."""
    tracker = MultiTracker(detector, network, detect_every=detect_every)
    started = process_time()
    run = [tracker.update(frame) for frame in clip.frames]
    seconds = process_time() - started
    return run, tracker.timings.detections / len(run), len(run) / seconds


def follow_alone(clip: Clip, network: TrackingNetwork) -> tuple[Run, float, float]:
    """The same without a detector, from the true box on."""
    tracker = Tracker(network)
    first, box = clip.first_whole
    tracker.init(clip.frames[first], box)
    run: Run = [()] * first + [(Target(1, "", box, 1.0, False),)]
    started = process_time()
    for frame in clip.frames[first + 1 :]:
        found = tracker.update(frame)
        run.append((Target(1, "", found.box_xywh, found.score, found.lost),))
    return run, 0.0, (len(run) - first - 1) / (process_time() - started)


def outcome(clip: Clip, run: Run, detections: float, fps: float) -> Outcome:
    """Compare the targets with the truth."""
    identities = [
        _identity(targets, box) if box else None
        for targets, box in zip(run, clip.truth, strict=True)
    ]
    first, again = clip.first_seen, clip.seen_again
    before = {identity for identity in identities[first:again] if identity}
    after = {identity for identity in identities[again:] if identity}
    return Outcome(
        found_after=_frames_until(identities[first:again]),
        followed=mean(
            identity is not None
            for identity, box in zip(identities, clip.truth, strict=True)
            if box
        ),
        again_after=_frames_until(identities[again:]),
        kept=len(before) == 1 and before == after,
        strangers=len({target.identity for targets in run for target in targets} - before - after),
        detections=detections,
        fps=fps,
    )


def report(results: dict[str, list[Outcome]]) -> None:
    """Print a line for each way to track."""
    table = Table(box=SIMPLE_HEAD)
    for header in (
        "detector",
        "found after",
        "followed",
        "again after",
        "one identity",
        "strangers",
        "detector ran",
        "frames/s",
    ):
        table.add_column(header, justify="left" if header == "detector" else "right")
    for name, outcomes in results.items():
        table.add_row(
            name,
            _frames([one.found_after for one in outcomes]),
            f"{mean(one.followed for one in outcomes):.3f}",
            _frames([one.again_after for one in outcomes]),
            f"{sum(one.kept for one in outcomes)} of {len(outcomes)}",
            str(sum(one.strangers for one in outcomes)),
            f"{mean(one.detections for one in outcomes):.0%}",
            f"{median(one.fps for one in outcomes):.0f}",
        )
    Console(width=120).print(table)


def write_videos(folder: Path, clip: Clip, run: Run) -> None:
    """Write a clip, and the same with its targets drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    size_hw = clip.frames[0].shape[:2]
    with (
        VideoSink(folder / "clip.mp4", FPS, size_hw) as plain,
        VideoSink(folder / "tracked.mp4", FPS, size_hw) as drawn,
    ):
        for frame, targets in zip(clip.frames, run, strict=True):
            plain.write(frame)
            drawn.write(annotate(frame, [_mark(target) for target in targets], clip.name))


def _mark(target: Target) -> Mark:
    label = f"{target.label} {target.identity}"
    return Mark(target.box_xywh, label, target.score, target.lost, target.identity - 1)


def _identity(targets: Sequence[Target], box: BoxXYWH) -> int | None:
    """The target that overlaps the true box most, if it does enough."""
    shares = [
        (float(overlaps([target.box_xywh], [box])[0]), target.identity)
        for target in targets
        if not target.lost
    ]
    share, identity = max(shares, default=(0.0, 0))
    return identity if share >= LEAST_OVERLAP else None


def _frames_until(identities: Sequence[int | None]) -> int | None:
    return next((index for index, identity in enumerate(identities) if identity), None)


def _frames(values: Sequence[int | None]) -> str:
    """Median and greatest; what never happened counts as the greatest of all."""
    order = sorted(value if value is not None else sys.maxsize for value in values)
    return f"{_shown(median(order))} (most {_shown(order[-1])})"


def _shown(frames: float) -> str:
    return "never" if frames > 1e9 else f"{frames:g}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="COCO JSON of the test pictures")
    parser.add_argument("--detector", default="bin-drone", help="shipped, packed file or .pth")
    parser.add_argument("--model", default="bin-track", help="the tracker's, likewise")
    parser.add_argument("--score", type=float, help="least score of a detection")
    parser.add_argument(
        "--detect-every", type=int, nargs="+", default=[1, 10], help="frames, to compare"
    )
    parser.add_argument("--clips", type=int, default=24, help="number of clips (default 24)")
    parser.add_argument("--seed", type=int, default=0, help="of drones, skies and ways")
    parser.add_argument("--out", type=Path, help="folder for the videos of the first clip")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
