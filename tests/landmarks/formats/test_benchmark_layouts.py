"""The official layouts of the benchmarks, whole and damaged, on small trees."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from binvision.errors import DataError
from binvision.landmarks.evaluation.oks import read_coco_people
from binvision.landmarks.formats import aflw
from binvision.landmarks.formats.aflw2000 import read_aflw2000
from binvision.landmarks.formats.cofw import read_cofw_test
from binvision.landmarks.formats.mpii import read_mpii
from binvision.landmarks.formats.points import HEAD_BOX, SET_BOX, PointSet
from binvision.landmarks.formats.three_hundred_w import read_300w_test
from binvision.landmarks.formats.wflw import read_wflw_test
from tests.support import point_benchmarks as trees
from tests.support.repository import ROOT

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / "formats"


@pytest.fixture(autouse=True)
def small_aflw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aflw, "_TRAINING", trees.AFLW_TRAINING)


def check(data: PointSet, scheme: str, points: Sequence[np.ndarray]) -> None:
    """The set has these points, and each picture can be read, in another process too."""
    assert data.scheme.name == scheme and data.problems == ()
    assert len(data.pictures) == len(points)
    for picture, expected in zip(data.pictures, points, strict=True):
        labelled = ~np.isnan(picture.points).any(1)
        assert np.abs(picture.points - expected)[labelled].max() < 2e-3
        image = pickle.loads(pickle.dumps(picture.read))()
        assert image.shape[1:] == (180, 3) and image.dtype == np.uint8 and image.shape[0] >= 150


def test_300w(tmp_path: Path) -> None:
    points = trees.write_300w(tmp_path, ["helen/testset", "lfpw/testset", "ibug"])
    data = read_300w_test(tmp_path)
    check(data, "face68", points)
    assert data.name == "full"
    assert [picture.subset for picture in data.pictures] == ["common"] * 4 + ["challenging"] * 2


def test_300w_in_part_says_what_it_is(tmp_path: Path) -> None:
    trees.write_300w(tmp_path, ["helen/testset", "helen/trainset"])
    data = read_300w_test(tmp_path)
    assert data.name == "helen/testset" and len(data.pictures) == 2
    assert "lfpw/testset, ibug is not there" in data.problems[0]
    alone = read_300w_test(tmp_path / "helen" / "testset")
    assert alone.name == "helen/testset" and alone.problems == ()


def test_aflw(tmp_path: Path) -> None:
    points = trees.write_aflw(tmp_path)
    data = aflw.read_aflw_test(tmp_path)
    check(data, "face19", points)
    first, second = data.pictures
    assert (first.subset, second.subset) == ("", "frontal")
    assert first.visible.sum() == 18 and not first.visible[5]
    assert first.box_xywh is not None and first.box_xywh.tolist() == [20, 10, 100, 100]
    assert first.lengths == {SET_BOX: 100.0}


def test_aflw_that_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no AFLWinfo_release\.mat"):
        aflw.read_aflw_test(tmp_path)
    trees.write_aflw(tmp_path)
    (tmp_path / "data/flickr/0/image3.png").unlink()
    data = aflw.read_aflw_test(tmp_path)
    assert len(data.pictures) == 1 and "no picture 0/image3.jpg" in data.problems[0]
    path = tmp_path / "AFLWinfo_release.mat"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"AFLWinfo_release\.mat: not a MATLAB file with nameList"):
        aflw.read_aflw_test(tmp_path)
    names = ("nameList", "data", "mask_new", "bbox", "ra")
    savemat(path, {name: np.zeros((2, 3)) for name in names})
    with pytest.raises(DataError, match=r"data: expected rows of 38 numbers, found \(2, 3\)"):
        aflw.read_aflw_test(tmp_path)


@pytest.mark.parametrize("flag_of_visible", [0, 1])
def test_aflw_pifa(tmp_path: Path, flag_of_visible: int) -> None:
    points = trees.write_aflw_pifa(tmp_path, flag_of_visible)
    data = aflw.read_aflw_pifa_test(tmp_path)
    check(data, "face34", points)
    assert data.pictures[0].visible.all() and data.pictures[1].visible.sum() == 30
    assert data.pictures[0].lengths == {SET_BOX: 60.0}
    assert data.pictures[0].box_xywh is not None
    assert data.pictures[0].box_xywh.tolist() == [10, 20, 90, 40]


def test_aflw2000(tmp_path: Path) -> None:
    points = trees.write_aflw2000(tmp_path, [0, -30, 30.1, 60, -75, 95])
    data = read_aflw2000(tmp_path)
    check(data, "face68", points)
    small, middle, large = "yaw 0-30", "yaw 30-60", "yaw 60-90"
    subsets = [picture.subset for picture in data.pictures]
    assert subsets == [small, small, middle, middle, large, large]
    (tmp_path / "image00001.mat").write_bytes(b"nothing")
    assert "image00001.mat: not a MATLAB file" in read_aflw2000(tmp_path).problems[0]
    with pytest.raises(DataError, match=r"no picture with a \.mat of the same name"):
        read_aflw2000(tmp_path / "gone")


def test_cofw(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    points = trees.write_cofw(tmp_path)
    data = read_cofw_test(tmp_path)
    check(data, "face29", points)
    assert [picture.visible.sum() for picture in data.pictures] == [29, 27]
    assert data.pictures[0].box_xywh is not None
    assert data.pictures[0].box_xywh.tolist() == [20, 30, 100, 90]
    assert np.array_equal(data.pictures[1].read(), trees.chart_picture(1, 29)[0])
    grey = data.pictures[0].read()
    assert np.array_equal(grey[..., 0], grey[..., 2])
    path = tmp_path / "COFW_test_color.mat"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="not COFW's file with IsT, phisT and bboxesT"):
        read_cofw_test(path)
    with pytest.raises(DataError, match="picture 1 cannot be read"):
        data.pictures[0].read()


def test_wflw(tmp_path: Path) -> None:
    points = trees.write_wflw(tmp_path, [[0] * 6, [1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 0]])
    data = read_wflw_test(tmp_path)
    check(data, "face98", points)
    assert [p.subset for p in data.pictures] == ["", "pose,blur", "make-up,occlusion"]
    assert data.pictures[0].box_xywh is not None
    assert data.pictures[0].box_xywh.tolist() == [20, 30, 100, 80]
    (path,) = tmp_path.rglob("*.txt")
    path.write_text("1 2 3\n" + path.read_text())
    data = read_wflw_test(path)
    assert len(data.pictures) == 3
    assert "test.txt, line 1: expected 206 numbers and a file, found 3 words" in data.problems[0]


@pytest.mark.parametrize("write", [trees.write_mpii_list, trees.write_mpii_release])
def test_mpii(tmp_path: Path, write: Callable[[Path], list[np.ndarray]]) -> None:
    points = write(tmp_path)
    data = read_mpii(tmp_path)
    check(data, "pose16", points)
    assert np.isnan(data.pictures[1].points[[0, 7]]).all()
    assert [round(p.lengths[HEAD_BOX], 6) for p in data.pictures] == [12.0, 23.4, 15.6]
    box = data.pictures[0].box_xywh
    assert box is not None and box[2:].tolist() == [100, 100]
    assert np.allclose(box[:2] + 50, points[0].mean(0) + (0, 7.5), atol=1e-3)
    assert len({picture.name for picture in data.pictures}) == 3


def test_mpii_without_heads_says_what_errors_are_divided_by(tmp_path: Path) -> None:
    trees.write_mpii_list(tmp_path, heads=False)
    data = read_mpii(tmp_path)
    assert data.pictures[0].lengths == {}
    assert "no gt_valid.mat or mpii_gt_val.mat beside it" in data.problems[0]


def test_mpii_that_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no mpii_human_pose_v1_u12_1\.mat"):
        read_mpii(tmp_path)
    trees.write_mpii_list(tmp_path)
    path = tmp_path / "annot" / "valid.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(rows[::-1]))
    with pytest.raises(DataError, match=r"gt_valid\.mat: person 0 is not that of valid\.json"):
        read_mpii(tmp_path)
    path.write_text(json.dumps(rows[:2]))
    with pytest.raises(DataError, match=r"gt_valid\.mat: is not of the 2 people"):
        read_mpii(tmp_path)
    path.write_text(json.dumps([{"image": "a"}]))
    with pytest.raises(DataError, match=r"valid\.json: not a list of people with image, joints"):
        read_mpii(tmp_path)


def test_coco_people(tmp_path: Path) -> None:
    path = trees.write_coco_people(tmp_path)
    points = [trees.chart_picture(seed, 17)[1] for seed in range(3)]
    for root in (tmp_path, path):
        data = read_coco_people(root)
        check(data, "pose17", points)
        assert [picture.picture_id for picture in data.pictures] == [1000, 1001, 1002]
    assert np.isnan(data.pictures[1].points[5]).all() and not data.pictures[1].visible[4]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no samples in {REAL}; set BINVISION_DATA")
def test_a_real_list_of_mpii() -> None:
    data = read_mpii(REAL / "mpii" / "test_mpii.json")
    assert len(data.pictures) == 5 and data.scheme.name == "pose16"
    for picture in data.pictures:
        height, width = picture.read().shape[:2]
        inside = picture.points[~np.isnan(picture.points).any(1)]
        assert (inside > 0).all() and (inside < (width, height)).all()
        # The box is about as large as the person.
        assert picture.box_xywh is not None
        middle = picture.box_xywh[:2] + picture.box_xywh[2:] / 2
        assert np.abs(middle - np.nanmean(picture.points, 0)).max() < 0.4 * picture.box_xywh[2]
