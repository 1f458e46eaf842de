"""Detection data of each format, whole and damaged."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision.detectors.annotations import DetectionSet, read_detection_set, summary
from binvision.errors import DataError, UsageError
from tests.support.detection_sets import (
    BOXES,
    CLASSES,
    SIZES,
    coco_document,
    write_coco,
    write_voc,
    write_yolo,
)
from tests.support.repository import ROOT

REAL = Path(os.environ.get("BINVISION_DATA", ROOT.parent / "shared" / "data")) / "detection"


def check_whole(found: DetectionSet, problems: tuple[str, ...] = ()) -> None:
    """The set is that of the test's tables."""
    assert found.classes == CLASSES
    assert found.problems == problems
    assert [picture.path.stem for picture in found.pictures] == list(SIZES)
    for picture in found.pictures:
        name = picture.path.stem
        assert picture.size_hw == SIZES[name]
        rows = np.array(BOXES[name], np.float64).reshape(-1, 5)
        assert picture.boxes.dtype == np.float32 and picture.labels.dtype == np.int64
        assert picture.ignore.dtype == bool and not picture.ignore.any()
        np.testing.assert_allclose(picture.boxes, rows[:, 1:], atol=1e-5)
        np.testing.assert_array_equal(picture.labels, rows[:, 0])


# Told apart by looking


def test_coco(tmp_path: Path) -> None:
    check_whole(read_detection_set(write_coco(tmp_path)))
    check_whole(read_detection_set(tmp_path))  # a folder with one JSON
    os.rename(tmp_path / "set", tmp_path / "elsewhere")
    found = read_detection_set(tmp_path / "set.json", tmp_path / "elsewhere")
    check_whole(found)
    assert [picture.identifier for picture in found.pictures] == [10, 11, 12]
    assert found.class_ids == (0, 7, 14)


