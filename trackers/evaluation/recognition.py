"""Which benchmark a folder holds, and what to say where it is another one than the user named."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from binvision.errors import DataError

__all__ = ["expect_layout", "no_sequences"]

# Subfolders that are searched for what the root itself does not hold.
_SEARCHED = 20


@dataclass(frozen=True)
class _Layout:
    """How a benchmark lies on disk.

    Attributes:
        title: What people call it.
        signs: Patterns under the root; a file that matches one of them gives it away.
        expected: The layout in a few words.
        names: What to write on the command line.
    """

    title: str
    signs: tuple[str, ...]
    expected: str
    names: str


def _uav(title: str, frames: str, name: str) -> _Layout:
    return _Layout(
        title,
        (f"anno/{title}/*.txt",),
        f"anno/{title}/NAME.txt and data_seq/{frames}/FOLDER/000001.jpg",
        name,
    )


# Special ones first: GOT-10k's val and test folders are sequences of the plain kind, too.
_LAYOUTS = {
    "got10k": _Layout(
        "GOT-10k",
        ("list.txt", *(f"{s}/{n}" for s in ("val", "test") for n in ("list.txt", "*/*.label"))),
        "val/list.txt or test/list.txt with val/NAME/00000001.jpg and val/NAME/groundtruth.txt",
        "got10k",
    ),
    "uav123": _uav("UAV123", "UAV123", "uav123"),
    "uav123_10fps": _uav("UAV123_10fps", "UAV123_10fps", "uav123_10fps"),
    "uav20l": _uav("UAV20L", "UAV123", "uav20l"),
    "otb": _Layout(
        "OTB",
        ("*/groundtruth_rect*.txt", "groundtruth_rect*.txt"),
        "NAME/img/*.jpg with NAME/groundtruth_rect.txt",
        "otb100, otb50, otb2013 or otb",
    ),
    "folder": _Layout(
        "a folder of sequences",
        ("*/groundtruth.txt", "groundtruth.txt"),
        "NAME/*.jpg with NAME/groundtruth.txt",
        "folder",
    ),
}


def expect_layout(root: Path, layout: str, title: str) -> None:
    """Make sure that a root holds the benchmark that the user named.

    Args:
        root: Where to look.
        layout: ``"got10k"``, ``"otb"``, ``"uav123"``, ``"uav123_10fps"`` or ``"uav20l"``.
        title: The benchmark's name, for the message.

    Raises:
        DataError: there is no such folder, or it holds something else.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; --root expects the folder of {title}")
    if not _holds(root, layout):
        raise no_sequences(root, (layout,), title)


def no_sequences(root: Path, layouts: tuple[str, ...], title: str) -> DataError:
    """Word the error of a root without the expected layouts; say what it looks like instead."""
    expected = " or ".join(_LAYOUTS[layout].expected for layout in layouts)
    return DataError(f"{root}: no {title} found; expected {expected}{_hint(root, layouts)}")


def _hint(root: Path, wanted: tuple[str, ...]) -> str:
    for layout, facts in _LAYOUTS.items():
        if layout not in wanted and _holds(root, layout):
            return f"; it looks like {facts.title}: evaluate {facts.names}"
    children = sorted(child for child in root.iterdir() if child.is_dir())
    for child in islice(children, _SEARCHED):
        if any(_holds(child, layout) for layout in wanted):
            return f"; {child} looks right: use it as --root"
    return ""


def _holds(root: Path, layout: str) -> bool:
    return any(next(root.glob(sign), None) for sign in _LAYOUTS[layout].signs)
