"""``binvision detect`` from end to end, with a detector whose answers are known."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import SourceError
from binvision.media.sources import open_source
from tests.cli.conftest import Outcome
from tests.support.detection_models import street, write_detector
from tests.support.footage import write_images, write_video

Command = Callable[..., Outcome]
STAGES = ("decode", "plan", "letterbox", "network", "post", "output")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("model") / "colours.safetensors")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of different sizes with three objects."""
    large = street((64, 48), cars=[(1, 1)]).repeat(2, 0).repeat(2, 1)
    pictures = [street(cars=[(2, 5)], buses=[(6, 1)]), large]
    return write_images(tmp_path_factory.mktemp("photos"), pictures)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = [street(cars=[(2, number)]) for number in range(1, 7)]
    return write_video(tmp_path_factory.mktemp("video") / "clip.avi", frames, codec="MJPG")


def test_objects_of_one_picture_are_printed(command: Command, model: Path, photos: Path) -> None:
    done = command("detect", photos / "1.png", "--model", model)
    assert done.code == 0
    *objects, summary = done.out.splitlines()
    assert objects == ["car 0.99 32.0,8.0,24.0,24.0", "bus 0.99 0.0,40.0,24.0,24.0"]
    assert summary.startswith("1 picture, 2 objects (car 1, bus 1); colours on ")


