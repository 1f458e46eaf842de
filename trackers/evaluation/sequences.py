"""Annotated sequences on disk, in the two layouts that most people have.

``folder``  NAME/*.jpg and NAME/groundtruth.txt, as GOT-10k has it and as users make it
``otb``     NAME/img/*.jpg and NAME/groundtruth_rect.txt, the Object Tracking Benchmark's own

Boxes are ``x,y,width,height``, one a line, separated by commas, tabs or spaces. Where the target
is absent the line holds NaN, or a box without area; such frames are tracked but not scored.

Pixel origin: OTB was made with MATLAB, and its boxes count pixels from 1. The got10k toolkit and
the official code hand them to the tracker as they are, and each C or Python tracker has to
subtract 1 by itself; here the sequence knows its origin, and trackers always see boxes that count
from 0. Result files and scores keep the convention of the ground truth. A ``folder`` counts
from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from binvision.errors import DataError
from binvision.media.boxes import read_boxes
from binvision.media.images import list_images, natural_key

__all__ = ["LAYOUTS", "Found", "Sequence", "find_sequences"]

LAYOUTS = ("folder", "otb")

# Sequences whose ground truth covers only part of the pictures: (first, last), counted from 1,
# from the benchmark's page, http://cvlab.hanyang.ac.kr/tracker_benchmark/datasets.html
_OTB_RANGES = {
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}


@dataclass(frozen=True, eq=False)
class Sequence:
    """One target in one recording.

    Attributes:
        name: Unique among the sequences that are evaluated together.
        layout: ``"folder"`` or ``"otb"``.
        frames: Pictures in order.
        truth_xywh: float64 ``[len(frames), 4]``, pixels, as the file counts them.
        origin: What the file calls the first pixel: 0, or 1 for OTB.
        attributes: Names of what makes it hard, as its benchmark has them; empty where unknown.
        cover: int ``[len(frames)]``, GOT-10k's visible share in eighths, 0..8, or None.
        resolution_wh: Size of the pictures in pixels where the benchmark states it, or None.
    """

    name: str
    layout: str
    frames: tuple[Path, ...]
    truth_xywh: np.ndarray
    origin: int
    attributes: tuple[str, ...] = ()
    cover: np.ndarray | None = None
    resolution_wh: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def visible(self) -> np.ndarray:
        """bool ``[len(frames)]``: the target has a box with area in this frame, and is in sight."""
        finite = np.isfinite(self.truth_xywh).all(axis=1)
        seen = finite & (self.truth_xywh[:, 2:] > 0).all(axis=1)
        return seen if self.cover is None else seen & (self.cover > 0)

    @property
    def scored(self) -> bool:
        """Whether there is truth beside the box that starts it; GOT-10k's test set has none."""
        return int(self.visible.sum()) > 1


@dataclass(frozen=True)
class Found:
    """What a benchmark's root holds.

    Attributes:
        sequences: Those that can be evaluated, in the benchmark's order; at least one.
        skipped: (name, reason) of those that cannot, where the caller wanted to keep going.
    """

    sequences: tuple[Sequence, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def find_sequences(roots: Iterable[str | Path], layout: str | None = None) -> tuple[Sequence, ...]:
    """Read every sequence under the given roots, sorted by name within each root.

    Args:
        roots: Folders of sequences, or sequences themselves. The layout is recognised for each
            sequence, so that collections of both kinds can be pooled.
        layout: Accept only this layout; None accepts both.

    Raises:
        DataError: a root is missing or holds no sequence, two sequences have one name, a ground
            truth cannot be read, or it does not fit the pictures.
    """
    found: dict[str, tuple[Sequence, Path]] = {}
    for root in map(Path, roots):
        for sequence, folder in _sequences_under(root, layout):
            if sequence.name in found:
                raise DataError(
                    f"two sequences are called {sequence.name}: {found[sequence.name][1]} and "
                    f"{folder}; rename one of the folders"
                )
            found[sequence.name] = (sequence, folder)
    return tuple(sequence for sequence, _ in found.values())


def _sequences_under(root: Path, layout: str | None) -> list[tuple[Sequence, Path]]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --root expects a folder of sequences")
    if any(root.glob("groundtruth*.txt")):
        folders = [root]
    else:
        folders = sorted(child for child in root.iterdir() if child.is_dir())
    found = [(sequence, folder) for folder in folders for sequence in _load(folder, layout)]
    if not found:
        wanted = {
            "folder": "NAME/*.jpg with NAME/groundtruth.txt",
            "otb": "NAME/img/*.jpg with NAME/groundtruth_rect.txt",
        }
        expected = " or ".join(wanted[name] for name in LAYOUTS if layout in (None, name))
        raise DataError(f"{root}: no sequences found; expected {expected}")
    return found


def _load(folder: Path, layout: str | None) -> list[Sequence]:
    """The sequences of one folder: several where OTB annotates several targets, or none."""
    if layout in (None, "otb"):
        truths = sorted(folder.glob("groundtruth_rect*.txt"))
        # Human4 comes with an empty first file beside the real second one.
        truths = [path for path in truths if path.read_bytes().strip()] or truths
        if truths:
            return [_load_otb(folder, truth, single=len(truths) == 1) for truth in truths]
    if layout in (None, "folder"):
        truth = folder / "groundtruth.txt"
        pictures = _pictures_in(folder)
        if truth.exists():
            return [_sequence(folder.name, "folder", pictures, truth, origin=0)]
        if pictures:
            raise DataError(f"{folder}: {len(pictures)} pictures but no groundtruth.txt")
    return []


def _load_otb(folder: Path, truth: Path, *, single: bool) -> Sequence:
    pictures = _pictures_in(folder / "img")
    first, last = _OTB_RANGES.get(folder.name, (1, len(pictures)))
    suffix = "" if single else truth.stem.removeprefix("groundtruth_rect")
    return _sequence(folder.name + suffix, "otb", pictures[first - 1 : last], truth, origin=1)


def _sequence(name: str, layout: str, pictures: list[Path], truth: Path, origin: int) -> Sequence:
    boxes = read_boxes(truth)
    if len(boxes) != len(pictures):
        missing = _first_gap(pictures) if len(pictures) < len(boxes) else ""
        raise DataError(
            f"{truth}: {len(boxes)} boxes for {len(pictures)} pictures; "
            f"expected one box a picture{missing}"
        )
    sequence = Sequence(name, layout, tuple(pictures), boxes, origin)
    if not sequence.visible[0]:
        raise DataError(f"{truth}: line 1: the first box has no area; tracking starts from it")
    if sequence.visible.sum() < 2:
        raise DataError(f"{truth}: only one frame has a box; expected at least two to score")
    return sequence


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(list_images(folder), key=natural_key) if folder.is_dir() else []


def _first_gap(pictures: list[Path]) -> str:
    """Name the first picture that the numbering skips, as the likely cause of a short list."""
    for before, after in zip(pictures, pictures[1:], strict=False):
        if before.stem.isdigit() and after.stem.isdigit():
            expected = int(before.stem) + 1
            if int(after.stem) != expected:
                return f"; {before.with_stem(str(expected).zfill(len(before.stem)))} is missing"
    return ""
