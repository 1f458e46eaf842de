"""Result files: their text, their names, and that half a file never has the final name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from binvision.errors import SinkError, UsageError
from binvision.media.results import ResultRow, open_results

ROWS = [
    ResultRow(0, 1, (1.0, 2.0, 30.0, 40.0), 1.0, False),
    ResultRow(0, 2, (5.5, 6.25, 7.0, 8.0), 1.0, False),
    ResultRow(1, 1, (1.23456, -2.0, 30.0, 40.0), 0.87654, False),
    ResultRow(1, 2, (5.5, 6.25, 7.0, 8.0), 0.05, True),
]


def write(path: Path, rows: list[ResultRow], targets: int | None) -> tuple[Path, ...]:
    sink = open_results(path, targets, {"source": 'a "clip"', "model": "m"})
    for row in rows:
        sink.write(row)
    assert not path.exists(), "the final name stands for a whole file"
    sink.close()
    assert not list(path.parent.glob(".*")), "no temporary file stays"
    return sink.paths


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", ROWS, 2)
    assert (tmp_path / "r.csv").read_bytes() == (
        b"frame,target,x,y,w,h,score,lost\n"
        b"0,1,1.000,2.000,30.000,40.000,1.0000,0\n"
        b"0,2,5.500,6.250,7.000,8.000,1.0000,0\n"
        b"1,1,1.235,-2.000,30.000,40.000,0.8765,0\n"
        b"1,2,5.500,6.250,7.000,8.000,0.0500,1\n"
    )


def test_json(tmp_path: Path) -> None:
    write(tmp_path / "r.json", ROWS, 2)
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (content["source"], content["model"]) == ('a "clip"', "m")
    assert content["rows"][2] == {
        "frame": 1,
        "target": 1,
        "box_xywh": [1.235, -2.0, 30.0, 40.0],
        "score": 0.8765,
        "lost": False,
    }
    assert len(content["rows"]) == 4


def test_json_without_rows_is_json(tmp_path: Path) -> None:
    write(tmp_path / "r.json", [], 1)
    assert json.loads((tmp_path / "r.json").read_text())["rows"] == []


def test_text_of_one_target_is_what_benchmarks_read(tmp_path: Path) -> None:
    paths = write(tmp_path / "r.txt", [row for row in ROWS if row.target == 1], 1)
    assert paths == (tmp_path / "r.txt",)
    assert paths[0].read_text() == "1.000,2.000,30.000,40.000\n1.235,-2.000,30.000,40.000\n"


def test_text_of_several_targets_is_a_file_each(tmp_path: Path) -> None:
    paths = write(tmp_path / "r.txt", ROWS, 2)
    assert [path.name for path in paths] == ["r-1.txt", "r-2.txt"]
    assert paths[1].read_text() == "5.500,6.250,7.000,8.000\n" * 2


def test_motchallenge_counts_from_one_and_leaves_out_what_is_lost(tmp_path: Path) -> None:
    write(tmp_path / "r.mot.txt", ROWS, 2)
    assert (tmp_path / "r.mot.txt").read_text() == (
        "1,1,2.000,3.000,30.000,40.000,1.0000,-1,-1,-1\n"
        "1,2,6.500,7.250,7.000,8.000,1.0000,-1,-1,-1\n"
        "2,1,2.235,-1.000,30.000,40.000,0.8765,-1,-1,-1\n"
    )


def test_targets_that_come_and_go_have_a_class(tmp_path: Path) -> None:
    rows = [ResultRow(3, 12, (1.0, 2.0, 30.0, 40.0), 0.5, False, "drone")]
    write(tmp_path / "r.csv", rows, None)
    assert (tmp_path / "r.csv").read_text() == (
        "frame,target,x,y,w,h,score,lost,class\n3,12,1.000,2.000,30.000,40.000,0.5000,0,drone\n"
    )
    write(tmp_path / "r.json", rows, None)
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["class"] == "drone"


def test_a_class_with_a_comma_stays_one_column(tmp_path: Path) -> None:
    name = 'van, "small"'
    write(tmp_path / "r.csv", [ResultRow(3, 12, (1.0, 2.0, 30.0, 40.0), 0.5, False, name)], None)
    with (tmp_path / "r.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["class"] == name


def test_text_has_no_place_for_targets_that_come_and_go(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"r\.txt: a line of \.txt holds one box .* \.mot\.txt"):
        open_results(tmp_path / "r.txt", None, {})


@pytest.mark.parametrize("name", ["r.xml", "r"])
def test_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"results are written as \.csv, .* \.mot\.txt, not"):
        open_results(tmp_path / name, 1, {})


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"none/r\.csv: results cannot be written \(No such file"):
        open_results(tmp_path / "none" / "r.csv", 1, {})


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "r.csv").mkdir()
    sink = open_results(tmp_path / "r.csv", 1, {})
    with pytest.raises(SinkError, match=r"r\.csv: results cannot be written"):
        sink.close()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt"])
def test_discarded_results_leave_nothing(tmp_path: Path, suffix: str) -> None:
    sink = open_results(tmp_path / f"r{suffix}", 2, {})
    sink.write(ROWS[0])
    sink.discard()
    assert list(tmp_path.iterdir()) == []
