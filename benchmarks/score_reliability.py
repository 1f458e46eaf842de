"""Whether a tracker's score is the chance that its box is right.

    python -m benchmarks.score_reliability --root clips --model rb-siamfc --plot scores.svg

A box is right when it overlaps the true one by half or more. Every tracker runs from four starts a
clip; with --hidden also over clips in which the target is hidden (`benchmarks.hiding`), where no
box is right while nothing of it is seen, and frames that show a part do not count. All frames but
the first of a run are pooled.

Shown are the part of the boxes that are right, the mean score, the expected calibration error (ECE,
ten bins) and the Brier score; then both once more after Platt's calibration, new score =
sigmoid(scale * logit(score) + bias), whose two numbers are fitted for each clip's sequence on all
other sequences. Where ECE and Brier fall, the numbers help, and those fitted on everything are
shown to be taken over: in SiamFC's settings response_scale becomes scale * response_scale, and
response_bias becomes scale * response_bias + bias; in those of a tracker with a box head,
score_scale and score_bias do. Thresholds of the score move along: a threshold t becomes
sigmoid(scale * logit(t) + bias).

Choose the clips as for any fitting: not those by which the tracker is judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.calibration import (
    Platt,
    brier,
    calibration_error,
    fit_held_out,
    fit_platt,
    reliability,
)
from benchmarks.following import Follower, follow, open_follower
from benchmarks.hiding import HIDDEN, PASSING, make_clips
from benchmarks.machine import describe
from binvision.errors import BinvisionError, UsageError
from binvision.media.boxes import overlaps
from binvision.media.figures import FORMATS, Line, draw_lines, make_panels, save_figure
from binvision.media.files import write_atomically
from binvision.media.images import read_image
from binvision.trackers.evaluation.entrants import Entrant, enter, parse_settings
from binvision.trackers.evaluation.folder_layout import find_sequences
from binvision.trackers.evaluation.protocols import plan_runs
from binvision.trackers.evaluation.sequences import Sequence as TargetSequence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARTS = 4
LEAST_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Scores:
    """What a tracker said in each frame.

    Attributes:
        score: float64 (N,), its confidence in 0..1.
        right: bool (N,), whether its box was right.
        sequences: N names of the sequences that the frames are of.
    """

    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    sequences: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Figures of a tracker, as the module says.

    Attributes:
        scores: What they are made of.
        held_out: float64 (N,), the scores after calibration on other sequences.
        platt: The numbers fitted on everything.
    """

    scores: Scores
    held_out: NDArray[np.float64]
    platt: Platt

    @property
    def errors(self) -> tuple[float, float]:
        """ECE and Brier score as they are."""
        return _errors(self.scores.score, self.scores.right)

    @property
    def held_out_errors(self) -> tuple[float, float]:
        """ECE and Brier score after calibration."""
        return _errors(self.held_out, self.scores.right)

    @property
    def pays(self) -> bool:
        """Whether calibration lowers both."""
        pairs = zip(self.held_out_errors, self.errors, strict=True)
        return all(after < before for after, before in pairs)


def main(arguments: list[str] | None = None) -> None:
    """Track, print, and write what was asked for."""
    options = _parse(arguments)
    cv2.setNumThreads(1)
    try:
        if options.plot and options.plot.suffix.lower().lstrip(".") not in FORMATS:
            raise UsageError(f"{options.plot}: expected a name that ends in .png or .svg")
        entrants = enter(options.model, [], parse_settings(options.set))
        sequences = find_sequences(options.root)
        results = {}
        for entrant in entrants:
            scores = collect(open_follower(entrant), sequences, options.hidden, options.seed)
            results[entrant.name] = judge(scores)
        facts = describe(1)
        if options.json:
            write_json(options.json, entrants, results, facts)
        if options.plot:
            save_figure(draw(results), options.plot)
    except BinvisionError as error:
        sys.exit(f"error: {error}")
    report(results)
    print("  ".join(f"{name} {value}" for name, value in facts.items()))


def collect(
    follower: Follower, sequences: Sequence[TargetSequence], hidden: int, seed: int
) -> Scores:
    """Run a tracker over everything.

    Args:
        follower: The tracker.
        sequences: What it follows.
        hidden: Number of clips with a hidden target, of each kind of each sequence.
        seed: Of those.

    Raises:
        BinvisionError: The tracker fails, or a picture cannot be read.
    """
    runs = [*_plain_runs(follower, sequences)]
    if hidden:
        runs += _hidden_runs(follower, sequences, hidden, seed)
    return Scores(
        np.concatenate([score for _, score, _ in runs]),
        np.concatenate([right for _, _, right in runs]),
        tuple(name for name, score, _ in runs for _ in score),
    )


def judge(scores: Scores) -> Reliability:
    """Calibrate, on everything and on all other sequences."""
    return Reliability(
        scores,
        fit_held_out(scores.score, scores.right, scores.sequences),
        fit_platt(scores.score, scores.right),
    )


