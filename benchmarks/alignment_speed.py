r"""Speed of face alignment on one thread, and how still the points of a still face are.

    python -m benchmarks.alignment_speed --picture face.jpg --model hpm-face68-fast \
        --model hpm-face68 --twin hpm_face68_fp.pth

The video is made of a picture with a face, which moves, grows and shrinks over its own blurred
copy, in 640x480, with the noise of a camera. All contestants align the very same frames in the same
process, in turns, so that a machine that slows down slows all; only ratios of one run can be
compared with those of another. A twin is a checkpoint of ``binvision train``, which runs in PyTorch
in float32, channels_last, inference_mode, with the same detector.

``follow`` is ``FaceAligner.update``, which asks the detector when it must; ``detect`` asks it in
every frame. Stages, each in milliseconds a frame: the detector, cutting the crop, the network of
points, and all that follows. A round of each comes before as warm-up. Shown is the median over
rounds with the smallest and the largest.

Then the face stands still under the same noise: the standard deviation of a coordinate over the
frames, mean over all points, in pixels and in hundredths of the face's size.

The face is the largest one of the picture. The result is checked: it must be followed from the
first frame to the last, its points where they are in the picture, or there are no figures. What
else is taken for a face, in the picture or in the blur around it, costs time too: how many faces
a frame had on average is shown, and with more than one the figures are lower than they should be.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.face_clip import FaceClip
from benchmarks.machine import describe
from binvision.detectors import Detector
from binvision.errors import BinvisionError, DataError
from binvision.landmarks import Face, FaceAligner, Network, PackedNetwork
from binvision.landmarks.timings import SubjectTimings
from binvision.media.images import read_image

THREADS = 1
STAGES = ("detect", "crop", "network", "post")
WAYS = {"follow": 30, "detect": 1}  # frames from one detection to the next
FARTHEST = 0.05  # of points from where they are in the picture, mean, in sizes of the face
SETTLING = 15  # frames until smoothed points rest


@dataclass(frozen=True)
class Round:
    """One pass over the video.

    Attributes:
        stages_ms: Milliseconds a frame, by stage.
        detections: Part of the frames in which the detector ran.
        faces: Mean number of faces in a frame.
    """

    stages_ms: dict[str, float]
    detections: float
    faces: float

    @property
    def fps(self) -> float:
        """Frames a second."""
        return 1000 / sum(self.stages_ms.values())


@dataclass(frozen=True)
class Jitter:
    """Standard deviation of the coordinates of a still face, pixels, and its size."""

    plain: float
    smooth: float
    size: float


def main(arguments: list[str] | None = None) -> None:
    """Measure, check, print, and write a CSV where one is named."""
    options = _parse(arguments)
    cv2.setNumThreads(THREADS)
    try:
        detector = Detector(options.detector, threads=THREADS)
        packed, twins = _networks(options)
        networks = packed | twins
        picture = read_image(options.picture, upright=True)
        clip = FaceClip(picture, options.frames, noise=options.noise, seed=options.seed)
        still = FaceClip(
            picture, options.frames, noise=options.noise, seed=options.seed, still=True
        )
        truth = largest_face(networks, detector, picture)
        rounds = measure(networks, detector, clip, truth, options.rounds)
        jitter = {
            name: jitter_of(network, detector, still, truth[name])
            for name, network in networks.items()
        }
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    facts = describe(THREADS, *(["torch"] if options.twin else []))
    report(rounds, jitter, list(twins), facts)
    if options.csv:
        write_csv(options.csv, rounds, facts)


def largest_face(
    networks: dict[str, Network], detector: Detector, picture: np.ndarray
) -> dict[str, Face]:
    """The largest face of the picture, as each network sees it.

    Raises:
        DataError: The first network finds none.
    """
    name, first = next(iter(networks.items()))
    faces = FaceAligner(first, detector=detector)(picture)
    if not faces:
        raise DataError(f"{name}: finds no face in the picture; choose one with one clear face")
    box = max((face.box_xywh for face in faces), key=lambda box: max(box[2:]))
    return {
        name: FaceAligner(network, detector=detector)(picture, [box])[0]
        for name, network in networks.items()
    }


def measure(
    networks: dict[str, Network],
    detector: Detector,
    clip: FaceClip,
    truth: dict[str, Face],
    rounds: int,
) -> dict[tuple[str, str], list[Round]]:
    """Run every network in both ways ``rounds`` times, in turns, after a warm-up each."""
    results: dict[tuple[str, str], list[Round]] = {
        (name, way): [] for name in networks for way in WAYS
    }
    for number in range(rounds + 1):
        for (name, way), passes in results.items():
            aligner = FaceAligner(networks[name], detector=detector, detect_every=WAYS[way])
            found = [aligner.update(frame) for frame in clip.frames]
            the_one(f"{name}, {way}", found, clip.places_of(truth[name].points))
            if number:
                passes.append(_round(aligner.timings, sum(map(len, found))))
    return results


def the_one(name: str, found: Sequence[Sequence[Face]], places: Sequence[np.ndarray]) -> list[Face]:
    """The face that is followed, in each frame.

    Args:
        name: What messages call the aligner.
        found: The faces in each frame.
        places: Where the points of the face should be in each frame.

    Raises:
        DataError: In a frame it is not there, has another identity, or its points are elsewhere.
    """
    followed: list[Face] = []
    for number, (faces, points) in enumerate(zip(found, places, strict=True)):
        same = [face for face in faces if not followed or face.identity == followed[0].identity]
        if not same:
            raise DataError(f"{name}: frame {number}: does not find the face that it followed")
        errors = [_error(face, points) for face in same]
        if min(errors) > FARTHEST:
            raise DataError(
                f"{name}: frame {number}: points are {min(errors):.1%} of the face's size from "
                f"where they are in the picture, expected at most {FARTHEST:.0%}; choose a "
                f"picture with one clear face"
            )
        followed.append(same[errors.index(min(errors))])
    return followed


def _error(face: Face, points: np.ndarray) -> float:
    """Mean distance of points from where they should be, in sizes of the face."""
    return float(np.linalg.norm(face.points - points, axis=1).mean() / np.ptp(points, 0).max())


def jitter_of(network: Network, detector: Detector, still: FaceClip, truth: Face) -> Jitter:
    """How much the points of a still face move."""
    spreads = []
    for smooth in (False, True):
        aligner = FaceAligner(network, detector=detector, smooth=smooth)
        found = [aligner.update(frame) for frame in still.frames]
        faces = the_one(f"{network.name}, still", found, still.places_of(truth.points))
        points = np.array([face.points for face in faces[min(SETTLING, len(faces) // 2) :]])
        spreads.append(float(points.std(0).mean()))
    return Jitter(*spreads, size=max(faces[-1].box_xywh[2:]))


def report(
    rounds: dict[tuple[str, str], list[Round]],
    jitter: dict[str, Jitter],
    twins: Sequence[str],
    facts: dict[str, str],
) -> None:
    """Print the tables, and how often a network of points runs while a twin runs once."""
    console = Console(width=180)
    table = Table(box=SIMPLE_HEAD, title="ms a 640x480 frame: median (smallest - largest)")
    for header in ("", "", *STAGES, "detector runs", "faces", "frames/s"):
        table.add_column(header, justify="right" if header else "left", no_wrap=True)
    for (name, way), passes in rounds.items():
        stages = (_spread([one.stages_ms[stage] for one in passes]) for stage in STAGES)
        share = f"{median(one.detections for one in passes):.0%}"
        faces = f"{median(one.faces for one in passes):.2f}"
        table.add_row(name, way, *stages, share, faces, _spread([one.fps for one in passes], 1))
    console.print(table)
    for twin in twins:
        for name in [name for name in jitter if name not in twins]:
            console.print(f"{twin} / {name}: {_ratios(rounds, twin, name)}")
    table = Table(box=SIMPLE_HEAD, title="jitter of a still face")
    for header in ("", "pixels", "smoothed", "% of its size", "smoothed", "size, pixels"):
        table.add_column(header, justify="right" if header else "left")
    for name, one in jitter.items():
        parts = [f"{100 * value / one.size:.3f}" for value in (one.plain, one.smooth)]
        table.add_row(name, f"{one.plain:.3f}", f"{one.smooth:.3f}", *parts, f"{one.size:.0f}")
    console.print(table)
    console.print("  ".join(f"{name} {value}" for name, value in facts.items()))


def write_csv(
    path: Path, rounds: dict[tuple[str, str], list[Round]], facts: dict[str, str]
) -> None:
    """Write a row for each contestant and round, with the machine in every row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stages = [f"{stage}_ms" for stage in STAGES]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(
            file, ["network", "way", "round", *stages, "detections", "faces", *facts]
        )
        rows.writeheader()
        for (name, way), passes in rounds.items():
            for index, one in enumerate(passes):
                times = {f"{stage}_ms": f"{one.stages_ms[stage]:.4f}" for stage in STAGES}
                row = {"network": name, "way": way, "round": index, **times}
                counts = {"detections": f"{one.detections:.3f}", "faces": f"{one.faces:.3f}"}
                rows.writerow({**row, **counts, **facts})


