"""Faces with landmarks: archives and folders of points, whole and damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from binvision.detectors.faces import head_box, read_faces
from binvision.errors import DataError
from tests.support.face_archives import face, write_face_archive, write_points


def drawn(path: Path, count: int = 30) -> list[tuple[np.ndarray, np.ndarray]]:
    archive = read_faces(path)
    return [archive.draw(np.random.default_rng(seed)) for seed in range(count)]


def test_the_box_of_a_head() -> None:
    points = np.array([[10, 40], [60, 40], [35, 100], *[[30, 60]] * 65], np.float32)
    # Chin to brow is 60 pixels, the sides are 50 apart.
    assert head_box(points).tolist() == pytest.approx([9, 22, 52, 78])


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_boxes_lie_on_the_faces(tmp_path: Path, kind: str) -> None:
    """Pictures are dark but for their points; their middle must be the box's."""
    if kind == "archive":
        path = write_face_archive(tmp_path / "faces.npz", 3)
    else:
        path = write_points(tmp_path / "faces", 3)
    assert len(read_faces(path)) == 3
    seen = set()
    for image, boxes in drawn(path):
        assert image.dtype == np.uint8 and boxes.shape == (1, 4) and boxes.dtype == np.float32
        rows, columns = np.nonzero(image[..., 0] > 128)
        x, y, w, h = boxes[0]
        assert x + w / 2 == pytest.approx((columns.min() + columns.max()) / 2, abs=1)
        # The box ends at the chin; from there to the brows is 1/1.3 of it.
        assert y + h == pytest.approx(rows.max(), abs=2)
        assert y + h - h / 1.3 == pytest.approx(rows.min(), abs=2)
        seen.add(image.shape)
    assert len(seen) == 3


def test_the_same_seed_draws_the_same_face(tmp_path: Path) -> None:
    path = write_face_archive(tmp_path / "faces.npz", 3)
    for (image, boxes), (image_again, boxes_again) in zip(drawn(path), drawn(path), strict=True):
        assert np.array_equal(image, image_again) and np.array_equal(boxes, boxes_again)


def test_boxes_may_be_changed_by_who_draws_them(tmp_path: Path) -> None:
    archive = read_faces(write_face_archive(tmp_path / "faces.npz", 1))
    before = archive.draw(np.random.default_rng(0))[1].copy()
    archive.draw(np.random.default_rng(0))[1][:] = 0
    assert np.array_equal(archive.draw(np.random.default_rng(0))[1], before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": None}, "not a face archive with arrays 'jpeg', 'offsets' and 'landmarks'"),
        ({"jpeg": None}, "not a face archive"),
        ({"landmarks": np.zeros((2, 68, 2))}, r"3 pictures, but landmarks \(2, 68, 2\)"),
        ({"landmarks": np.zeros((3, 5, 2))}, r"landmarks \(3, 5, 2\) of float64; expected \(3, 68"),
        ({"landmarks": np.full((3, 68, 2), "x")}, "landmarks .* of <U1"),
        ({"landmarks": np.full((3, 68, 2), np.nan)}, "0: its points are no finite area"),
        ({"landmarks": np.ones((3, 68, 2))}, "0: its points are no finite area"),
        ({"landmarks": np.array([[["a"]]], object)}, "not a face archive"),
        ({"offsets": np.array([0, 5, 9, 10**9])}, "'offsets' do not lead into the .* bytes"),
        ({"offsets": np.array([-3, 5, 9, 10])}, "'offsets' do not lead into"),
        ({"offsets": np.array([0])}, "'offsets' do not lead into"),
        ({"offsets": np.array([0.0, 1, 2, 3])}, r"'offsets' \(4,\) of float64; expected a row of"),
        ({"offsets": np.array([0, 9, 9, 10])}, "picture 1 has no bytes; 'offsets' must rise"),
        ({"offsets": np.array([0, 9, 5, 10])}, "picture 1 has no bytes"),
    ],
)
def test_archives_with_a_fault(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "faces.npz"
    with np.load(write_face_archive(path, 3)) as content:
        arrays = {**content, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError, match=rf"faces\.npz: .*{message}|faces\.npz: {message}"):
        read_faces(path)


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    whole = write_face_archive(tmp_path / "whole.npz", 3).read_bytes()
    torn = bytearray(whole)
    torn[200:260] = bytes(60)
    np.save(tmp_path / "one.npy", np.zeros(3))
    faults = {
        "empty.npz": b"",
        "text.npz": b"no archive",
        "cut.npz": whole[:-40],
        "torn.npz": bytes(torn),
        "one.npz": (tmp_path / "one.npy").read_bytes(),
    }
    for name, content in faults.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}: not a face archive"):
            read_faces(tmp_path / name)
    with pytest.raises(DataError, match=r"gone\.npz: not a face archive"):
        read_faces(tmp_path / "gone.npz")


def test_a_picture_that_does_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    with np.load(write_face_archive(path, 1)) as content:
        arrays = dict(content)
    arrays["jpeg"] = np.zeros_like(arrays["jpeg"])
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="face picture 0 cannot be decoded"):
        drawn(path, 1)


def test_folders_with_a_fault(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "faces", 2)
    points = folder / "face1.pts"
    text = points.read_text()
    for damaged, message in (
        (text.replace("}", ""), "not 68 points between braces"),
        (text[: len(text) // 2] + "}", "not 68 points between braces"),
        (text.replace("{\n", "{\nx "), "not 68 points between braces"),
        (text[: text.index("{")] + "{\n" + "1 1\n" * 68 + "}", "its points are no finite area"),
    ):
        points.write_text(damaged)
        with pytest.raises(DataError, match=rf"face1\.(pts|jpg): {message}"):
            read_faces(folder)
    points.write_text(text)
    (folder / "face1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"face1\.jpg: is empty"):
        read_faces(folder)
    (folder / "face1.jpg").unlink()
    (folder / "face1.txt").write_text("not a picture")
    with pytest.raises(DataError, match=r"face1\.pts: no picture of the same name beside it"):
        read_faces(folder)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match=r"no \.pts file; pass a folder of pictures with points"):
        read_faces(tmp_path / "nothing")


def test_names_that_look_like_patterns(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "faces", 1)
    for path in list(folder.iterdir()):
        path.rename(folder / f"face[0]{path.suffix}")
    image, _ = read_faces(folder).draw(np.random.default_rng(0))
    assert image.shape == face(0)[0].shape
    assert cv2.imread(str(folder / "face[0].jpg")) is not None