def report(results: dict[str, Reliability]) -> None:
    """Print a line for each tracker, and the numbers of those for which they pay."""
    table = Table(box=SIMPLE_HEAD)
    for header in ("tracker", "frames", "right", "mean score", "ECE", "Brier", "ECE calibrated",
                   "Brier calibrated", "scale", "bias"):  # fmt: skip
        table.add_column(header, justify="left" if header == "tracker" else "right")
    for name, one in results.items():
        numbers = [f"{one.platt.scale:.3f}", f"{one.platt.bias:+.3f}"] if one.pays else ["-", "-"]
        table.add_row(
            name,
            str(len(one.scores.score)),
            f"{one.scores.right.mean():.1%}",
            f"{one.scores.score.mean():.3f}",
            *(f"{value:.4f}" for value in (*one.errors, *one.held_out_errors)),
            *numbers,
        )
    Console(width=120).print(table)


def write_json(
    path: Path,
    entrants: Sequence[Entrant],
    results: dict[str, Reliability],
    facts: dict[str, str],
) -> None:
    """Write figures and bins, with what exactly was measured and where.

    Raises:
        SinkError: The file cannot be written.
    """
    trackers = []
    for entrant in entrants:
        one = results[entrant.name]
        right = one.scores.right
        trackers.append(
            {
                "name": entrant.name,
                "identity": entrant.identity(),
                "frames": len(right),
                "right": float(right.mean()),
                **dict(zip(("ece", "brier"), one.errors, strict=True)),
                "bins": [asdict(b) for b in reliability(one.scores.score, right)],
                "platt": asdict(one.platt),
                "calibrated": {
                    **dict(zip(("ece", "brier"), one.held_out_errors, strict=True)),
                    "bins": [asdict(b) for b in reliability(one.held_out, right)],
                    "pays": one.pays,
                },
            }
        )
    document = {"machine": facts, "trackers": trackers}
    write_atomically(path, json.dumps(document, indent=1) + "\n")


def draw(results: dict[str, Reliability]) -> Figure:
    """Share of right boxes against score, and how often a score is given."""
    figure, (diagram, histogram) = make_panels(2, 2 * len(results))
    lines, counts = [], []
    for name, one in results.items():
        for words, score, errors in (
            (name, one.scores.score, one.errors),
            (f"{name}, calibrated on other sequences", one.held_out, one.held_out_errors),
        ):
            bins = reliability(score, one.scores.right)
            means = np.array([[b.confidence, b.right] for b in bins if b.frames])
            lines.append(Line(len(lines), f"{errors[0]:.3f}  {words}", *means.T))
            middles = [b.low + 0.5 / len(bins) for b in bins]
            shares = [b.frames / len(score) for b in bins]
            counts.append(Line(len(counts), words, middles, shares))
    diagram.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=0)
    diagram.set(title="Reliability", xlabel="score", ylabel="part of the boxes that are right",
                xlim=(0, 1), ylim=(0, 1))  # fmt: skip
    draw_lines(diagram, lines, "ECE")
    histogram.set(title="Scores given", xlabel="score", ylabel="part of the frames",
                  xlim=(0, 1), ylim=(0, None))  # fmt: skip
    draw_lines(histogram, counts, "tracker")
    return figure


_Run = tuple[str, NDArray[np.float64], NDArray[np.bool_]]


def _plain_runs(follower: Follower, sequences: Sequence[TargetSequence]) -> Iterator[_Run]:
    for sequence in sequences:
        truth = sequence.truth_xywh - np.array([sequence.origin, sequence.origin, 0, 0])
        for run in plan_runs(sequence.visible, STARTS):
            frames = (read_image(sequence.frames[index]) for index in run)
            x, y, w, h = truth[run[0]].tolist()
            results = follow(follower, frames, (x, y, w, h))
            order = np.array(run)
            counted = sequence.visible[order]
            counted[0] = False
            overlap = overlaps([result.box_xywh for result in results], truth[order])
            score = np.array([result.score for result in results])
            yield sequence.name, score[counted], (overlap >= LEAST_OVERLAP)[counted]


def _hidden_runs(
    follower: Follower, sequences: Sequence[TargetSequence], count: int, seed: int
) -> Iterator[_Run]:
    for clip in make_clips(sequences, count, seed):
        x, y, w, h = clip.truth_xywh[0].tolist()
        results = follow(follower, clip.frames, (x, y, w, h))
        counted = clip.states != PASSING
        counted[0] = False
        overlap = overlaps([result.box_xywh for result in results], clip.truth_xywh)
        right = (overlap >= LEAST_OVERLAP) & (clip.states != HIDDEN)
        score = np.array([result.score for result in results])
        yield clip.sequence, score[counted], right[counted]


def _errors(score: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    return calibration_error(score, right), brier(score, right)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", required=True, action="append",
                        help="sequences as for binvision eval folder; repeatable")  # fmt: skip
    parser.add_argument("--model", required=True, action="append",
                        help="shipped model, packed file or .pth; repeatable")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="replace a setting of the models; repeatable")  # fmt: skip
    parser.add_argument("--hidden", type=int, default=0, metavar="CLIPS",
                        help="clips with a hidden target, of each kind of a sequence")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="another seed, other hidden clips")
    parser.add_argument("--json", type=Path, help="write figures and bins")
    parser.add_argument("--plot", type=Path, help="draw them, in .svg or .png")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
