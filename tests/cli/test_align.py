"""``binvision align`` from end to end, with models whose answers are known."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import SourceError
from binvision.landmarks import FaceAligner
from binvision.landmarks.annotations import read_point_set
from binvision.media.sources import open_source
from tests.cli.conftest import Outcome
from tests.support.footage import write_images, write_video
from tests.support.landmark_models import chart_points
from tests.support.landmark_scenes import chart_box, gallery, write_models

Command = Callable[..., Outcome]
NEAR = 3.0  # pixels between a chart's points and those found: maps have cells of 4 crop pixels
FIRST = (32, 64)  # place of a mark that is one of the detector's cells


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of different sizes with a face each, and one without any."""
    large = gallery([(64, 96)]).repeat(2, 0).repeat(2, 1)
    pictures = [gallery([FIRST]), gallery([]), large]
    return write_images(tmp_path_factory.mktemp("photos"), pictures)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = [gallery([(32 + number, 64)]) for number in range(6)]
    return write_video(tmp_path_factory.mktemp("video") / "clip.avi", frames, codec="MJPG")


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def points_of(row: dict[str, str]) -> np.ndarray:
    """The points in a line of CSV that has nothing between or behind them."""
    values = list(row.values())
    first = list(row).index("right_jaw_1_x")
    return np.array(values[first : first + 136], float).reshape(68, 2)


def test_the_face_of_one_picture_is_printed(command: Command, model: Path, photos: Path) -> None:
    done = command("align", photos / "1.png", "--model", model)
    assert done.code == 0
    face, summary = done.out.splitlines()
    name, score, box = face.split()
    assert name == "face" and 0.3 < float(score) <= 1
    np.testing.assert_allclose([float(v) for v in box.split(",")], chart_box(FIRST), atol=NEAR)
    assert summary.startswith("1 picture, 1 face; chart on ")