def test_a_folder_gives_annotated_copies_and_results(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    out, results = tmp_path / "out", tmp_path / "found.csv"
    done = command("detect", photos, "--model", model, "--out", out, "--results", results, "--json")
    assert done.code == 0
    figures = json.loads(done.out)
    assert (figures["pictures"], figures["unreadable"]) == (2, 0)
    assert figures["objects"] == {"car": 2, "bus": 1}
    assert set(figures["ms_per_picture"]) == set(STAGES)
    assert done.err.splitlines() == [f"wrote {out}", f"wrote {results}"]
    assert sorted(path.name for path in out.iterdir()) == ["1.png", "2.png"]
    annotated, original = (cv2.imread(str(folder / "2.png")) for folder in (out, photos))
    assert annotated.shape == original.shape and (annotated != original).any()
    rows = [line.split(",") for line in results.read_text().splitlines()[1:]]
    assert [row[:2] for row in rows] == [["1.png", "car"], ["1.png", "bus"], ["2.png", "car"]]
    assert [round(float(value)) for value in rows[2][3:]] == [0, 0, 48, 48]


def test_one_picture_may_go_to_a_file(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    place = tmp_path / "annotated.jpg"
    assert command("detect", photos / "1.png", "--model", model, "--out", place).code == 0
    assert cv2.imread(str(place)).shape == (64, 64, 3)


def test_a_video_gives_a_video(command: Command, model: Path, video: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "out.mp4", tmp_path / "found.coco.json"
    done = command("detect", video, "--model", model, "--out", out, "--results", results)
    assert done.code == 0
    assert "6 frames, 6 objects (car 6); colours on " in done.out
    with open_source(out) as written:
        assert (written.count, written.size_hw) == (6, (64, 64))
    records = json.loads(results.read_text())
    assert [record["image_id"] for record in records] == list(range(6))
    assert {record["category_id"] for record in records} == {1}


def test_pictures_of_one_size_may_become_a_video(
    command: Command, model: Path, tmp_path: Path
) -> None:
    folder = write_images(tmp_path / "frames", [street(cars=[(2, 5)])] * 3)
    assert command("detect", folder, "--model", model, "--out", tmp_path / "o.avi").code == 0
    with open_source(tmp_path / "o.avi") as written:
        assert sum(1 for _ in written) == 3


def test_classes_score_size_and_tiles_are_obeyed(
    command: Command, model: Path, photos: Path
) -> None:
    def objects(*options: str | int) -> dict[str, int]:
        done = command("detect", photos / "1.png", "--model", model, "--json", *options)
        assert done.code == 0
        return json.loads(done.out)["objects"]

    assert objects("--classes", "bus") == {"bus": 1}
    assert objects("--classes", " Car , bus") == {"car": 1, "bus": 1}
    assert objects("--score", "0.99") == {}
    assert objects("--size", 128)["car"] > 1
    assert objects("--tile", 64) == {"car": 1, "bus": 1}
    assert objects("--tile", 48, "--overlap", "0.7") == {"car": 1, "bus": 1}


def test_a_damaged_picture_is_named_and_left_out(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for path in photos.iterdir():
        os.link(path, folder / path.name)
    (folder / "0.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "1b.jpg").touch()
    results = tmp_path / "found.json"
    done = command("detect", folder, "--model", model, "--results", results)
    assert done.code == 1
    assert done.out.startswith("2 pictures (2 more unreadable), 3 objects")
    left_out = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 2 and "0.jpg: cannot be decoded" in left_out[0]
    assert "error: 2 of 4 pictures could not be read; the first: " in done.err
    assert len(json.loads(results.read_text())["pictures"]) == 2


def test_one_damaged_picture_is_an_error(command: Command, model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    done = command("detect", tmp_path / "bad.jpg", "--model", model)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {tmp_path / 'bad.jpg'}: cannot be decoded as an image")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--overlap", "0.3"], "--overlap is of tiles: give --tile SIDE too"),
        (["--tile", "64", "--size", "64"], "--size scales pictures and --tile does not"),
        (["--host", "0.0.0.0"], "--host is of --serve"),
        (["--classes", "bos"], "unknown class 'bos': the model knows car, bus; did you mean 'bus'"),
        (["--classes", ""], "unknown class ''"),
        (["--score", "1.5"], "Invalid value for '--score'"),
        (["--tile", "9000"], "tile 9000: expected 1 to 8192 pixels"),
        (["--size", "9000"], "input size 9000: expected 1 to 8192 pixels"),
        (["--results", "found.xml"], "found.xml: results are written as .csv, .coco.json, .json"),
        (["--out", "one.png"], "one.png: cannot hold several pictures"),
        (["--out", "PHOTOS"], "is the picture itself"),
        (["--serve", "0"], "--serve shows a video, a camera or a stream while it runs"),
        (["--serve", "70000"], "Invalid value for '--serve'"),
    ],
)
def test_wrong_use_is_one_line(
    command: Command, model: Path, photos: Path, options: list[str], message: str
) -> None:
    options = [str(photos) if option == "PHOTOS" else option for option in options]
    done = command("detect", photos, "--model", model, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and len(done.err.splitlines()) == 1


def test_a_video_does_not_fit_a_folder(command: Command, model: Path, video: Path) -> None:
    done = command("detect", video, "--model", model, "--out", "folder")
    assert done.code == 2
    assert "--out folder: the annotated frames of a video or camera are a video" in done.err


def test_sources_and_models_that_are_not_there(
    command: Command, model: Path, photos: Path, tmp_path: Path
) -> None:
    done = command("detect", tmp_path / "none.jpg", "--model", model)
    assert done.code == 1 and "none.jpg: no such file or folder" in done.err
    done = command("detect", tmp_path, "--model", model)
    assert done.code == 1 and "holds no image" in done.err
    done = command("detect", photos, "--model", "rb-siamfc")
    assert done.code == 1 and "is for tracking/siamfc, but detection needs one for" in done.err


def test_a_full_disk_leaves_no_half_of_a_file(
    command: Command, model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("binvision.media.files.os.fsync", full)
    out = tmp_path / "out"
    done = command("detect", photos, "--model", model, "--out", out)
    assert done.code == 1
    assert done.err == f"error: {out / '1.png'}: cannot write: No space left on device\n"
    assert list(out.iterdir()) == []


def test_show_needs_a_screen(
    command: Command, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    done = command("detect", photos, "--model", model, "--show")
    assert done.code == 1 and "--show needs a screen" in done.err


@pytest.mark.parametrize(("keys", "looked_at"), [([32, 32], 2), ([ord("q")], 1)])
def test_a_window_waits_for_keys_between_pictures(
    command: Command, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch,
    keys: list[int], looked_at: int,
) -> None:  # fmt: skip
    pressed = iter([code for key in keys for code in (-1, key)])
    monkeypatch.setattr("binvision.cli.looking.check_display", lambda option: None)
    for name, answer in {
        "namedWindow": lambda *_: None,
        "imshow": lambda *_: None,
        "getWindowProperty": lambda *_: 1.0,
        "waitKey": lambda _: next(pressed),
        "destroyAllWindows": lambda: None,
    }.items():
        monkeypatch.setattr(cv2, name, answer)
    done = command("detect", photos, "--model", model, "--show", "--json")
    assert json.loads(done.out)["pictures"] == looked_at


class _Camera:
    """Gives two frames and is pulled out."""

    name, count, fps, live = "camera 3", None, None, True

    def __iter__(self) -> Iterator[np.ndarray]:
        yield from [street(cars=[(2, 5)])] * 2
        raise SourceError("camera 3: stopped delivering after frame 2")

    def __enter__(self) -> _Camera:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def test_a_camera_that_goes_away_keeps_what_was_found(
    command: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binvision.cli.looking.open_source", lambda _: _Camera())
    results, out = tmp_path / "found.csv", tmp_path / "seen.avi"
    done = command("detect", "3", "--model", model, "--results", results, "--out", out)
    assert done.code == 1
    *written, error = done.err.splitlines()
    assert sorted(written) == sorted([f"wrote {results}", f"wrote {out}"])
    assert error == "error: camera 3: stopped delivering after frame 2"
    assert len(results.read_text().splitlines()) == 3
    with open_source(out) as video:
        assert video.count == 2


def test_names_of_small_objects_among_many_are_left_out(
    command: Command, model: Path, tmp_path: Path
) -> None:
    """Boxes are drawn thinly; plates with names darken what lies around them."""

    def darkened(objects: int) -> float:
        picture = np.full((400, 400, 3), 1, np.uint8)
        cells = [(8 * (n // 5) + 4, 8 * (n % 5) + 4) for n in range(objects)]
        picture = np.maximum(picture * 120, street((400, 400), cars=cells))
        (folder := tmp_path / str(objects)).mkdir()
        cv2.imwrite(str(folder / "in.png"), picture)
        options = ["--model", model, "--size", 400, "--out", folder / "out.png"]
        assert command("detect", folder / "in.png", *options).code == 0
        return float((cv2.imread(str(folder / "out.png"))[..., 2] < 60).sum()) / objects

    assert darkened(20) < darkened(10) / 3
