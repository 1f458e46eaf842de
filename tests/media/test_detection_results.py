"""Result files of detectors, read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from binvision.errors import SinkError, UsageError
from binvision.media.detection_results import FoundObject, open_detection_results
from binvision.media.record_files import PictureResult

RESULTS = [
    PictureResult(
        'a "b", c.jpg', 7, np.zeros((48, 64, 3), np.uint8),
        [FoundObject((1.0, 2.5, 30.126, 4.0), 0.87654321, 1, "bus, red"),
         FoundObject((0.0, 0.0, 5.0, 5.0), 0.5, 0, "car")],
    ),
    PictureResult("empty.jpg", 8, np.zeros((10, 20, 3), np.uint8), []),
]  # fmt: skip


def written(path: Path) -> str:
    sink = open_detection_results(path, {"source": "s", "model": "m"})
    for result in RESULTS:
        sink.write(result)
    sink.close()
    assert list(path.parent.iterdir()) == [path]
    return path.read_text(encoding="utf-8")


def test_csv_has_a_line_for_each_object(tmp_path: Path) -> None:
    rows = list(csv.reader(written(tmp_path / "r.csv").splitlines()))
    assert rows == [
        ["picture", "class", "score", "x", "y", "w", "h"],
        ['a "b", c.jpg', "bus, red", "0.8765", "1.00", "2.50", "30.13", "4.00"],
        ['a "b", c.jpg', "car", "0.5000", "0.00", "0.00", "5.00", "5.00"],
    ]


def test_json_has_pictures_without_objects_too(tmp_path: Path) -> None:
    document = json.loads(written(tmp_path / "r.json"))
    assert document["source"] == "s" and document["model"] == "m"
    first, second = document["pictures"]
    assert (first["picture"], first["width"], first["height"]) == ('a "b", c.jpg', 64, 48)
    assert first["objects"][0] == {
        "class": "bus, red", "score": 0.8765, "box_xywh": [1.0, 2.5, 30.13, 4.0],
    }  # fmt: skip
    assert second["objects"] == []


def test_coco_is_a_list_of_results_that_pycocotools_loads(tmp_path: Path) -> None:
    records = json.loads(written(tmp_path / "r.coco.json"))
    assert records == [
        {"image_id": 7, "category_id": 2, "bbox": [1.0, 2.5, 30.13, 4.0], "score": 0.87654},
        {"image_id": 7, "category_id": 1, "bbox": [0.0, 0.0, 5.0, 5.0], "score": 0.5},
    ]
    coco = pytest.importorskip("pycocotools.coco")
    truth = coco.COCO()
    truth.dataset = {
        "images": [{"id": 7}, {"id": 8}],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus, red"}],
        "annotations": [],
    }
    truth.createIndex()
    assert len(truth.loadRes(str(tmp_path / "r.coco.json")).anns) == 2


@pytest.mark.parametrize("name", ["r.json", "r.coco.json", "r.csv"])
def test_files_of_nothing_can_be_read(tmp_path: Path, name: str) -> None:
    sink = open_detection_results(tmp_path / name, {})
    sink.close()
    text = (tmp_path / name).read_text()
    if name.endswith(".json"):
        assert json.loads(text) in ([], {"pictures": []})


def test_discarded_files_leave_nothing(tmp_path: Path) -> None:
    open_detection_results(tmp_path / "r.csv", {}).discard()
    assert list(tmp_path.iterdir()) == []


def test_other_kinds_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="written as .csv, .coco.json, .json, not .xml"):
        open_detection_results(tmp_path / "r.xml", {})
    with pytest.raises(UsageError, match="not a name without suffix"):
        open_detection_results(tmp_path / "r", {})
    with pytest.raises(SinkError, match="results cannot be written"):
        open_detection_results(tmp_path / "none" / "r.csv", {})
