"""The Object Tracking Benchmark's layout: NAME/img/*.jpg and NAME/groundtruth_rect.txt.

Boxes count pixels from 1, as all of the benchmark's MATLAB code does. Its odd sequences:

- ``David``, ``Diving``, ``Football1``, ``Freeman3`` and ``Freeman4`` have boxes for a part of
  their pictures only.
- ``Jogging`` and ``Skating2`` follow two targets, in ``groundtruth_rect.1.txt`` and ``.2.txt``.
  Their sequences are called ``Jogging.1`` and ``Jogging.2``, as the got10k toolkit calls them and
  its result files; papers write Jogging-1. ``Human4`` has an empty ``.1.txt`` beside the real
  ``.2.txt`` and is one sequence.
- ``Tiger1`` starts in frame 6: the benchmark's own list of frames that are no good to start from
  covers the first five, and its one-pass evaluation leaves them out. The got10k toolkit does not
  know that and starts in frame 1. Here these frames stay in the sequence, so that its files keep
  one line a picture, but they have no true box.

Attributes stand in ``NAME/attrs.txt`` where a copy of the benchmark carries that file, as the
authors' Python toolkit does (``SV, OCC, DEF``); elsewhere they are unknown.

Reference:
    Wu, Lim, Yang: Object Tracking Benchmark, TPAMI 2015, doi 10.1109/TPAMI.2014.2388226.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from binvision.errors import DataError
from binvision.media.boxes import read_boxes
from binvision.trackers.evaluation.recognition import expect_layout
from binvision.trackers.evaluation.sequences import (
    Found,
    Sequence,
    checked,
    list_frames,
    load_all,
    read_text,
    require_all,
)
from binvision.trackers.evaluation.toolkit_lists import otb_folders

__all__ = ["ATTRIBUTES", "find_otb", "load_otb", "otb_targets"]

ATTRIBUTES = ("IV", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OPR", "OV", "BC", "LR")

# (first, last) picture with a box, counted from 1; from the benchmark's page,
# http://cvlab.hanyang.ac.kr/tracker_benchmark/datasets.html
_RANGES = {
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}

# Frames at the beginning that one-pass evaluation leaves out; from `initOmit` of the benchmark.
_OMITTED = {"Tiger1": 5}


def find_otb(root: Path, title: str, keep_going: bool) -> Found:
    """Read OTB2013, OTB50 or OTB100 from a folder that holds its sequences, perhaps among others.

    Raises:
        DataError: the root is something else, a listed sequence is missing or cannot be used.
        MissingExtraError: the got10k toolkit, which carries the lists, is not installed.
    """
    expect_layout(root, "otb", title)
    folders = [root / name for name in sorted(otb_folders(title))]
    targets = {folder: otb_targets(folder) for folder in folders}
    if not keep_going:
        absent = [folder.name for folder, found in targets.items() if not found]
        require_all(root, f"folders of {title}", absent, len(folders))
    loaders = {
        name: partial(load_otb, name, truth)
        for folder, found in targets.items()
        for name, truth in (found or {folder.name: folder / "groundtruth_rect.txt"}).items()
    }
    return load_all(loaders, keep_going)


def otb_targets(folder: Path) -> dict[str, Path]:
    """Name of the sequence -> ground truth, for each target of a folder; none if it has no truth.

    A folder is its sequence's name, unless it has several targets.
    """
    truths = sorted(path for path in folder.glob("groundtruth_rect*.txt") if path.is_file())
    truths = [path for path in truths if path.read_bytes().strip()] or truths
    if len(truths) == 1:
        return {folder.name: truths[0]}
    return {folder.name + path.stem.removeprefix("groundtruth_rect"): path for path in truths}


def load_otb(name: str, truth: Path) -> Sequence:
    """Read the sequence of one target.

    Raises:
        DataError: pictures or boxes are missing or cannot be used.
    """
    folder = truth.parent
    boxes = read_boxes(truth)
    omitted = _OMITTED.get(folder.name, 0)
    boxes[:omitted] = np.nan
    frames = list_frames(folder / "img")
    if folder.name in _RANGES and len(frames) != len(boxes):
        frames = _within(frames, *_RANGES[folder.name])
    attributes = _read_attributes(folder / "attrs.txt")
    return checked(Sequence(name, "otb", frames, boxes, 1, attributes), truth, start=omitted)


def _within(frames: tuple[Path, ...], first: int, last: int) -> tuple[Path, ...]:
    """By the numbers in the names: a picture that is missing before the range does not matter."""
    return tuple(path for path in frames if path.stem.isdigit() and first <= int(path.stem) <= last)


def _read_attributes(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    named = set(re.split(r"[\s,]+", read_text(path))) - {""}
    if unknown := sorted(named - set(ATTRIBUTES)):
        raise DataError(
            f"{path}: {unknown[0]!r} is no attribute of OTB; expected some of "
            f"{', '.join(ATTRIBUTES)}"
        )
    return tuple(attribute for attribute in ATTRIBUTES if attribute in named)
