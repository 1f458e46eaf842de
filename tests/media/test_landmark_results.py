"""Result files of points, read back."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import SinkError, UsageError
from binvision.media.landmark_results import (
    FoundPoints,
    PointColumns,
    PointsFolder,
    open_point_results,
)
from binvision.media.record_files import PictureResult

NAMES = ("left", "right", "chin")


def found(number: int, offset: float = 0.0) -> FoundPoints:
    points = np.array([[1.0, 2.5], [-3.254, 4.0], [5.0, 6.0]], np.float32) + np.float32(offset)
    confidences = np.array([0.5, 0.25, 1.0], np.float32)
    measures = {"yaw": -12.34567, "openness": 0.25}
    return FoundPoints(
        "face", number, (1.0, 2.0, 3.005, 4.0), 0.87654, points, confidences, measures
    )


def picture(name: int | str, objects: Sequence[FoundPoints]) -> PictureResult[FoundPoints]:
    return PictureResult(name, name, np.full((20, 30, 3), 60, np.uint8), objects)


def written(path: Path, columns: PointColumns) -> str:
    sink = open_point_results(path, columns, {"source": "s", "model": "m"})
    for result in (picture("a, b.jpg", [found(1), found(2, 1.0)]), picture("empty.jpg", [])):
        sink.write(result)
    sink.close()
    assert list(path.parent.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


def test_csv_has_a_line_for_each_face(tmp_path: Path) -> None:
    text = written(tmp_path / "r.csv", PointColumns("face", NAMES, ("yaw",)))
    first, second = csv.DictReader(text.splitlines())
    assert list(first) == [
        *("picture", "face", "score", "x", "y", "w", "h", "yaw"),
        *("left_x", "left_y", "right_x", "right_y", "chin_x", "chin_y"),
    ]
    assert (first["picture"], first["face"], first["score"]) == ("a, b.jpg", "1", "0.8765")
    assert (first["yaw"], first["right_x"], first["chin_y"]) == ("-12.346", "-3.25", "6.00")
    assert (second["face"], second["right_x"]) == ("2", "-2.25")


def test_csv_may_say_how_certain_each_point_is(tmp_path: Path) -> None:
    text = written(tmp_path / "r.csv", PointColumns("person", NAMES, confidences=True))
    first = next(csv.DictReader(text.splitlines()))
    assert list(first)[7:10] == ["left_x", "left_y", "left_confidence"]
    assert (first["person"], first["right_confidence"]) == ("1", "0.250")


@pytest.mark.parametrize(("subject", "plural"), [("face", "faces"), ("person", "people")])
def test_json_has_pictures_without_faces_too(tmp_path: Path, subject: str, plural: str) -> None:
    columns = PointColumns(subject, NAMES, ("openness",))
    document = json.loads(written(tmp_path / "r.json", columns))
    assert (document["source"], document["model"]) == ("s", "m")
    assert document["points"] == list(NAMES)
    first, empty = document["pictures"]
    assert (first["picture"], first["width"], first["height"]) == ("a, b.jpg", 30, 20)
    assert first[plural][0] == {
        subject: 1,
        "score": 0.8765,
        "box_xywh": [1.0, 2.0, 3.0, 4.0],
        "openness": 0.25,
        "points": [[1.0, 2.5], [-3.25, 4.0], [5.0, 6.0]],
        "confidences": [0.5, 0.25, 1.0],
    }
    assert empty[plural] == []


def test_what_cannot_be_told_is_empty(tmp_path: Path) -> None:
    unknown = replace(found(1), measures={"yaw": float("nan")})
    columns = PointColumns("face", NAMES, ("yaw",))
    for name in ("r.csv", "r.json"):
        sink = open_point_results(tmp_path / name, columns, {})
        sink.write(picture(0, [unknown]))
        sink.close()
    (row,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    assert row["yaw"] == ""
    (shown,) = json.loads((tmp_path / "r.json").read_text())["pictures"][0]["faces"]
    assert shown["yaw"] is None


@pytest.mark.parametrize("name", ["r.txt", "r.coco.json", "r"])
def test_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="results are written as .csv, .json, not"):
        open_point_results(tmp_path / name, PointColumns("face", NAMES), {})


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="results cannot be written"):
        open_point_results(tmp_path / "no" / "r.csv", PointColumns("face", NAMES), {})


def test_points_files_count_from_one(tmp_path: Path) -> None:
    folder = PointsFolder(tmp_path / "points")
    folder.write(picture("none.png", []))
    assert not folder.close()
    folder.write(picture("one.png", [found(1)]))
    assert folder.close()
    text = (tmp_path / "points" / "one.pts").read_text()
    head, body = text.split("{")
    assert head.split() == ["version:", "1", "n_points:", "3"]
    assert body.split() == ["2.000", "3.500", "-2.254", "5.000", "6.000", "7.000", "}"]
    assert re.fullmatch(r"version: 1\nn_points: 3\n\{\n(\S+ \S+\n){3}\}\n", text)


def test_each_face_has_a_picture_of_its_own(tmp_path: Path) -> None:
    folder = PointsFolder(tmp_path)
    folder.write(picture("below/two.png", [found(1), found(2)]))
    folder.write(picture("below/two.jpg", [found(1)]))
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert names == [
        *("below/two.2.png", "below/two.2.pts", "below/two.3.jpg", "below/two.3.pts"),
        *("below/two.png", "below/two.pts"),
    ]
    assert (cv2.imread(str(tmp_path / "below/two.2.png")) == 60).all()
