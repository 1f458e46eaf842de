"""Pictures with points from folders, archives and COCO's JSON, whole and damaged."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import DataError
from binvision.landmarks.annotations import PointSet, read_point_set
from binvision.landmarks.schemes import find_scheme
from tests.support.face_archives import face, write_face_archive, write_points
from tests.support.point_sets import keypoints_row, write_keypoints_json
from tests.support.repository import ROOT

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data"))

POSE = np.random.default_rng(5).uniform(5, 55, (14, 2)).round(1)


def check_faces(data: PointSet, count: int) -> None:
    assert data.scheme.name == "face68" and data.problems == ()
    assert len({picture.name for picture in data.pictures}) == count
    for seed, picture in enumerate(data.pictures):
        image, points = face(seed)
        assert np.abs(picture.points - points).max() < 1e-3 and picture.points.dtype == np.float32
        assert picture.visible.all() and picture.box_xywh is None
        read = pickle.loads(pickle.dumps(picture.read))()
        assert read.shape == image.shape and np.abs(read.astype(int) - image).mean() < 3


def test_archives(tmp_path: Path) -> None:
    check_faces(read_point_set(write_face_archive(tmp_path / "faces.npz", 3)), 3)


def test_folders(tmp_path: Path) -> None:
    check_faces(read_point_set(write_points(tmp_path / "faces", 3)), 3)


def test_folders_of_folders_give_subsets(tmp_path: Path) -> None:
    write_points(tmp_path / "helen" / "testset", 2)
    write_points(tmp_path / "ibug", 1)
    data = read_point_set(tmp_path)
    assert {picture.name: picture.subset for picture in data.pictures} == {
        "helen/testset/face0.jpg": "helen/testset",
        "helen/testset/face1.jpg": "helen/testset",
        "ibug/face0.jpg": "ibug",
    }


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "faces", 4)
    (folder / "face0.pts").write_text("no points")
    (folder / "face1.jpg").unlink()
    (folder / "face2.jpg").write_bytes(b"")
    data = read_point_set(folder)
    assert [picture.name for picture in data.pictures] == ["face3.jpg"]
    problems = "\n".join(data.problems)
    assert "face0.pts: not 68 points between braces" in problems
    assert "face1.pts: no picture of the same name beside it" in problems
    assert "face2.jpg: is empty" in problems


def test_json_of_joints(tmp_path: Path) -> None:
    flags = [2] * 12 + [1, 0]
    path = write_keypoints_json(tmp_path, [("a.png", keypoints_row(POSE, flags))])
    data = read_point_set(path)
    (picture,) = data.pictures
    assert data.scheme is find_scheme("pose14") and picture.name == "a.png"
    assert np.array_equal(picture.points[:13], POSE[:13].astype(np.float32))
    assert np.isnan(picture.points[13]).all()
    assert picture.visible.tolist() == [True] * 12 + [False, False]
    assert picture.box_xywh is not None and picture.box_xywh.tolist() == [1, 2, 30, 40]
    assert picture.read().shape == (60, 80, 3)


def test_one_means_visible_where_two_is_not_used(tmp_path: Path) -> None:
    path = write_keypoints_json(tmp_path, [("a.png", keypoints_row(POSE, [1] * 13 + [0]))])
    (picture,) = read_point_set(path).pictures
    assert picture.visible.tolist() == [True] * 13 + [False]


def test_several_subjects_in_a_picture_have_names_of_their_own(tmp_path: Path) -> None:
    rows = [("a.png", keypoints_row(POSE)), ("a.png", keypoints_row(POSE + 1))]
    data = read_point_set(write_keypoints_json(tmp_path, [*rows, ("b.png", rows[0][1])]))
    assert [picture.name for picture in data.pictures] == ["a.png#100", "a.png#101", "b.png"]


def test_joints_in_another_order_are_sorted_by_their_names(tmp_path: Path) -> None:
    names = find_scheme("pose14").points
    path = write_keypoints_json(tmp_path, [("a.png", keypoints_row(POSE[::-1]))], names[::-1])
    (picture,) = read_point_set(path).pictures
    assert np.array_equal(picture.points, POSE.astype(np.float32))


def test_crowds_and_people_without_joints_are_not_asked_for(tmp_path: Path) -> None:
    rows = [("a.png", keypoints_row(POSE)), ("b.png", [0.0] * 42)]
    assert len(read_point_set(write_keypoints_json(tmp_path, rows)).pictures) == 1
    path = write_keypoints_json(tmp_path, rows[:1], iscrowd=1)
    with pytest.raises(DataError, match="no annotation has keypoints"):
        read_point_set(path)


def test_json_with_a_fault(tmp_path: Path) -> None:
    rows = [("a.png", keypoints_row(POSE)), ("b.png", [1.0, 2.0]), ("c.png", keypoints_row(POSE))]
    path = write_keypoints_json(tmp_path, rows)
    (tmp_path / "c.png").unlink()
    data = read_point_set(path)
    assert [picture.name for picture in data.pictures] == ["a.png"]
    assert "b.png: keypoints of annotation 101 are not 14 times x, y, v" in data.problems[0]
    assert "no picture c.png" in data.problems[1]

    other = ["knee", *find_scheme("pose14").points[1:]]
    with pytest.raises(DataError, match=r"its 14 keypoints are not those of pose14: knee, "):
        read_point_set(write_keypoints_json(tmp_path, rows[:1], other))
    with pytest.raises(DataError, match=r"13 points a picture; known are 68 \(face68\)"):
        read_point_set(write_keypoints_json(tmp_path, [("a.png", keypoints_row(POSE[1:]))]))
    path.write_text(json.dumps([]))
    with pytest.raises(DataError, match="has no list 'images'"):
        read_point_set(path)


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.pts file"):
        read_point_set(tmp_path)
    with pytest.raises(DataError, match="gone: not a face archive"):
        read_point_set(tmp_path / "gone")
    with pytest.raises(DataError, match="no such folder of pictures"):
        read_point_set(tmp_path, tmp_path / "gone")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real pictures in {REAL}; set BINVISION_DATA")
@pytest.mark.parametrize(
    ("name", "scheme", "count"),
    [
        ("face/300w/helen/testset", "face68", 330),
        ("face/ytf68_test.npz", "face68", 399),
        ("pose/lspet/test.json", "pose14", 300),
        ("formats/300w/test_300w.json", "face68", 2),
        ("formats/aflw/test_aflw.json", "face19", 2),
        ("formats/cofw/test_cofw.json", "face29", 2),
        ("formats/wflw/test_wflw.json", "face98", 4),
        ("formats/coco/test_coco.json", "pose17", 12),
    ],
)
def test_real_sets(name: str, scheme: str, count: int) -> None:
    data = read_point_set(REAL / name)
    assert data.scheme.name == scheme and len(data.pictures) == count and not data.problems
    height, width = data.pictures[0].read().shape[:2]
    middle = np.nanmean(data.pictures[0].points, 0)
    assert (middle > 0).all() and (middle < (width, height)).all()