def test_coco_in_its_own_folders(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    (tmp_path / "annotations").mkdir()
    moved = path.rename(tmp_path / "annotations" / "instances_set.json")
    check_whole(read_detection_set(moved))


@pytest.mark.parametrize("counted_from", [0, 1])
def test_voc(tmp_path: Path, counted_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if counted_from == 0:  # it is told by a box that begins there
        monkeypatch.setitem(BOXES, "b", [(2, 0, 4, 5, 6)])
    root = write_voc(tmp_path, counted_from)
    check_whole(read_detection_set(root))
    for path in [*(root / "JPEGImages").iterdir(), *(root / "Annotations").iterdir()]:
        path.rename(root / path.name)
    (root / "Annotations").rmdir()
    check_whole(read_detection_set(root))  # one folder with everything


def test_voc_lists(tmp_path: Path) -> None:
    lists = write_voc(tmp_path) / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("b\n")
    (lists / "cat_val.txt").write_text("a  1\n\nc -1\nz  1\n")
    (picture,) = read_detection_set(tmp_path).pictures
    assert picture.identifier == "b"
    found = read_detection_set(lists / "cat_val.txt")
    assert [picture.identifier for picture in found.pictures] == ["a", "c"]
    (problem,) = found.problems
    assert problem.startswith("cat_val.txt: z: no such annotation")
    with pytest.raises(DataError, match=r"val\.txt: no such list; there are: cat_val, train;"):
        read_detection_set(tmp_path, split="val")


def test_voc_marks_and_sizes(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    path = root / "Annotations" / "a.xml"
    text = path.read_text().replace("</name>", "</name><difficult>1</difficult>", 1)
    path.write_text(re.sub("<size>.*</size>", "<size><width>0</width></size>", text))
    first = read_detection_set(root).pictures[0]
    assert first.ignore.tolist() == [True, False] and first.size_hw == SIZES["a"]


def test_yolo(tmp_path: Path) -> None:
    path = write_yolo(tmp_path)
    for data in (path, tmp_path, tmp_path / "images" / "train", tmp_path / "labels" / "train"):
        check_whole(read_detection_set(data))
    check_whole(read_detection_set(path, tmp_path / "images" / "train"))
    path.unlink()
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    check_whole(read_detection_set(tmp_path))
    images = (tmp_path / "images" / "train").rename(tmp_path / "pictures")
    (tmp_path / "images").rmdir()
    check_whole(read_detection_set(tmp_path / "labels" / "train", images))


def test_yolo_in_one_folder(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    together = tmp_path / "all" / "deep" / "er"
    together.mkdir(parents=True)
    for path in [*tmp_path.glob("images/train/*"), *tmp_path.glob("labels/train/*")]:
        path.rename(together / path.name)
    (together / "classes.txt").write_text("\n".join(CLASSES))
    check_whole(read_detection_set(together))


@pytest.mark.parametrize(
    "text",
    [
        "train: ../images/train\nnames: ['cat', \"dog\", owl]  # all\n",
        "path: .\ntrain:\n- images/train\nnames:\n- cat\n- dog\n- owl\n",
        "train: [images/train]\nnames: {0: cat, 1: dog, 2: owl}\ndownload: |\n  import x: y\n",
        "train: list.txt\nnames: [cat,\n  dog,\n  owl]\n",
    ],
)
def test_yolo_descriptions(tmp_path: Path, text: str) -> None:
    path = write_yolo(tmp_path)
    (tmp_path / "list.txt").write_text("".join(f"./images/train/{name}.jpg\n" for name in SIZES))
    path.write_text(text)
    check_whole(read_detection_set(path))
    with pytest.raises(DataError, match="has no part 'val'; there are: train"):
        read_detection_set(path, split="val")


def test_yolo_outlines_are_boxes(tmp_path: Path) -> None:
    path = write_yolo(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text("2 .25 .5 .5 .25 .75 .5 .5 .75\n")
    found = read_detection_set(path).pictures[0]
    np.testing.assert_allclose(found.boxes, [[20, 15, 40, 30]])


# What is wrong is named


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "problems", "boxes"),
    [
        (lambda d: d["annotations"][0].update(bbox=[70, 50, 30, 30]),
         ["a.jpg: 1 box reaching beyond the picture clipped (x, y, w, h 70, 50, 30, 30)"], 3),
        (lambda d: d["annotations"][0].update(bbox=[-0.5, 0, 81, 60.5]), [], 3),  # rounding
        (lambda d: d["annotations"][0].update(bbox=[80, 8, 30, 20]),
         ["a.jpg: 1 box outside the picture left out", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(bbox=[10, 8, 0, 20]),
         ["a.jpg: 1 box without area left out", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(bbox=[10, 8, 5, -20]),
         ["a.jpg: 1 box without area left out", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(bbox=[10, float("nan"), 5, 20]),
         ["bbox of annotation 0 of the list is [10, NaN, 5, 20]", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(bbox=[10, "8", 5, 20]),
         ["bbox of annotation 0 of the list is [10, \"8\"", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].pop("bbox"),
         ["bbox of annotation 0 of the list is null", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(category_id=3),
         ["unknown category_id 3: its boxes are left out (1)", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"][0].update(image_id=99),
         ["unknown image_id 99: its boxes are left out (1)", "class 'dog' has no box"], 2),
        (lambda d: d["annotations"].append(d["annotations"][0]),
         ["1 annotations have the id of another; all are kept",
          "a.jpg: 1 box given twice; one is kept (x, y, w, h 10, 8, 30, 20)"], 3),
        (lambda d: d["annotations"].append({**d["annotations"][0], "bbox": [1, 2, 3, 4]}),
         ["1 annotations have the id of another; all are kept"], 4),
        (lambda d: d["images"][0].update(file_name="z.jpg"),
         ["z.jpg: no such picture in ", "class 'cat' has no box", "class 'dog' has no box"], 1),
        (lambda d: d["images"][0].update(width=60, height=80),
         ["a.jpg: is 80x60 pixels, but its annotation is for 60x80; it is left out",
          "class 'cat' has no box", "class 'dog' has no box"], 1),
        (lambda d: d["images"].append(d["images"][0]),
         ["a.jpg: has the id 10 of a.jpg; it counts once"], 3),
        (lambda d: d["images"][1].update(id=10),
         ["b.jpg: has the id 10 of a.jpg; both are left out",
          "unknown image_id 11: its boxes are left out (1)", "class 'cat' has no box",
          "class 'dog' has no box", "class 'owl' has no box"], 0),
        (lambda d: d["images"][1].update(file_name="a.jpg", width=80, height=60),
         ["a.jpg: is annotated twice; the boxes of 11 are left out", "class 'owl' has no box"], 2),
        (lambda d: d["images"].append({"id": 4}), ["image 3 of the list has no id or no"], 3),
        (lambda d: d["categories"].append({"id": 2, "name": "elk"}),
         ["class 'elk' has no box"], 3),
    ],
)  # fmt: skip
def test_coco_problems(tmp_path: Path, change: Change, problems: list[str], boxes: int) -> None:
    document = coco_document()
    change(document)
    found = read_detection_set(write_coco(tmp_path, document))
    assert len(found.problems) == len(problems), found.problems
    for expected, problem in zip(problems, found.problems, strict=True):
        assert expected in problem and problem.startswith("set.json: ") and "\n" not in problem
    assert sum(len(picture.boxes) for picture in found.pictures) == boxes
    for picture in found.pictures:
        ends = picture.boxes[:, :2] + picture.boxes[:, 2:]
        assert (picture.boxes[:, :2] >= 0).all() and (picture.boxes[:, 2:] > 0).all()
        assert (ends <= np.array(picture.size_hw[::-1]) + 1e-4).all()


def test_coco_keeps_crowds_and_areas(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][0].update(iscrowd=1, area=17.5)
    document["annotations"][1].pop("area")
    first, second, _ = read_detection_set(write_coco(tmp_path, document)).pictures
    assert first.ignore.tolist() == [True, False]
    assert first.areas is not None and first.areas.tolist() == [17.5, 39 * 30]
    assert second.areas is not None and second.areas.tolist() == [30]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', r"set\.json: is damaged, or no JSON: Expecting value"),
        ("[1, 2]", r"set\.json: has no list 'images' of objects"),
        ('{"images": [3], "annotations": [], "categories": []}', "no list 'images' of objects"),
        ('{"images": [], "annotations": [], "categories": {}}', "no list 'categories' of objects"),
        ("[" * 100000, "is damaged, or no JSON"),
        ('{"images": [], "annotations": [], "categories": []}', "no class and no box"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}',
         "no picture can be used"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "lacks an id or a name"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, '
         '{"id": 1, "name": "b"}]}', "'a' and 'b' have the same id 1"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, '
         '{"id": 2, "name": "a"}]}', "two categories are called 'a'"),
    ],
)  # fmt: skip
def test_damaged_coco(tmp_path: Path, text: str, message: str) -> None:
    path = write_coco(tmp_path)
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_detection_set(path)


def test_not_text(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    path.write_bytes(b'{"images": [\n"\xff"]}')
    with pytest.raises(DataError, match=r"set\.json, line 2: is not text in UTF-8"):
        read_detection_set(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<annotation><obj", "a.xml: is damaged, or no XML: "),
        ("<html/>", "a.xml: expected <annotation>, found <html>"),
        ("", "a.xml: is damaged, or no XML: "),
        ("<annotation><object><name>cat</name><bndbox><xmin>x</xmin></bndbox></object>"
         "</annotation>", "a.xml: object 1 lacks four numbers in its bndbox"),
        ("<annotation><object><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax>"
         "</bndbox></object></annotation>", "a.xml: object 1 lacks a name"),
    ],
)  # fmt: skip
def test_voc_problems(tmp_path: Path, text: str, problem: str) -> None:
    root = write_voc(tmp_path)
    (root / "Annotations" / "a.xml").write_text(text)
    found = read_detection_set(root)
    assert found.problems[0].startswith(problem), found.problems
    assert sum(len(picture.boxes) for picture in found.pictures) == 1


def test_voc_without_its_pictures(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    (root / "JPEGImages" / "a.jpg").unlink()
    assert read_detection_set(root).problems[0].startswith("a.xml: no picture a.jpg in ")
    for path in (root / "JPEGImages").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no class .*first problem \(of 3 problems\): a\.xml: no"):
        read_detection_set(root)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("3 .5 .5 .1 .1", "a.txt, line 2: unknown class id 3; the file of classes has 3, counted"),
        ("-1 .5 .5 .1 .1", "a.txt, line 2: unknown class id -1"),
        ("1.5 .5 .5 .1 .1", "a.txt, line 2: unknown class id 1.5"),
        ("1 .5 .5 .1", "a.txt, line 2: expected class cx cy w h, found '1 .5 .5 .1'"),
        ("1 .5 .5 .1 .1 .9", "a.txt, line 2: expected class cx cy w h"),
        ("1 .5 nan .1 .1", "a.txt, line 2: expected class cx cy w h"),
        ("dog .5 .5 .1 .1", "a.txt, line 2: expected class cx cy w h"),
        ("1 40 30 10 10", "a.jpg: 1 box outside the picture left out"),
        ("1 .5 .5 0 .1", "a.jpg: 1 box without area left out"),
    ],
)
def test_yolo_problems(tmp_path: Path, line: str, problem: str) -> None:
    path = write_yolo(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text(f"0 .5 .5 .5 .5\n{line}\n")
    found = read_detection_set(path)
    assert problem in found.problems[0], found.problems
    assert len(found.pictures[0].boxes) == 1


def test_yolo_without_labels(tmp_path: Path) -> None:
    path = write_yolo(tmp_path)
    (tmp_path / "labels/train/c.txt").unlink()
    (problem,) = read_detection_set(path).problems
    assert "1 of 3 pictures have no label file and count as pictures without objects" in problem
    for label in (tmp_path / "labels/train").iterdir():
        label.unlink()
    with pytest.raises(DataError, match=r"none of its 3 pictures has a label file; .*a\.txt"):
        read_detection_set(path)


def test_yolo_without_names(tmp_path: Path) -> None:
    path = write_yolo(tmp_path)
    path.write_text("train: images/train\nnames:\n  1: cat\n")
    with pytest.raises(DataError, match="names are numbered 1; expected 0, 1"):
        read_detection_set(path)
    path.write_text("train: images/train\n")
    with pytest.raises(DataError, match="has no list 'names' of the classes"):
        read_detection_set(path)
    path.unlink()
    with pytest.raises(DataError, match=r"no names of classes; expected data\.yaml"):
        read_detection_set(tmp_path)


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    (tmp_path / "set" / "b.jpg").write_bytes(b"no picture")
    found = read_detection_set(path)
    assert [picture.identifier for picture in found.pictures] == [10, 12]
    assert "b.jpg: cannot be decoded as an image" in found.problems[0]
    for name in SIZES:
        (tmp_path / "set" / f"{name}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"no picture can be used; the first problem \(of 3 probl"):
        read_detection_set(path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: no such file or folder of annotations"):
        read_detection_set(tmp_path / "gone")
    with pytest.raises(DataError, match="no known annotations; expected a COCO .json"):
        read_detection_set(tmp_path)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: no known annotations"):
        read_detection_set(tmp_path / "a.png")
    path = write_coco(tmp_path)
    with pytest.raises(DataError, match="gone: no such folder of pictures"):
        read_detection_set(path, tmp_path / "gone")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"several JSON files \(other\.json, set\.json\)"):
        read_detection_set(tmp_path)


# Classes and summary


def test_chosen_classes(tmp_path: Path) -> None:
    found = read_detection_set(write_coco(tmp_path), classes=["owl", "dog"])
    assert found.classes == ("owl", "dog") and found.problems == ()
    assert found.class_ids == (14, 7)
    assert [picture.labels.tolist() for picture in found.pictures] == [[1], [0], []]
    with pytest.raises(UsageError, match="no class 'dgo'; there are cat, dog, owl; did you mean"):
        read_detection_set(tmp_path / "set.json", classes=["dgo"])
    with pytest.raises(UsageError, match="'owl' is named twice"):
        read_detection_set(tmp_path / "set.json", classes=["owl", "owl"])


def test_summary(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][1]["iscrowd"] = 1
    rows = summary(read_detection_set(write_coco(tmp_path, document)))
    assert [tuple(row) for row in rows] == [
        ("cat", 1, 0, 0, 0, 0, 1),
        ("dog", 1, 1, 1, 0, 0, 0),
        ("owl", 1, 1, 1, 0, 0, 0),
        ("all", 3, 2, 2, 0, 0, 1),
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real pictures in {REAL}; set BINVISION_DATA")
@pytest.mark.parametrize(
    ("name", "pictures", "boxes"),
    [("faces_fddb", 400, 779), ("drones", 480, 505), ("bccd", 72, 945), ("aerial_cars", 20, 509)],
)
def test_real_sets_are_whole(name: str, pictures: int, boxes: int) -> None:
    path = REAL / name / "test.json"
    found = read_detection_set(path)
    assert len(found.pictures) == pictures
    assert [problem for problem in found.problems if "has no box" not in problem] == []
    document = json.loads(path.read_text())
    assert sum(len(picture.boxes) for picture in found.pictures) == boxes
    assert len(document["annotations"]) == boxes
