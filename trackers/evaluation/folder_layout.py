"""Sequences of one's own: NAME/*.jpg and NAME/groundtruth.txt, boxes counted from 0.

Boxes are ``x,y,width,height``, one a line, separated by commas, tabs or spaces. Sequences in the
layout of OTB (`otb_layout`) may stand among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from binvision.errors import DataError
from binvision.media.boxes import read_boxes
from binvision.trackers.evaluation.otb_layout import load_otb, otb_targets
from binvision.trackers.evaluation.recognition import no_sequences
from binvision.trackers.evaluation.sequences import Found, Sequence, checked, list_frames, load_all

__all__ = ["find_folders", "find_sequences"]


def find_sequences(roots: Iterable[str | Path], layout: str | None = None) -> tuple[Sequence, ...]:
    """Read every sequence under the given roots; see `find_folders`."""
    return find_folders(roots, layout).sequences


def find_folders(
    roots: Iterable[str | Path], layout: str | None = None, keep_going: bool = False
) -> Found:
    """Read every sequence under the given roots, sorted by name within each root.

    Args:
        roots: Folders of sequences, or sequences themselves. The layout is recognised for each
            sequence, so that collections of both kinds can be pooled.
        layout: Accept only ``"folder"`` or only ``"otb"``; None accepts both.
        keep_going: Skip sequences that cannot be used.

    Raises:
        DataError: a root is missing or holds no sequence, two sequences have one name, a ground
            truth cannot be read, or it does not fit the pictures.
    """
    found: dict[str, tuple[Path, Callable[[], Sequence]]] = {}
    for root in map(Path, roots):
        for name, folder, load in _sequences_under(root, layout):
            if name in found and found[name][0].resolve() == folder.resolve():
                raise DataError(f"{folder}: given twice; name each --root once")
            if name in found:
                raise DataError(
                    f"two sequences are called {name}: {found[name][0]} and {folder}; "
                    f"rename one of the folders"
                )
            found[name] = folder, load
    return load_all({name: load for name, (_, load) in found.items()}, keep_going)


_Loader = tuple[str, Path, Callable[[], Sequence]]


def _sequences_under(root: Path, layout: str | None) -> list[_Loader]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --root expects a folder of sequences")
    if any(root.glob("groundtruth*.txt")):
        folders = [root]
    else:
        folders = sorted(child for child in root.iterdir() if child.is_dir())
    found = [loader for folder in folders for loader in _targets(folder, layout)]
    if not found:
        raise no_sequences(root, (layout,) if layout else ("folder", "otb"), "sequences")
    return found


def _targets(folder: Path, layout: str | None) -> Iterator[_Loader]:
    """The sequences of one folder: several where OTB annotates several targets, or none."""
    targets = otb_targets(folder) if layout != "folder" else {}
    for name, truth in targets.items():
        yield name, folder, partial(load_otb, name, truth)
    if not targets and layout != "otb":
        frames = list_frames(folder)
        if frames or (folder / "groundtruth.txt").exists():
            yield folder.name, folder, partial(_load_folder, folder, frames)


def _load_folder(folder: Path, frames: tuple[Path, ...]) -> Sequence:
    truth = folder / "groundtruth.txt"
    if not truth.exists():
        raise DataError(f"{folder}: {len(frames)} pictures but no groundtruth.txt")
    return checked(Sequence(folder.name, "folder", frames, read_boxes(truth), 0), truth)
