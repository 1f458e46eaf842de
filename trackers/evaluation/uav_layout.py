"""UAV123's layout, for UAV123, UAV123_10fps and the long UAV20L.

    anno/UAV123/NAME.txt         x,y,w,h a picture; NaN where the target is out of view
    anno/UAV123/att/NAME.txt     twelve flags, 1 where the sequence has an attribute
    data_seq/UAV123/FOLDER/      pictures, 000001.jpg and on

Several sequences share a folder of pictures (``bird1_1`` to ``bird1_3`` are parts of ``bird1``);
which pictures are whose stands in the benchmark's configuration. UAV20L uses the folders of UAV123,
UAV123_10fps has its own.

The benchmark is evaluated with OTB's MATLAB code, which hands its boxes to the trackers as it does
OTB's; its authors state no other counting, so its pixels count from 1 as well.

Reference:
    Mueller, Smith, Ghanem: A Benchmark and Simulator for UAV Tracking, ECCV 2016,
    doi 10.1007/978-3-319-46448-0_27.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from binvision.errors import DataError
from binvision.media.boxes import read_boxes
from binvision.trackers.evaluation.recognition import expect_layout
from binvision.trackers.evaluation.sequences import (
    Found,
    Sequence,
    checked,
    load_all,
    read_text,
    require_all,
)
from binvision.trackers.evaluation.toolkit_lists import Span, uav_spans

__all__ = ["ATTRIBUTES", "find_uav"]

# In the order of the columns of att/*.txt.
ATTRIBUTES = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")


def find_uav(root: Path, title: str, keep_going: bool) -> Found:
    """Read UAV123, UAV123_10fps or UAV20L from the folder that holds its anno and data_seq.

    Raises:
        DataError: the root is something else, a listed sequence is missing or cannot be used.
        MissingExtraError: the got10k toolkit, which carries the configuration, is not installed.
    """
    expect_layout(root, title.lower(), title)
    truths = root / "anno" / title
    pictures = root / "data_seq" / ("UAV123_10fps" if title == "UAV123_10fps" else "UAV123")
    spans = uav_spans(title)
    if not keep_going:
        absent = [
            name
            for name, span in spans.items()
            if not (truths / f"{name}.txt").exists() or not (pictures / span.folder).is_dir()
        ]
        require_all(root, f"sequences of {title}", absent, len(spans))
    names_in = cache(_names_in)  # shared folders are listed once
    loaders = {
        name: partial(_load, truths / f"{name}.txt", pictures / span.folder, span, names_in)
        for name, span in sorted(spans.items())
    }
    return load_all(loaders, keep_going)


def _load(
    truth: Path, folder: Path, span: Span, names_in: Callable[[Path], frozenset[str]]
) -> Sequence:
    boxes = read_boxes(truth)
    frames = tuple(folder / f"{number:06d}.jpg" for number in range(span.first, span.last + 1))
    present = names_in(folder)
    missing = [path for path in frames if path.name not in present]
    if missing:
        raise DataError(
            f"{missing[0]}: no such picture; {truth.stem} is {frames[0].name} to "
            f"{frames[-1].name} of this folder, and {len(missing)} of them are missing"
        )
    attributes = _read_attributes(truth.parent / "att" / truth.name)
    return checked(Sequence(truth.stem, "uav", frames, boxes, 1, attributes), truth)


def _names_in(folder: Path) -> frozenset[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected pictures 000001.jpg and on")
    return frozenset(path.name for path in folder.iterdir())


def _read_attributes(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    flags = read_text(path).replace(",", " ").split()
    if len(flags) != len(ATTRIBUTES) or not set(flags) <= {"0", "1"}:
        raise DataError(
            f"{path}: expected {len(ATTRIBUTES)} flags 0 or 1, one for each of "
            f"{', '.join(ATTRIBUTES)}; found {' '.join(flags)[:60]!r}"
        )
    return tuple(name for name, flag in zip(ATTRIBUTES, flags, strict=True) if flag == "1")
