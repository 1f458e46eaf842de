"""Whether a tracker finds its target again, and whether it knows that the target is gone.

    python -m benchmarks.lost_and_found --root open --model rb-siamfc --rival mil --json found.json

Clips are made of the sequences under --root (`benchmarks.hiding`): the target is seen for 20 frames
or more, is hidden for 10 to 60 frames by something that slides over it or by being cut out, and is
seen for 30 frames more. Sequences are played to and fro, so that a hidden target moves on. Every
tracker follows the very same clips from the true box in the first frame. Counted are

- found: the part of the clips in which, within 30 frames from its return, there is one in which the
  tracker does not say *lost* and its box overlaps the true one by half or more,
- of those followed: the same among clips in which it had the target when it went,
- after: frames from the return until then, the median of those found,
- false alarms: the part of the frames in which nothing of the target is seen and the tracker does
  not say *lost*,
- needless doubts: the part of the frames before in which it says *lost* although the target is
  there.

The interval comes from drawing sequences at random. OpenCV's trackers say *lost* when they report
failure; one that never does has found what it happens to stand on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median

import cv2
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.following import follow, open_follower
from benchmarks.hiding import AFTER, HIDDEN, KINDS, HiddenClip, make_clips
from benchmarks.machine import describe
from binvision.errors import BinvisionError
from binvision.media.boxes import overlaps
from binvision.media.drawing import Mark, annotate
from binvision.media.files import write_atomically
from binvision.media.video_sink import VideoSink
from binvision.trackers import TrackResult
from binvision.trackers.evaluation.entrants import Entrant, enter, parse_settings
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.metrics import bootstrap_interval

LEAST_OVERLAP = 0.5
FPS = 25.0  # of the videos that show it


@dataclass(frozen=True)
class Outcome:
    """How a tracker did on one clip.

    Attributes:
        clip: Its name.
        sequence: What the clip was made of.
        kind: How the target was hidden.
        followed: Whether the tracker had the target in the last frame that showed it.
        doubts: Frames before in which it said *lost*.
        before: Number of frames before, the first one left out.
        false_alarms: Frames with the target hidden in which it did not say *lost*.
        hidden: Number of these frames.
        found_after: Frames from the return until the target was found again; None: not in 30.
    """

    clip: str
    sequence: str
    kind: str
    followed: bool
    doubts: int
    before: int
    false_alarms: int
    hidden: int
    found_after: int | None


@dataclass(frozen=True)
class Summary:
    """Figures over clips, as the module says; each in 0..1 but for the frames.

    Attributes:
        clips: Number of clips.
        found: Part of the clips.
        interval: 95 % of ``found``.
        found_of_followed: Part of the clips in which the target was followed; None: of none.
        found_after: Median of frames; None: never found.
        false_alarms: Part of the frames.
        doubts: Part of the frames.
    """

    clips: int
    found: float
    interval: tuple[float, float]
    found_of_followed: float | None
    found_after: float | None
    false_alarms: float
    doubts: float


def main(arguments: list[str] | None = None) -> None:
    """Make the clips, track, print, and write what was asked for."""
    options = _parse(arguments)
    cv2.setNumThreads(1)
    try:
        entrants = enter(options.model, options.rival, parse_settings(options.set))
        sequences = find_sequences(options.root)
        clips = make_clips(sequences, options.clips, options.seed)
        results = measure(entrants, clips, options.out, lambda text: print(text, file=sys.stderr))
        facts = describe(1)
        if options.json:
            write_json(options.json, entrants, results, options.seed, facts)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(results)
    print("  ".join(f"{name} {value}" for name, value in facts.items()))


def measure(
    entrants: Sequence[Entrant],
    clips: Iterable[HiddenClip],
    videos: Path | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Outcome]]:
    """Outcomes of every tracker on every clip, in the order of the clips.

    Args:
        entrants: The trackers.
        clips: What they follow, made one at a time.
        videos: Folder for a video of the first clip of each kind of a sequence, with the first
            tracker's results.
        note: Told of each clip that is done.

    Raises:
        BinvisionError: A tracker cannot be loaded or fails, or a picture cannot be read.
    """
    followers = {entrant.name: open_follower(entrant) for entrant in entrants}
    results: dict[str, list[Outcome]] = {name: [] for name in followers}
    for clip in clips:
        said = []
        for number, (name, follower) in enumerate(followers.items()):
            x, y, w, h = clip.truth_xywh[0].tolist()
            run = follow(follower, clip.frames, (x, y, w, h))
            results[name].append(outcome(clip, run))
            said.append(f"{name} {_frames(results[name][-1].found_after)}")
            if videos and not number and clip.name.endswith(" 0"):
                write_video(videos / f"{clip.name.replace(' ', '_')}.mp4", clip, run)
        note(f"{clip.name}: found again after {', '.join(said)}")
    return results


def outcome(clip: HiddenClip, run: Sequence[TrackResult]) -> Outcome:
    """Compare a tracker's results with the truth."""
    overlap = overlaps([result.box_xywh for result in run], clip.truth_xywh)
    has_it = [
        not result.lost and share >= LEAST_OVERLAP
        for result, share in zip(run, overlap.tolist(), strict=True)
    ]
    leaves, returns = clip.leaves, clip.returns
    hidden = [result for result, state in zip(run, clip.states, strict=True) if state == HIDDEN]
    again = has_it[returns : returns + AFTER]
    return Outcome(
        clip=clip.name,
        sequence=clip.sequence,
        kind=clip.kind,
        followed=has_it[leaves - 1],
        doubts=sum(result.lost for result in run[1:leaves]),
        before=leaves - 1,
        false_alarms=sum(not result.lost for result in hidden),
        hidden=len(hidden),
        found_after=again.index(True) if True in again else None,
    )


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Figures over clips; at least one."""
    by_sequence: dict[str, list[bool]] = {}
    for one in outcomes:
        by_sequence.setdefault(one.sequence, []).append(one.found_after is not None)
    found = [one.found_after for one in outcomes if one.found_after is not None]
    followed = [one.found_after is not None for one in outcomes if one.followed]
    return Summary(
        clips=len(outcomes),
        found=len(found) / len(outcomes),
        interval=bootstrap_interval(
            [mean(values) for values in by_sequence.values()], map(len, by_sequence.values())
        ),
        found_of_followed=mean(followed) if followed else None,
        found_after=median(found) if found else None,
        false_alarms=sum(one.false_alarms for one in outcomes) / sum(o.hidden for o in outcomes),
        doubts=sum(one.doubts for one in outcomes) / sum(one.before for one in outcomes),
    )


def summaries(outcomes: Sequence[Outcome]) -> dict[str, Summary]:
    """Figures of each kind of clip, and of all."""
    groups = {kind: [one for one in outcomes if one.kind == kind] for kind in KINDS}
    groups["all"] = list(outcomes)
    return {kind: summarise(group) for kind, group in groups.items() if group}


def report(results: dict[str, list[Outcome]]) -> None:
    """Print a line for each tracker and kind of clip."""
    table = Table(box=SIMPLE_HEAD)
    for header in ("tracker", "hidden by", "clips", "found", "95 %", "of those followed", "after",
                   "false alarms", "needless doubts"):  # fmt: skip
        table.add_column(header, justify="left" if header in ("tracker", "hidden by") else "right")
    for name, outcomes in results.items():
        for kind, figures in summaries(outcomes).items():
            table.add_row(
                name,
                kind,
                str(figures.clips),
                f"{figures.found:.1%}",
                "{:.0%} - {:.0%}".format(*figures.interval),
                _share(figures.found_of_followed),
                _frames(figures.found_after),
                f"{figures.false_alarms:.1%}",
                f"{figures.doubts:.1%}",
            )
    Console(width=120).print(table)


def write_json(
    path: Path,
    entrants: Sequence[Entrant],
    results: dict[str, list[Outcome]],
    seed: int,
    facts: dict[str, str],
) -> None:
    """Write figures and outcomes, with what exactly was measured and where.

    Raises:
        SinkError: The file cannot be written.
    """
    trackers = [
        {
            "name": entrant.name,
            "identity": entrant.identity(),
            "summaries": {k: asdict(s) for k, s in summaries(results[entrant.name]).items()},
            "outcomes": [asdict(one) for one in results[entrant.name]],
        }
        for entrant in entrants
    ]
    document = {"seed": seed, "machine": facts, "trackers": trackers}
    write_atomically(path, json.dumps(document, indent=1) + "\n")


def write_video(path: Path, clip: HiddenClip, run: Sequence[TrackResult]) -> None:
    """Write a clip with the tracker's box, and the true one in another colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = ("seen", "passing", "hidden")
    with VideoSink(path, FPS, clip.frames[0].shape[:2]) as video:
        for frame, result, box, state in zip(
            clip.frames, run, clip.truth_xywh.tolist(), clip.states.tolist(), strict=True
        ):
            truth = Mark((box[0], box[1], box[2], box[3]), "truth", 1.0, state == HIDDEN, 1)
            score = None if math.isnan(result.score) else result.score
            found = Mark(result.box_xywh, "tracker", score, result.lost, 0)
            video.write(annotate(frame, [truth, found], f"{clip.name}: {words[state]}"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _frames(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True, action="append",
                        help="sequences as for binvision eval folder; repeatable")  # fmt: skip
    parser.add_argument("--model", action="append", default=[],
                        help="shipped model, packed file or .pth; repeatable")  # fmt: skip
    parser.add_argument("--rival", action="append", default=[], help="mil, kcf or csrt; likewise")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="replace a setting of the models; repeatable")  # fmt: skip
    parser.add_argument(
        "--clips", type=int, default=3, help="of each kind of each sequence (default 3)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed, other clips")
    parser.add_argument("--json", type=Path, help="write figures and outcomes of every clip")
    parser.add_argument("--out", type=Path, help="folder for videos of some clips")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