def test_a_picture_without_a_face_is_no_error(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    results = tmp_path / "r.csv"
    options = ["--results", results, "--out", tmp_path / "o.png", "--pts", tmp_path / "pts"]
    done = command("align", photos / "2.png", "--model", model, *options)
    assert done.code == 0
    assert done.out.startswith("1 picture, no face found; chart on ")
    assert rows_of(results) == []
    assert done.err.splitlines() == [f"wrote {tmp_path / 'o.png'}", f"wrote {results}"]
    assert (cv2.imread(str(tmp_path / "o.png")) == cv2.imread(str(photos / "2.png"))).all()


def test_a_folder_gives_annotated_copies_results_and_points(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    out, results, pts = tmp_path / "out", tmp_path / "found.csv", tmp_path / "pts"
    options = ["--out", out, "--results", results, "--pts", pts, "--json"]
    done = command("align", photos, "--model", model, *options)
    assert done.code == 0
    figures = json.loads(done.out)
    assert (figures["pictures"], figures["faces"], figures["without_faces"]) == (3, 2, 1)
    assert list(figures["ms_per_picture"]) == [
        *("decode", "detect", "crop", "network", "post", "output"),
    ]
    assert done.err.splitlines() == [f"wrote {path}" for path in (out, results, pts)]
    assert sorted(path.name for path in out.iterdir()) == ["1.png", "2.png", "3.png"]
    annotated, original = (cv2.imread(str(folder / "3.png")) for folder in (out, photos))
    assert annotated.shape == original.shape and (annotated != original).any()
    first, third = rows_of(results)
    assert (first["picture"], first["face"], third["picture"]) == ("1.png", "1", "3.png")
    np.testing.assert_allclose(points_of(first), chart_points(chart_box(FIRST)), atol=NEAR)
    np.testing.assert_allclose(
        points_of(third), 2 * chart_points(chart_box((64, 96))) + 0.5, atol=2 * NEAR
    )
    loaded = read_point_set(pts)
    assert [picture.name for picture in loaded.pictures] == ["1.png", "3.png"]
    np.testing.assert_allclose(loaded.pictures[0].points, points_of(first), atol=0.01)


def test_several_faces_are_numbered(command: Command, model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "two.png"), gallery([(32, 32), (32, 160)], (256, 256)))
    results = tmp_path / "found.json"
    options = ["--results", results, "--pts", tmp_path / "pts"]
    assert command("align", tmp_path / "two.png", "--model", model, *options).code == 0
    document = json.loads(results.read_text())
    assert document["model"] == "chart" and len(document["points"]) == 68
    faces = document["pictures"][0]["faces"]
    assert [face["face"] for face in faces] == [1, 2]
    assert sorted(face["box_xywh"][1] for face in faces) == pytest.approx([0, 128], abs=8)
    names = sorted(path.name for path in (tmp_path / "pts").iterdir())
    assert names == ["two.2.png", "two.2.pts", "two.png", "two.pts"]


def test_a_face_in_a_video_is_followed_under_one_number(
    command: Command, model: Path, video: Path, tmp_path: Path
) -> None:
    out, results = tmp_path / "out.mp4", tmp_path / "found.csv"
    done = command("align", video, "--model", model, "--out", out, "--results", results)
    assert done.code == 0
    assert done.out.startswith("6 frames, 6 faces; chart on ")
    with open_source(out) as written:
        assert (written.count, written.size_hw) == (6, (192, 256))
    rows = rows_of(results)
    assert [(row["picture"], row["face"]) for row in rows] == [(str(n), "1") for n in range(6)]
    for number, row in enumerate(rows):
        truth = chart_points(chart_box((32 + number, 64)))
        assert np.abs(points_of(row) - truth).mean() < NEAR


def test_mirror_averages(command: Command, model: Path, photos: Path, tmp_path: Path) -> None:
    results = tmp_path / "found.csv"
    done = command("align", photos / "1.png", "--model", model, "--mirror", "--results", results)
    aligner = FaceAligner(model, mirror=True)
    (face,) = aligner(cv2.imread(str(photos / "1.png")))
    assert done.code == 0
    np.testing.assert_allclose(points_of(rows_of(results)[0]), face.points, rtol=0, atol=0.01)


def test_no_smooth_leaves_points_alone(
    command: Command, model: Path, video: Path, tmp_path: Path
) -> None:
    def last(*options: str) -> np.ndarray:
        results = tmp_path / "found.csv"
        assert command("align", video, "--model", model, "--results", results, *options).code == 0
        return points_of(rows_of(results)[-1])

    truth = chart_points(chart_box((37, 64)))[:, 0]
    lag = {option: (truth - last(*option)[:, 0]).mean() for option in [(), ("--no-smooth",)]}
    assert lag[()] > lag[("--no-smooth",)] + 0.1


def test_columns_add_what_applications_compute(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    def head(*options: str | Path) -> list[str]:
        results = tmp_path / "found.csv"
        options = ("--model", model, "--results", results, *options)
        done = command("align", photos / "1.png", *options)
        assert done.code == 0
        (row,) = rows_of(results)
        assert all(np.isfinite(float(value)) for value in list(row.values())[1:] if value)
        return list(row)

    plain = head()
    assert len(plain) == 7 + 2 * 68 and plain[7:9] == ["right_jaw_1_x", "right_jaw_1_y"]
    both = head("--columns", "openness, Pose,openness")
    assert both[7:13] == [
        *("left_eye_openness", "right_eye_openness", "mouth_openness", "yaw", "pitch", "roll"),
    ]
    assert head("--columns", "confidence")[7:10] == [*plain[7:9], "right_jaw_1_confidence"]


def test_boxes_from_a_file_take_the_place_of_the_detector(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    x, y, w, h = chart_box(FIRST)
    boxes, results = tmp_path / "boxes.csv", tmp_path / "found.csv"
    boxes.write_text(f"frame,x,y,w,h\n1.png,{x + 8},{y - 6},{w},{h}\n9.png,1,2,3,4\n")
    options = ["--model", model, "--boxes", boxes, "--results", results, "--json"]
    done = command("align", photos, *options)
    figures = json.loads(done.out)
    assert (figures["faces"], figures["without_faces"]) == (1, 2)
    assert figures["ms_per_picture"]["detect"] == 0
    assert f"{boxes}: 1 of its 2 pictures were not in the source: 9.png" in done.err
    (row,) = rows_of(results)
    np.testing.assert_allclose(points_of(row), chart_points(chart_box(FIRST)), atol=NEAR)


def test_a_box_without_a_face_is_answered_with_a_low_score(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("2.png,150,10,60,60\n2.png,-900,10,60,60\n")
    done = command("align", photos / "2.png", "--model", model, "--boxes", boxes)
    assert done.code == 0
    assert [float(line.split()[1]) < 0.3 for line in done.out.splitlines()[:-1]] == [True, True]


def test_boxes_of_frames_are_by_their_number(
    command: Command, model: Path, video: Path, tmp_path: Path
) -> None:
    boxes, results = tmp_path / "boxes.csv", tmp_path / "found.csv"
    lines = [",".join(map(str, (n, *chart_box((32 + n, 64))))) for n in (1, 4)]
    boxes.write_text("\n".join(lines))
    options = ["--model", model, "--boxes", boxes, "--results", results]
    assert command("align", video, *options).code == 0
    assert [row["picture"] for row in rows_of(results)] == ["1", "4"]


def test_pictures_of_all_kinds_are_read_upright(
    command: Command, model: Path, tmp_path: Path
) -> None:
    """Colour is left out of one, and the model sees by colour: it is read all the same."""
    picture = gallery([FIRST])
    kinds = {
        "grey.png": cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY),
        "rgba.png": np.dstack((picture, np.full(picture.shape[:2], 9, np.uint8))),
        "sixteen.png": picture.astype(np.uint16) * 257,
    }
    for name, image in kinds.items():
        cv2.imwrite(str(tmp_path / name), image)
    lying = cv2.imencode(".jpg", cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE))[1].tobytes()
    note = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    turned = lying[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + lying[2:]
    (tmp_path / "turned.jpg").write_bytes(turned)
    results = tmp_path / "found.json"
    options = ["--model", model, "--results", results, "--out", tmp_path / "out"]
    assert command("align", tmp_path, *options).code == 0
    pictures = {each["picture"]: each for each in json.loads(results.read_text())["pictures"]}
    assert {each["width"] for each in pictures.values()} == {256}
    for name in ("rgba.png", "sixteen.png", "turned.jpg"):
        (face,) = pictures[name]["faces"]
        truth = chart_points(chart_box(FIRST))
        assert np.abs(np.array(face["points"]) - truth).mean() < NEAR, name
    assert pictures["grey.png"]["faces"] == []
    assert cv2.imread(str(tmp_path / "out" / "turned.jpg")).shape == (192, 256, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "yaw"], "--columns: 'yaw' is unknown; expected some of pose, openness"),
        (["--boxes", "BOXES", "--score", "0.5"], "--boxes says where the faces are: leave out --s"),
        (["--host", "0.0.0.0"], "--host is of --serve"),
        (["--camera", "0"], "give one SOURCE"),
        (["--results", "found.coco.json"], "results are written as .csv, .json"),
        (["--results", "found.txt"], "results are written as .csv, .json, not .txt"),
        (["--out", "one.png"], "one.png: cannot hold several pictures"),
        (["--pts", "PHOTOS"], "is the picture itself"),
        (["--serve", "0"], "--serve shows a video, a camera or a stream while it runs"),
        (["--detect-every", "0"], "Invalid value for '--detect-every'"),
    ],
)
def test_wrong_use_is_one_line(
    command: Command, model: Path, photos: Path, tmp_path: Path,
    options: list[str], message: str,
) -> None:  # fmt: skip
    (tmp_path / "boxes.csv").write_text("1.png,1,2,3,4\n")
    places = {"PHOTOS": str(photos), "BOXES": str(tmp_path / "boxes.csv")}
    options = [places.get(option, option) for option in options]
    done = command("align", photos, "--model", model, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and len(done.err.splitlines()) == 1


def test_a_source_must_be_named(command: Command, model: Path) -> None:
    done = command("align", "--model", model)
    assert done.code == 2 and "give one SOURCE" in done.err


def test_points_files_are_of_pictures(command: Command, model: Path, video: Path) -> None:
    done = command("align", video, "--model", model, "--pts", "folder")
    assert done.code == 2 and "--pts folder: .pts files stand beside pictures" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.png,1,2,3\n", "boxes.csv, line 1: expected a picture or frame and its box"),
        ("1.png,1,2,3,4\n1.png,1,2,0,4\n", "boxes.csv, line 2: a box without area"),
        ("", "boxes.csv: holds no box"),
    ],
)
def test_bad_boxes_are_named(
    command: Command, model: Path, photos: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "boxes.csv").write_text(text)
    done = command("align", photos, "--model", model, "--boxes", tmp_path / "boxes.csv")
    assert (done.code, done.out) == (1, "")
    assert message in done.err and len(done.err.splitlines()) == 1


