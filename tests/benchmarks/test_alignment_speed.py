"""The benchmark of face alignment, on a network whose answers are known."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import alignment_speed
from benchmarks.face_clip import FaceClip
from binvision.detectors import Detections
from binvision.errors import DataError
from binvision.landmarks import Face
from tests.support.landmark_models import chart_points, draw_chart, write_chart_model

BOX = (60.0, 70.0, 120.0, 105.0)


class ColourFinder:
    """Finds the box of what has colour."""

    def __init__(self, model: str, *, threads: int) -> None:
        pass

    def __call__(self, image: np.ndarray, /) -> Detections:
        smooth = cv2.blur(image, (9, 9)).astype(int)
        rows, columns = np.nonzero(np.ptp(smooth, axis=2) > 60)
        box = columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)
        one = np.ones(1, np.float32)
        return Detections(np.array([box], np.float32), one, np.zeros(1, np.int64), ("face",))


@pytest.fixture
def one_thread() -> None:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def picture() -> np.ndarray:
    return draw_chart(np.full((240, 240, 3), 128, np.uint8), BOX)


def test_figures_are_printed_with_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, one_thread: None
) -> None:
    monkeypatch.setattr(alignment_speed, "Detector", ColourFinder)
    model = write_chart_model(tmp_path / "chart.safetensors", settings={"input_size": 256})
    cv2.imwrite(str(tmp_path / "face.png"), picture())
    table = tmp_path / "results" / "speed.csv"
    options = ["--rounds", "2", "--frames", "8", "--csv", str(table), "--model", str(model)]
    alignment_speed.main(["--picture", str(tmp_path / "face.png"), *options])
    out = capsys.readouterr().out
    for word in ("chart", "follow", "detect", "frames/s", "jitter", "isa", "threads 1"):
        assert word in out
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["way"], row["round"]) for row in rows] == [
        ("follow", "0"), ("follow", "1"), ("detect", "0"), ("detect", "1"),
    ]  # fmt: skip
    # The first frame, or every one of eight.
    assert [float(row["detections"]) for row in rows] == [0.125, 0.125, 1, 1]
    assert [float(row["faces"]) for row in rows] == [1] * 4
    assert all(float(row[f"{stage}_ms"]) > 0 for row in rows for stage in alignment_speed.STAGES)


def test_points_of_a_picture_are_where_the_frames_show_them() -> None:
    clip = FaceClip(picture(), 3, noise=0, seed=0)
    (left, top), (right, bottom) = clip.places_of(chart_points(BOX)[[0, 8 + 9 * 6]])[2]
    frame = clip.frames[2]
    for x, y, index in ((left, top, 0), (right, bottom, 62)):
        x0, y0 = chart_points(BOX)[index]
        expected = picture()[round(y0) + 3, round(x0) + 3]
        scale = (right - left) / BOX[2]
        shown = frame[round(y + 3 * scale), round(x + 3 * scale)]
        assert np.abs(shown.astype(int) - expected).max() < 12
    still = FaceClip(picture(), 2, noise=0, seed=0, still=True)
    np.testing.assert_array_equal(*still.frames)


def test_an_aligner_that_does_not_follow_is_refused() -> None:
    def face(shift: float, identity: int = 1) -> Face:
        points = (chart_points(BOX) + shift).astype(np.float32)
        return Face(points, np.ones(68, np.float32), (240, 240), identity)

    places = [chart_points(BOX)] * 3
    with pytest.raises(DataError, match=r"m: frame 1: points are 1\d\.\d% of the face's size from"):
        alignment_speed.the_one("m", [[face(1)], [face(12)], [face(1)]], places)
    for wrong in ([], [face(0, 2)]):
        with pytest.raises(DataError, match=r"m: frame 2: does not find the face that it followed"):
            alignment_speed.the_one("m", [[face(0)], [face(0)], wrong], places)


def test_another_face_beside_the_one_is_counted_alone() -> None:
    right, other = (
        Face(chart_points(BOX) + np.float32(shift), np.ones(68, np.float32), (240, 240), identity)
        for shift, identity in ((1, 2), (60, 1))
    )
    places = [chart_points(BOX)] * 3
    followed = alignment_speed.the_one("m", [[other, right], [right], [right, other]], places)
    assert followed == [right] * 3


def test_a_picture_without_a_face_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.setattr(alignment_speed, "Detector", lambda model, threads: nothing)
    model = write_chart_model(tmp_path / "chart.safetensors")
    cv2.imwrite(str(tmp_path / "face.png"), picture())
    with pytest.raises(SystemExit, match="error: chart: finds no face in the picture; choose"):
        alignment_speed.main(["--picture", str(tmp_path / "face.png"), "--model", str(model)])


def nothing(image: np.ndarray, /) -> Detections:
    none = np.empty(0, np.float32)
    return Detections(none.reshape(0, 4), none, none.astype(np.int64), ("face",))
