"""``binvision pose`` from end to end, with models whose answers are known."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from binvision.landmarks.schemes import SCHEMES
from tests.cli.conftest import Outcome
from tests.support.footage import write_images, write_video
from tests.support.landmark_models import chart_points, draw_chart
from tests.support.landmark_scenes import write_models

Command = Callable[..., Outcome]
JOINTS = SCHEMES["pose14"].points
NEAR = 6.0  # pixels between joints and those found: maps have cells of about 4 pixels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))[1]


def person(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    """Grey picture with a person of 14 joints in each box."""
    picture = np.full((200, 240, 3), 128, np.uint8)
    for box in boxes:
        draw_chart(picture, box, len(JOINTS))
    return picture


def joints_of(row: dict[str, str]) -> np.ndarray:
    places = [(row[f"{joint}_x"], row[f"{joint}_y"]) for joint in JOINTS]
    return np.array(places, float)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def off(row: dict[str, str], box: tuple[float, float, float, float]) -> float:
    """Mean distance of the joints from those of the person in this box."""
    return float(np.linalg.norm(joints_of(row) - chart_points(box, len(JOINTS)), axis=1).mean())


BOX = (50.0, 80.0, 128.0, 32.0)


def test_without_boxes_the_whole_picture_is_one_person(
    command: Command, model: Path, tmp_path: Path
) -> None:
    write_images(tmp_path, [person(BOX)])
    results, out = tmp_path / "r.csv", tmp_path / "o.png"
    options = ["--model", model, "--results", results, "--out", out]
    done = command("pose", tmp_path / "1.png", *options)
    assert done.code == 0
    assert done.out.splitlines()[0].startswith("person 1.00 ")
    assert done.out.splitlines()[1].startswith("1 picture, 1 person; chart on ")
    (row,) = rows_of(results)
    assert list(row)[:2] == ["picture", "person"] and "neck_confidence" in row
    assert off(row, BOX) < NEAR
    assert out.is_file()


def test_a_picture_without_anybody_is_no_error(
    command: Command, model: Path, tmp_path: Path
) -> None:
    write_images(tmp_path, [person()])
    done = command("pose", tmp_path / "1.png", "--model", model)
    assert done.code == 0 and done.out.startswith("1 picture, no person found; chart on ")


def test_boxes_on_the_command_line_are_people_in_each_picture(
    command: Command, model: Path, tmp_path: Path
) -> None:
    left, right = (20.0, 60.0, 80.0, 20.0), (140.0, 60.0, 80.0, 20.0)
    write_images(tmp_path, [person(left, right)] * 2)
    results = tmp_path / "r.csv"
    boxes = [word for box in (left, right) for word in ("--box", ",".join(map(str, box)))]
    done = command("pose", tmp_path, "--model", model, *boxes, "--results", results)
    assert done.code == 0
    rows = rows_of(results)
    assert [(row["picture"], row["person"]) for row in rows] == [
        *(("1.png", "1"), ("1.png", "2"), ("2.png", "1"), ("2.png", "2")),
    ]
    for row, box in zip(rows, (left, right) * 2, strict=True):
        assert off(row, box) < NEAR


def test_a_person_is_followed_from_a_box_in_the_first_frame(
    command: Command, model: Path, tmp_path: Path
) -> None:
    paths = [[(20.0 + step, 60.0, 80.0, 20.0), (140.0, 60.0 + step, 80.0, 20.0)]
             for step in range(12)]  # fmt: skip
    clip = write_video(tmp_path / "c.avi", [person(*boxes) for boxes in paths], codec="MJPG")
    results = tmp_path / "r.csv"
    options = ["--model", model, "--results", results, "--no-smooth", "--json"]
    done = command("pose", clip, "--box", "22,58,80,20", "--box", "140,60,80,20", *options)
    assert done.code == 0
    assert json.loads(done.out)["people"] == 24
    for row in rows_of(results):
        assert off(row, paths[int(row["picture"])][int(row["person"]) - 1]) < NEAR


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box", "1,2,3"], "expected four numbers X,Y,W,H"),
        (["--box", "1,2,0,4"], "has no area"),
        (["--box", "1,2,3,4", "--detector", "bin-face"], "give one of --box, --boxes and --det"),
        (["--score", "0.5"], "--score and --detect-every are of --detector"),
    ],
)
def test_wrong_use_is_one_line(
    command: Command, model: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    write_images(tmp_path, [person(BOX)])
    done = command("pose", tmp_path, "--model", model, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and len(done.err.splitlines()) == 1


def test_a_model_of_faces_is_refused(command: Command, model: Path, tmp_path: Path) -> None:
    write_images(tmp_path, [person(BOX)])
    done = command("pose", tmp_path, "--model", model.parent / "faces.safetensors")
    assert (done.code, done.out) == (1, "") and "face" in done.err
