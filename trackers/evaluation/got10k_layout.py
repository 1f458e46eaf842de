"""GOT-10k's layout.

    val/list.txt, test/list.txt      names of the sequences
    val/NAME/00000001.jpg            pictures
    val/NAME/groundtruth.txt         x,y,w,h a picture; in test only the first
    val/NAME/cover.label             visible share of the target in eighths, 0..8, a picture
    val/NAME/absence.label           1 where the target is absent
    val/NAME/meta_info.ini           size of the pictures, class of object and motion

Frames with cover 0 are tracked but not scored, as in the official report; ``absence.label`` says
the same once more and is read where there is no ``cover.label``. Attributes are the classes of
object and motion (``animal``, ``swimming``), the broadest of the four that ``meta_info.ini`` has.

Boxes count pixels from 1: so says the benchmark's author in issue 6 of the got10k toolkit, and the
toolkit's SiamFC subtracts 1.

Reference:
    Huang, Zhao, Huang: GOT-10k, TPAMI 2021, arXiv 1810.11981.
"""

from __future__ import annotations

import configparser
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
    first_gap,
    list_frames,
    load_all,
    read_text,
    require_all,
    require_fit,
)

__all__ = ["SPLITS", "find_got10k", "read_list"]

SPLITS = ("val", "test")

_ATTRIBUTES = ("root_class", "motion_class")


def find_got10k(root: Path, keep_going: bool, split: str | None) -> Found:
    """Read one split from the folder that holds the splits, or from the split's own.

    Args:
        root: Where it is.
        keep_going: Skip sequences that are missing or cannot be used.
        split: ``"val"`` or ``"test"``; None takes val, or test if only that is there.

    Raises:
        DataError: the root is something else, a listed sequence is missing or cannot be used.
    """
    expect_layout(root, "got10k", "GOT-10k")
    folder = _split_folder(root, split)
    names = read_list(folder / "list.txt")
    if not keep_going:
        absent = [name for name in names if not (folder / name).is_dir()]
        require_all(folder, f"sequences of GOT-10k {folder.name}", absent, len(names))
    only_start = (split or folder.name) == "test"
    return load_all({name: partial(_load, folder / name, only_start) for name in names}, keep_going)


def _split_folder(root: Path, split: str | None) -> Path:
    if (root / "list.txt").exists():
        if split and root.name in SPLITS and root.name != split:
            raise DataError(f"{root}: this is the split {root.name}, but --split is {split}")
        return root
    wanted = [root / name for name in ((split,) if split else SPLITS)]
    present = next((folder for folder in wanted if folder.is_dir()), None)
    if present is None:
        raise DataError(f"{root / wanted[0].name}: no such folder; GOT-10k's split is missing")
    return present


def read_list(path: Path) -> tuple[str, ...]:
    """Names of a split's sequences.

    Raises:
        DataError: the list cannot be read or is empty.
    """
    lines = map(str.strip, read_text(path).splitlines())
    names = dict.fromkeys(line for line in lines if line)
    if not names:
        raise DataError(f"{path}: is empty; expected the names of the sequences, one a line")
    return tuple(names)


def _load(folder: Path, only_start: bool) -> Sequence:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, but list.txt names it")
    truth = folder / "groundtruth.txt"
    boxes, frames = read_boxes(truth), list_frames(folder)
    if gap := first_gap(frames):
        raise DataError(f"{gap}: no such picture, but there are later ones")
    only_start = only_start and len(boxes) == 1
    if only_start and frames:
        boxes = np.vstack([boxes, np.full((len(frames) - 1, 4), np.nan)])
    require_fit(truth, boxes, frames)
    meta = _read_meta(folder / "meta_info.ini")
    sequence = Sequence(
        name=folder.name,
        layout="got10k",
        frames=frames,
        truth_xywh=boxes,
        origin=1,
        attributes=tuple(meta[key] for key in _ATTRIBUTES if key in meta),
        cover=_read_cover(folder, len(boxes)),
        resolution_wh=_resolution(meta, folder),
    )
    return checked(sequence, truth, only_start=only_start)


def _read_cover(folder: Path, boxes: int) -> np.ndarray | None:
    path = folder / "cover.label"
    if path.exists():
        return _read_label(path, boxes, 8)
    path = folder / "absence.label"
    return 8 * (1 - _read_label(path, boxes, 1)) if path.exists() else None


def _read_label(path: Path, boxes: int, highest: int) -> np.ndarray:
    words = read_text(path).split()
    wrong = [word for word in words if not (word.isdecimal() and int(word) <= highest)]
    if wrong:
        raise DataError(f"{path}: expected numbers 0 to {highest}, one a line; found {wrong[0]!r}")
    if len(words) != boxes:
        raise DataError(f"{path}: {len(words)} labels for {boxes} boxes; expected one a box")
    return np.array(words, dtype=np.int64)


def _read_meta(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    parser = configparser.ConfigParser(interpolation=None, delimiters=(":",))
    try:
        parser.read_string(read_text(path))
        return dict(parser["METAINFO"])
    except (configparser.Error, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: expected [METAINFO] and lines key: value ({reason})") from error


def _resolution(meta: dict[str, str], folder: Path) -> tuple[int, int] | None:
    if "resolution" not in meta:
        return None
    match = re.fullmatch(r"\(\s*([1-9]\d*)\s*,\s*([1-9]\d*)\s*\)", meta["resolution"])
    if not match:
        raise DataError(
            f"{folder / 'meta_info.ini'}: resolution: expected (width, height), "
            f"found {meta['resolution']!r}"
        )
    return int(match[1]), int(match[2])
