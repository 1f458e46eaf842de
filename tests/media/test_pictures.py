"""Still pictures: which ones a source names, how they are read, and how copies are written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import SinkError, SourceError, UsageError
from binvision.media.images import read_image
from binvision.media.pictures import PictureFile, find_pictures, picture_place, write_picture

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def write(path: Path, picture: np.ndarray = PICTURE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def test_one_picture_a_folder_and_a_glob_are_found(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "notes.txt", ".11.png"):
        (tmp_path / name).touch()
    (one,) = find_pictures(str(tmp_path / "9.png")) or []
    assert (one.name, one.identifier) == ("9.png", 9)
    for source in (str(tmp_path), str(tmp_path / "*.png")):
        found = find_pictures(source) or []
        assert [(picture.name, picture.identifier) for picture in found][-2:] == [
            ("9.png", 9),
            ("10.png", 10),
        ]


def test_names_go_from_the_common_folder_and_numbers_must_differ(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "b/c/2.png"):
        write(tmp_path / name)
    found = find_pictures(str(tmp_path / "*" / "1.png")) or []
    assert [(picture.name, picture.identifier) for picture in found] == [
        ("a/1.png", "a/1.png"),
        ("b/1.png", "b/1.png"),
    ]


@pytest.mark.parametrize("source", ["nowhere", "0", "rtsp://camera", "clip.mp4"])
def test_other_sources_are_left_to_others(tmp_path: Path, source: str) -> None:
    (tmp_path / "clip.mp4").touch()
    assert find_pictures(source) is None
    assert find_pictures(str(tmp_path / "clip.mp4")) is None


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no image; expected files ending in .bmp"):
        find_pictures(str(tmp_path))
    with pytest.raises(SourceError, match="holds no image"):
        find_pictures(str(tmp_path / "*.jpg"))


def test_grey_deep_and_transparent_pictures_become_bgr(tmp_path: Path) -> None:
    grey = PICTURE[..., 0]
    spread = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_array_equal(read_image(write(tmp_path / "grey.png", grey)), spread)
    deep = grey.astype(np.uint16) * 256 + 17
    np.testing.assert_array_equal(read_image(write(tmp_path / "deep.png", deep)), spread)
    clear = np.dstack((PICTURE, grey))
    np.testing.assert_array_equal(read_image(write(tmp_path / "clear.png", clear)), PICTURE)


def turned_jpeg(path: Path, orientation: int) -> Path:
    """A JPEG whose note says how the camera was held (EXIF tag 0x0112)."""
    smooth = np.zeros((16, 32, 3), np.uint8)
    smooth[:, :16] = 255
    jpeg = cv2.imencode(".jpg", smooth)[1].tobytes()
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + tiff
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    return path


def test_pictures_are_turned_upright_where_that_is_wanted(tmp_path: Path) -> None:
    path = turned_jpeg(tmp_path / "held.jpg", 6)  # the camera was turned to the right
    stored, upright = read_image(path), read_image(path, upright=True)
    assert stored.shape == (16, 32, 3) and upright.shape == (32, 16, 3)
    np.testing.assert_allclose(upright, np.rot90(stored, -1), atol=12)


def test_written_pictures_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "copy.png"
    write_picture(path, PICTURE)
    np.testing.assert_array_equal(read_image(path), PICTURE)
    assert [each.name for each in path.parent.iterdir()] == ["copy.png"]


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="copy.docx: OpenCV cannot encode"):
        write_picture(tmp_path / "copy.docx", PICTURE)
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot write"):
        write_picture(tmp_path / "file" / "copy.png", PICTURE)


def test_copies_have_their_place_and_never_replace_the_original(tmp_path: Path) -> None:
    picture = PictureFile(tmp_path / "a.png", "a.png", "a.png")
    assert picture_place(tmp_path / "out", picture, False) == tmp_path / "out" / "a.png"
    assert picture_place(tmp_path / "out", picture, True) == tmp_path / "out" / "a.png"
    assert picture_place(tmp_path / "b.jpg", picture, True) == tmp_path / "b.jpg"
    with pytest.raises(UsageError, match="b.jpg: cannot hold several pictures"):
        picture_place(tmp_path / "b.jpg", picture, False)
    for out in (tmp_path, tmp_path / "a.png", tmp_path / "x" / ".."):
        with pytest.raises(UsageError, match="is the picture itself"):
            picture_place(out, picture, True)
