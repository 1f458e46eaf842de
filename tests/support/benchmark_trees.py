"""Small trees in the official layouts of the benchmarks, of one rendered clip.

Pictures are hard links to the clip's, which is played again and again, so that even David's 770
pictures cost little. Boxes are written as the benchmarks count: from 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.support.footage import moving_patch

__all__ = ["Clip", "Uav", "render_clip", "write_got10k", "write_otb", "write_uav"]


@dataclass(frozen=True)
class Clip:
    """A target that moves back and forth.

    Attributes:
        pictures: 64x48 pixels.
        boxes_xywh: Where it is, pixels counted from 1.
    """

    pictures: tuple[Path, ...]
    boxes_xywh: np.ndarray

    def play(self, folder: Path, names: Iterable[str]) -> None:
        """Link the pictures into a folder under these names, in order."""
        folder.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(names):
            os.link(self.pictures[index % len(self.pictures)], folder / name)

    def boxes(self, count: int, first: int = 0) -> np.ndarray:
        """True boxes of so many pictures, from picture `first` on: [count, 4]."""
        return self.boxes_xywh[(first + np.arange(count)) % len(self.boxes_xywh)]


def render_clip(folder: Path) -> Clip:
    """Render the clip of all trees."""
    centres = [(24.0 + x, 22.0 + x / 2) for x in (0, 2, 4, 6, 4, 2)]
    frames, boxes = moving_patch(centres, size_hw=(48, 64), sides=[14.0] * len(centres))
    folder.mkdir(parents=True)
    pictures = tuple(folder / f"{index}.jpg" for index in range(len(frames)))
    for path, frame in zip(pictures, frames, strict=True):
        cv2.imwrite(str(path), frame)
    return Clip(pictures, boxes + [1, 1, 0, 0])


def write_lines(path: Path, rows: Iterable[Iterable[float]], separator: str = ",") -> None:
    """Write numbers, a row a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(f"{v:g}" for v in row) + "\n" for row in rows))


# GOT-10k

_META = """[METAINFO]
url: https://youtu.be/nowhere
begin: 00:00:01
end: 00:00:10
anno_fps: 10Hz
object_class: ctenophore
motion_class: swimming
major_class: invertebrate
root_class: animal
motion_adverb: slowly
resolution: (64, 48)
"""


def write_got10k(root: Path, clip: Clip, split: str, names: Iterable[str], frames: int = 6) -> Path:
    """Write one split; in its fourth frame the target is hidden. Returns the split's folder."""
    names = list(names)
    for name in names:
        folder = root / split / name
        clip.play(folder, (f"{number:08d}.jpg" for number in range(1, frames + 1)))
        boxes = clip.boxes(frames)
        if split == "test":
            write_lines(folder / "groundtruth.txt", boxes[:1])
        else:
            boxes[3] = [-1, -1, -1, -1]
            hidden = np.arange(frames) == 3
            write_lines(folder / "groundtruth.txt", boxes)
            write_lines(folder / "absence.label", hidden[:, None])
            write_lines(folder / "cover.label", np.where(hidden, 0, 8)[:, None])
            write_lines(folder / "cut_by_image.label", np.zeros((frames, 1)))
        (folder / "meta_info.ini").write_text(_META)
    (root / split / "list.txt").write_text("\n".join(names) + "\n")
    return root / split


# OTB: folder -> (pictures, boxes, number of the first picture); all others have four.

_OTB_SIZES = {
    "BlurCar1": (4, 4, 247),
    "David": (770, 471, 1),
    "Diving": (231, 215, 1),
    "Football1": (80, 74, 1),
    "Freeman3": (465, 460, 1),
    "Freeman4": (290, 283, 1),
    "Tiger1": (354, 354, 1),
}
_OTB_ATTRIBUTES = {"Crossing": "SV, DEF, FM, OPR, BC", "Walking": "SV, OCC, DEF,", "Car4": "SV ,IV"}


def write_otb(root: Path, clip: Clip, folders: Iterable[str]) -> Path:
    """Write folders of OTB, the odd ones as odd as they are; returns the root."""
    for index, name in enumerate(sorted(folders)):
        pictures, boxes, first = _OTB_SIZES.get(name, (4, 4, 1))
        folder = root / name
        clip.play(folder / "img", (f"{first + i:04d}.jpg" for i in range(pictures)))
        skipped = 299 if name == "David" else 0
        truth = clip.boxes(boxes, skipped)
        separator = (",", "\t", " ")[index % 3]
        if name in ("Jogging", "Skating2"):
            write_lines(folder / "groundtruth_rect.1.txt", truth, separator)
            write_lines(folder / "groundtruth_rect.2.txt", truth + [3, 0, 0, 0], separator)
        elif name == "Human4":
            (folder / "groundtruth_rect.1.txt").write_text("\n")
            write_lines(folder / "groundtruth_rect.2.txt", truth, separator)
        else:
            write_lines(folder / "groundtruth_rect.txt", truth, separator)
        if name in _OTB_ATTRIBUTES:
            (folder / "attrs.txt").write_text(_OTB_ATTRIBUTES[name])
    return root


# UAV123


@dataclass(frozen=True)
class Uav:
    """A sequence of UAV123, as the benchmark's configuration has it."""

    name: str
    folder: str
    first: int
    last: int


def write_uav(root: Path, clip: Clip, title: str, sequences: Iterable[Uav]) -> Path:
    """Write sequences of a version; each is hidden in its third frame. Returns the root."""
    frames = "UAV123_10fps" if title == "UAV123_10fps" else "UAV123"
    for sequence in sequences:
        count = sequence.last - sequence.first + 1
        names = (f"{number:06d}.jpg" for number in range(sequence.first, sequence.last + 1))
        clip.play(root / "data_seq" / frames / sequence.folder, names)
        boxes = clip.boxes(count)
        boxes[2] = np.nan
        write_lines(root / "anno" / title / f"{sequence.name}.txt", boxes)
        flags = [[int(column in (0, 3, 11)) for column in range(12)]]
        write_lines(root / "anno" / title / "att" / f"{sequence.name}.txt", flags)
    # The toolkit takes a folder of three entries or less for a failed download.
    for name in ("ReadMe.txt", "configSeqs.m"):
        (root / name).write_text("")
    return root