def _round(timings: SubjectTimings, faces: int) -> Round:
    seconds = {stage: getattr(timings, stage) for stage in STAGES}
    per_frame = {stage: 1000 * time / timings.frames for stage, time in seconds.items()}
    return Round(per_frame, timings.detections / timings.frames, faces / timings.frames)


def _networks(options: argparse.Namespace) -> tuple[dict[str, Network], dict[str, Network]]:
    """Packed ones and twins, by the names that the tables have for them."""
    packed: dict[str, Network] = {}
    for model in options.model:
        network = PackedNetwork(model, threads=THREADS)
        packed[network.name] = network
    twins: dict[str, Network] = {}
    for twin in options.twin:
        from binvision.landmarks.torch_network import TorchNetwork

        place = Path(twin).resolve()
        name = f"{place.parent.name}/{place.name}"
        twins[name] = TorchNetwork.from_checkpoint(place, threads=THREADS)
    return packed, twins


def _ratios(rounds: dict[tuple[str, str], list[Round]], twin: str, name: str) -> str:
    """Median over rounds of the twin's time against the other's in the same round."""
    parts = []
    for what in ("network", *WAYS):
        way = what if what in WAYS else "follow"
        pairs = zip(rounds[twin, way], rounds[name, way], strict=True)
        if what in WAYS:
            ratio = median(other.fps / slow.fps for slow, other in pairs)
        else:
            ratio = median(slow.stages_ms[what] / other.stages_ms[what] for slow, other in pairs)
        parts.append(f"{what} {ratio:.2f}")
    return ", ".join(parts)


def _spread(values: Sequence[float], digits: int = 2) -> str:
    shown = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
    return "{} ({} - {})".format(*shown)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--picture", type=Path, required=True, help="a picture with a face")
    parser.add_argument(
        "--model", action="append", required=True, help="shipped model or packed file; repeatable"
    )
    parser.add_argument("--twin", action="append", default=[], help="checkpoint; repeatable")
    parser.add_argument("--detector", default="bin-face", help="shipped model or packed file")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each (default 5)")
    parser.add_argument("--frames", type=int, default=150, help="frames a pass (default 150)")
    parser.add_argument("--noise", type=float, default=4, help="sigma, of 0..255 (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    parser.add_argument("--csv", type=Path, help="write every round, as in benchmarks/results/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