def test_models_of_other_tasks_are_refused(command: Command, model: Path, photos: Path) -> None:
    detector = model.parent / "colours.safetensors"
    people = model.parent / "people.safetensors"
    for wrong, message in [("rb-siamfc", "tracking/siamfc"), (detector, "detection/"),
                           (people, "pose14")]:  # fmt: skip
        done = command("align", photos, "--model", wrong)
        assert (done.code, done.out) == (1, "") and message in done.err
        assert len(done.err.splitlines()) == 1
    done = command("align", photos, "--model", model, "--detector", model)
    assert done.code == 1 and "but detection needs one for" in done.err


def test_sources_that_are_not_there(command: Command, model: Path, tmp_path: Path) -> None:
    done = command("align", tmp_path / "none.jpg", "--model", model)
    assert done.code == 1 and "none.jpg: no such file or folder" in done.err
    done = command("align", "--camera", "77", "--model", model)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: camera 77: cannot be opened (no such camera")


class _Camera:
    """Gives three frames with a face and is pulled out."""

    name, count, fps, live = "camera 3", None, None, True

    def __iter__(self) -> Iterator[np.ndarray]:
        yield from [gallery([FIRST])] * 3
        raise SourceError("camera 3: stopped delivering after frame 3")

    def __enter__(self) -> _Camera:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def test_a_camera_that_goes_away_keeps_what_was_found(
    command: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(
        "binvision.cli.looking.open_source", lambda source: opened.append(source) or _Camera()
    )
    results, out = tmp_path / "found.csv", tmp_path / "seen.avi"
    options = ["--model", model, "--results", results, "--out", out]
    done = command("align", "--camera", 3, *options)
    assert done.code == 1 and opened == ["3"]
    assert done.err.splitlines()[-1] == "error: camera 3: stopped delivering after frame 3"
    assert [row["picture"] for row in rows_of(results)] == ["0", "1", "2"]
    with open_source(out) as written:
        assert written.count == 3


def test_a_full_disk_leaves_no_half_of_a_file(
    command: Command, model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("binvision.media.files.os.fsync", full)
    pts = tmp_path / "pts"
    done = command("align", photos, "--model", model, "--pts", pts)
    assert done.code == 1
    assert done.err == f"error: {pts / '1.png'}: cannot write: No space left on device\n"
    assert list(pts.iterdir()) == []
