"""300-W as its authors publish it: ``helen``, ``lfpw``, ``afw``, ``ibug``, pictures with ``.pts``.

The test set that papers call *full* are the 330 pictures of HELEN's test set and the 224 of LFPW's,
together the *common* subset, and the 135 of IBUG, the *challenging* one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from binvision.landmarks.formats.points import PointPicture, PointSet
from binvision.landmarks.formats.points_files import read_points_folder

__all__ = ["CHALLENGING", "COMMON", "read_300w_test"]

COMMON, CHALLENGING = "common", "challenging"

_TEST_PARTS = {"helen/testset": COMMON, "lfpw/testset": COMMON, "ibug": CHALLENGING}


def read_300w_test(root: Path) -> PointSet:
    """Read the test set, or any folder of pictures with ``.pts`` files.

    Args:
        root: Folder that holds the parts of the test set, of which some may be absent: what is
            absent is named in the set's name and problems. A folder without any of them is
            read whole.

    Raises:
        DataError: There is no ``.pts`` file, or none that can be used.
    """
    there = [name for name in _TEST_PARTS if (root / name).is_dir()]
    if not there:
        whole = read_points_folder(root)
        return replace(whole, name="/".join(root.resolve().parts[-2:]))
    pictures: list[PointPicture] = []
    problems: list[str] = []
    for name in there:
        part = read_points_folder(root / name)
        problems += part.problems
        pictures += [
            replace(picture, name=f"{name}/{picture.name}", subset=_TEST_PARTS[name])
            for picture in part.pictures
        ]
    absent = [name for name in _TEST_PARTS if name not in there]
    if absent:
        problems.append(
            f"{root}: {', '.join(absent)} is not there; this is not the whole test set of 300-W"
        )
    name = "+".join(there) if absent else "full"
    return PointSet(name, part.scheme, tuple(pictures), tuple(problems))
