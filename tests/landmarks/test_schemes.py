"""Conventions of points against the data sets that define them."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import UsageError
from binvision.landmarks import SCHEMES, Scheme, find_scheme
from binvision.landmarks.annotations import read_point_set

DATA = os.environ.get("BINVISION_DATA")
COUNTS = {
    "face68": 68,
    "face98": 98,
    "face34": 34,
    "face29": 29,
    "face19": 19,
    "pose14": 14,
    "pose16": 16,
    "pose17": 17,
}
# Pairs that are known from elsewhere, as the data sets' tools swap them.
PAIRS = {
    "face68": [(0, 16), (7, 9), (17, 26), (21, 22), (31, 35), (36, 45), (37, 44), (39, 42)]
    + [(40, 47), (41, 46), (48, 54), (49, 53), (59, 55), (58, 56), (60, 64), (67, 65)],
    "face98": [(0, 32), (33, 46), (37, 42), (38, 50), (41, 47), (55, 59), (60, 72), (64, 68)]
    + [(65, 75), (67, 73), (76, 82), (87, 83), (88, 92), (95, 93), (96, 97)],
    "face29": [(0, 1), (4, 6), (2, 3), (5, 7), (8, 9), (10, 11), (12, 14), (16, 17), (13, 15)]
    + [(18, 19), (22, 23)],
    "face19": [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9), (12, 14), (15, 17)],
    "pose14": [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9)],
    "pose16": [(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)],
    "pose17": [(number, number + 1) for number in range(1, 17, 2)],
}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
def test_schemes_are_consistent(scheme: Scheme) -> None:
    count = COUNTS[scheme.name]
    assert len(scheme) == count == len(set(scheme.points))
    indices = [index for group in (*scheme.parts.values(), *scheme.lines) for index in group]
    assert all(0 <= index < count for index in indices)
    assert all(len(line) > 1 for line in scheme.lines)
    if scheme.mirror:
        assert [scheme.mirror[index] for index in scheme.mirror] == list(range(count))
    assert pickle.loads(pickle.dumps(scheme)) == scheme
    hash(scheme)


def test_names_are_those_of_the_table() -> None:
    assert set(SCHEMES) == set(COUNTS) and all(SCHEMES[name].name == name for name in SCHEMES)
    assert find_scheme("face68") is SCHEMES["face68"]
    with pytest.raises(UsageError, match="scheme 'face69' is unknown; expected one of face68, fac"):
        find_scheme("face69")


@pytest.mark.parametrize("name", PAIRS)
def test_mirror_images_are_those_of_the_data_sets(name: str) -> None:
    mirror = SCHEMES[name].mirror
    for first, second in PAIRS[name]:
        assert mirror[first] == second and mirror[second] == first
    if name != "face68" and name != "face98":  # there the list has some of the pairs only
        paired = {index for pair in PAIRS[name] for index in pair}
        assert all(mirror[index] == index for index in set(range(len(mirror))) - paired)


def test_every_point_of_68_is_in_one_part_and_on_a_line() -> None:
    scheme = SCHEMES["face68"]
    whole = ("jaw", "right_brow", "left_brow", "nose", "right_eye", "left_eye", "mouth")
    parts = [index for name in whole for index in scheme.parts[name]]
    assert sorted(parts) == list(range(68))
    assert scheme.parts["outer_lips"] + scheme.parts["inner_lips"] == scheme.parts["mouth"]
    assert {index for line in scheme.lines for index in line} == set(range(68))
    assert scheme.points[36] == "right_eye_outer" and scheme.points[8] == "chin"
    for name, indices in scheme.parts.items():
        side = name.partition("_")[0]
        if side in ("left", "right"):
            assert all(scheme.points[index].startswith(side) for index in indices)


@pytest.mark.parametrize("name", ["300w", "300wlp", "aflw", "cofw", "wflw"])
def test_points_of_real_faces_are_where_their_names_say(name: str) -> None:
    """Two to four faces of each set, whose annotations come from the set's own files."""
    if not DATA:
        pytest.skip("BINVISION_DATA does not name the folder of data")
    folder = Path(DATA) / "formats" / name
    data = read_point_set(folder / f"test_{name}.json", folder)
    assert len(data.pictures) >= 2
    names = data.scheme.points
    for picture in data.pictures:
        for index, image in enumerate(data.scheme.mirror):
            if names[index].startswith("right"):  # the picture's left
                assert picture.points[index, 0] < picture.points[image, 0], names[index]
        heights = [
            np.mean(
                [y for point, (_, y) in zip(names, picture.points, strict=True) if what in point]
            )
            for what in ("brow", "eye_", "nos", "mouth", "chin")
        ]
        assert heights == sorted(heights)
        height, width = picture.read().shape[:2]
        assert (picture.points > 0).all() and (picture.points < (width, height)).all()


def test_joints_are_in_the_order_of_coco_and_lsp() -> None:
    if not DATA:
        pytest.skip("BINVISION_DATA does not name the folder of data")
    for name, path in (
        ("pose14", "pose/lspet/test.json"),
        ("pose17", "formats/coco/test_coco.json"),
    ):
        content = json.loads((Path(DATA) / path).read_text())
        assert list(SCHEMES[name].points) == content["categories"][0]["keypoints"]


def test_faces_are_nearly_their_mirror_images() -> None:
    """The mean face, mirrored, is the mean face if the pairs are right."""
    if not DATA:
        pytest.skip("BINVISION_DATA does not name the folder of data")
    with np.load(Path(DATA) / "face/ytf68_test.npz") as archive:
        points = archive["landmarks"].astype(float)
    points = (points - points.mean(1, keepdims=True)) / points.std((1, 2), keepdims=True)
    mean = points.mean(0)
    mirrored = mean[list(SCHEMES["face68"].mirror)] * (-1, 1)
    assert np.abs(mean - mirrored).max() < 0.1
