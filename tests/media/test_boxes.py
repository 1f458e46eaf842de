"""Boxes as people and benchmarks write them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binvision.errors import BoxError, DataError
from binvision.media.boxes import overlaps, parse_box, read_boxes, read_picture_boxes


@pytest.mark.parametrize(
    "text",
    ["10,20,30.5,40", "10 20 30.5 40", "10\t20\t30.5\t40", " 10, 20 ;30.5,\t40 "],
)
def test_every_separator_gives_the_same_box(text: str) -> None:
    assert parse_box(text) == (10.0, 20.0, 30.5, 40.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "box '1,2,3': expected four numbers X,Y,W,H"),
        ("1,2,3,4,5", "expected four numbers"),
        ("a,b,c,d", "expected four numbers"),
        ("", "expected four numbers"),
        ("1,2,nan,4", "expected four numbers"),
        ("1,2,inf,4", "expected four numbers"),
        ("1,2,0,4", r"box '1,2,0,4': has no area \(width 0, height 4\)"),
        ("1,2,3,-4", "has no area"),
    ],
)
def test_what_is_no_box_is_said(text: str, message: str) -> None:
    with pytest.raises(BoxError, match=message):
        parse_box(text)


def test_files_mix_separators_and_may_hold_nan(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth.txt"
    path.write_text("\ufeff1,2,3,4\n5\t6\t7\t8\n\n9 10 11 12\nNaN,NaN,NaN,NaN\n", encoding="utf-8")
    boxes = read_boxes(path)
    assert boxes.dtype == np.float64
    np.testing.assert_array_equal(
        boxes, [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [math.nan] * 4]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1,2,3,4\n1,2,3\n", r"line 2: expected four numbers x,y,w,h, found '1,2,3'"),
        (b"", "holds no box"),
        (b"\n \n", "holds no box"),
        (b"\xff\xfe\x00\x81", "line 1: is not text in UTF-8; save the file as plain text"),
        (b"1,2,3,4\r\n1,2,3,4 \x96\r\n", "line 2: is not text in UTF-8"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "boxes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"boxes.txt.*{message}"):
        read_boxes(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: boxes cannot be read \(No such file"):
        read_boxes(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 10, 10), 50 / 150),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0.0),  # they only touch
        ((0, 0, 10, 10), (30, 30, 5, 5), 0.0),
        ((0, 0, 10, 10), (2, 2, 5, 5), 0.25),
        ((3, 3, 0, 0), (3, 3, 0, 0), 0.0),
    ],
)
def test_overlap_of_known_pairs(first: tuple, second: tuple, expected: float) -> None:
    assert overlaps([first], [second]).tolist() == pytest.approx([expected])


_BOX = st.tuples(
    st.integers(0, 12), st.integers(0, 12), st.integers(1, 12), st.integers(1, 12)
)  # whole pixels, so that the areas can be counted


@given(_BOX, _BOX)
def test_overlap_counts_pixels(first: tuple, second: tuple) -> None:
    covered = np.zeros((2, 24, 24), bool)
    for plane, (x, y, w, h) in zip(covered, (first, second), strict=True):
        plane[y : y + h, x : x + w] = True
    expected = (covered[0] & covered[1]).sum() / (covered[0] | covered[1]).sum()
    assert overlaps([first], [second])[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,1,2,3,4\n\na.jpg, 5,6,7.5,8\n7,0,0,1,1\n",
        "frame,x,y,w,h\na.jpg,1,2,3,4\na.jpg,5,6,7.5,8\n7,0,0,1,1\n",
        "picture,class,score,x,y,w,h\n"
        'a.jpg,face,0.9,1,2,3,4\na.jpg,"b, c",0.8,5,6,7.5,8\n7,face,0.7,0,0,1,1\n',
        "\ufeffH,W,y,x,Picture\n4,3,2,1,a.jpg\n8,7.5,6,5,a.jpg\n1,1,0,0,7\n",
    ],
)
def test_boxes_of_pictures_with_and_without_a_head(tmp_path: Path, text: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text, encoding="utf-8")
    assert read_picture_boxes(path) == {
        "a.jpg": [(1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.5, 8.0)],
        "7": [(0.0, 0.0, 1.0, 1.0)],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,1,2,3,4\na.jpg,1,2,3\n", "line 2: expected a picture or frame and its box"),
        ("a.jpg,1,2,3,4,5\n", "line 1: expected a picture or frame and its box"),
        ("a.jpg,1,2,3,four\n", "found 'a.jpg,1,2,3,four'"),
        ("picture,x,y,w,h\na.jpg,1,2,3\n", "line 2: expected a picture or frame and its box"),
        ("a.jpg,1,2,0,4\n", r"line 1: a box without area \(1,2,0,4\)"),
        ("a.jpg,1,2,nan,4\n", "a box without area"),
        ("name,x,y,w,h\n", "line 1: names the columns name, x, y, w, h; expected picture"),
        ("picture,x,y\n", "line 1: names the columns picture, x, y; expected picture"),
        ("picture,x,y,w,h\n", "holds no box; expected picture,x,y,w,h a line"),
        ("", "holds no box"),
    ],
)
def test_wrong_boxes_of_pictures_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_picture_boxes(path)


def test_boxes_of_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="boxes cannot be read"):
        read_picture_boxes(tmp_path / "none.csv")
