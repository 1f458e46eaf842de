"""Training pictures: boxes lie on what is painted, and each depends on seed and index alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from binvision.detectors import scenes
from binvision.detectors.scenes import DetectionScenes, Scene
from binvision.detectors.targets import encode
from binvision.errors import DataError, SourceError
from tests.support.detection_scenes import CLASSES, write_scenes
from tests.support.face_archives import write_face_archive
from tests.support.photographs import write_archive

SIZE = 128
STILL: dict[str, Any] = {
    "scale": (0.8, 1.25), "aspect": 0.0, "rotation": 0.0, "mosaic": 0.0, "paste": 0,
    "background": 0.0, "grey": 0.0,
}  # fmt: skip


def dataset(data: Path, ranges: dict[str, Any] | None = None, **changes: Any) -> DetectionScenes:
    arguments = {"classes": [], "input_size": SIZE, "size": SIZE, "stride": 8, "length": 1000}
    return DetectionScenes(
        str(data), None, **{**arguments, **changes}, ranges={**STILL, **(ranges or {})}
    )


def render(made: DetectionScenes, count: int = 40) -> list[Scene]:
    return [made.render(np.random.default_rng(seed)) for seed in range(count)]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours stay as they are painted."""
    monkeypatch.setattr(scenes, "_photographed", lambda image, grey, rng: image)


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write_scenes(tmp_path / "boxes")


def coloured(image: np.ndarray, label: int) -> np.ndarray:
    """Where the colour of a class is."""
    return (image[..., label] > 127) & (image[..., 1 - label] < 128) & (image[..., 2] < 64)


def check_boxes(scene: Scene, slack: float = 1.5) -> None:
    """Boxes are full of the colour of their class, and what is outside all boxes is little."""
    outside = np.ones(scene.image.shape[:2], bool)
    for (x, y, w, h), label in zip(scene.boxes, scene.labels, strict=True):
        assert min(w, h) > 0 and min(x, y) >= 0 and max(x + w, y + h) <= SIZE + 1e-3
        rows = slice(int(np.ceil(y + slack)), int(y + h - slack))
        columns = slice(int(np.ceil(x + slack)), int(x + w - slack))
        inner = coloured(scene.image, int(label))[rows, columns]
        assert inner.all(), (x, y, w, h, label)
        outside[
            max(0, int(y - slack)) : int(np.ceil(y + h + slack)),
            max(0, int(x - slack)) : int(np.ceil(x + w + slack)),
        ] = False
    for label in (0, 1):
        # Objects of which less than a twentieth is left have no box.
        assert (coloured(scene.image, label) & outside).sum() <= 0.05 * 60 * 60


def check_some(rendered: list[Scene]) -> None:
    """What was checked were objects of both classes."""
    labels = np.concatenate([scene.labels for scene in rendered])
    assert len(labels) > 30 and set(labels.tolist()) == {0, 1}


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    "ranges",
    [
        {},
        {"scale": (0.3, 0.55)},  # by way of half the picture
        {"scale": (2.0, 2.5)},
        {"aspect": 0.3},
        {"quarter_turns": True},
        {"mosaic": 1.0},
        {"mosaic": 1.0, "quarter_turns": True, "aspect": 0.2},
        {"native": True},
    ],
    ids=str,
)
def test_boxes_lie_on_their_objects(boxes: Path, ranges: dict[str, Any]) -> None:
    rendered = render(dataset(boxes, ranges))
    for scene in rendered:
        assert scene.image.shape == (SIZE, SIZE, 3) and scene.image.dtype == np.uint8
        assert scene.boxes.dtype == np.float32 and scene.labels.dtype == np.int64
        check_boxes(scene)
    check_some(rendered)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("ranges", [{"rotation": 20.0}, {"rotation": 20.0, "quarter_turns": True}])
def test_boxes_bound_turned_ellipses(tmp_path: Path, ranges: dict[str, Any]) -> None:
    made = dataset(write_scenes(tmp_path, objects=1, shape="ellipse", empty=0), ranges)
    whole = 0
    for scene in render(made):
        assert len(scene.boxes) <= 1
        for (x, y, w, h), label in zip(scene.boxes, scene.labels, strict=True):
            if min(x, y) < 1 or max(x + w, y + h) > SIZE - 1:
                continue  # cut: the box is that of the whole, cut
            rows, columns = np.nonzero(coloured(scene.image, int(label)))
            found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            np.testing.assert_allclose(found, (x, y, x + w, y + h), atol=1.6)
            whole += 1
    assert whole > 15


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("scale", [0.45, 1.0, 1.7])
def test_boxes_are_not_shifted_by_a_part_of_a_pixel(tmp_path: Path, scale: float) -> None:
    """The middle of an object's colour is that of its box, whichever way it is turned."""
    data = write_scenes(tmp_path, objects=1, empty=0)
    made = dataset(data, {"scale": (scale, scale), "quarter_turns": True})
    errors = []
    for scene in render(made, 60):
        for (x, y, w, h), label in zip(scene.boxes, scene.labels, strict=True):
            if min(x, y) < 2 or max(x + w, y + h) > SIZE - 2:
                continue
            left, top, right, bottom = int(x) - 2, int(y) - 2, int(x + w) + 3, int(y + h) + 3
            around = scene.image[top:bottom, left:right].astype(float)
            if around[..., 2].any():  # the ground, or the picture's edge
                continue
            colour = around[..., int(label)]
            rows, columns = np.indices(colour.shape) + 0.5
            middle = [(colour * place).sum() / colour.sum() for place in (columns, rows)]
            errors.append(np.subtract(middle, (x + w / 2 - left, y + h / 2 - top)))
    assert len(errors) > 15
    assert np.abs(errors).max() < 0.35 and np.abs(np.mean(errors, 0)).max() < 0.1


@pytest.mark.usefixtures("clean")
def test_pasted_objects(boxes: Path) -> None:
    """In pictures that show nothing else, every object is a pasted one."""
    document = json.loads(boxes.read_text())
    plain = render(dataset(boxes, {"background": 1.0}, photos=[str(black(boxes.parent))]))
    assert not any(len(scene.boxes) for scene in plain)
    made = dataset(boxes, {"background": 1.0, "paste": 3}, photos=[str(black(boxes.parent))])
    rendered = render(made)
    for scene in rendered:
        check_boxes(scene, slack=2.5)  # they are blended in
        assert not scene.ignore.any()
    counts = [len(scene.boxes) for scene in rendered]
    assert set(counts) == {0, 1, 2, 3}
    check_some(rendered)
    sides = [row["bbox"][2:] for row in document["annotations"]]
    found = np.concatenate([scene.boxes[:, 2:] for scene in rendered])
    assert found.max() < 1.3 * np.max(sides) * SIZE / 160


def black(folder: Path) -> Path:
    """An archive of one black photograph."""
    code = cv2.imencode(".png", np.zeros((90, 110, 3), np.uint8))[1].ravel()
    path = folder / "black.npz"
    np.savez(path, jpeg=code, offsets=np.array([0, len(code)]))
    return path


@pytest.mark.usefixtures("clean")
def test_cut_and_tiny_objects_are_not_judged(boxes: Path) -> None:
    made = dataset(boxes, {"scale": (2.0, 3.0)})
    ignored = 0
    for scene in render(made, 60):
        at_edge = (scene.boxes[:, :2] <= 0.01).any(1)
        at_edge |= (scene.boxes[:, :2] + scene.boxes[:, 2:] >= SIZE - 0.01).any(1)
        assert at_edge[scene.ignore].all()  # nothing else would make them so
        ignored += int(scene.ignore.sum())
    assert ignored > 5
    tiny = dataset(boxes, {"scale": (0.05, 0.06)})
    assert all(scene.ignore.all() for scene in render(tiny, 5))


def test_crowds_stay_ignored(boxes: Path) -> None:
    document = json.loads(boxes.read_text())
    for row in document["annotations"]:
        row["iscrowd"] = 1
    boxes.write_text(json.dumps(document))
    rendered = render(dataset(boxes, {"paste": 3}), 20)
    assert sum(len(scene.boxes) for scene in rendered) > 20
    assert all(scene.ignore.all() for scene in rendered)


@pytest.mark.usefixtures("clean")
def test_flips_and_turns_all_come(tmp_path: Path) -> None:
    """An object in a corner of the only picture: where it comes out tells the turn."""
    picture = np.zeros((80, 160, 3), np.uint8)
    picture[2:22, 2:12, 0] = 255
    (tmp_path / "set").mkdir()
    cv2.imwrite(str(tmp_path / "set" / "a.png"), picture)
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 10, 20]}
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [row],
        "categories": [{"id": 1, "name": "thing"}],
    }
    data = tmp_path / "set.json"
    data.write_text(json.dumps(document))
    for ranges, turns in (({}, {False}), ({"quarter_turns": True}, {False, True})):
        found = set()
        for scene in render(dataset(data, {**ranges, "scale": (1.0, 1.0)})):
            for x, y, w, h in scene.boxes[~scene.ignore]:
                if min(x, y) > 0.5 and max(x + w, y + h) < SIZE - 0.5:
                    found.add(bool(w > h))
                    assert sorted((w, h)) == pytest.approx([8, 16], abs=1e-3)
        assert found == turns


def test_an_item_depends_on_seed_and_index_alone(boxes: Path, tmp_path: Path) -> None:
    photos = [str(write_archive(tmp_path / "photos.npz", boxes=False))]
    faces = [str(write_face_archive(tmp_path / "faces.npz", 3))]
    ranges = {"mosaic": 0.5, "paste": 2, "background": 0.3, "faces": 0.3, "rotation": 8.0}

    def made(seed: int) -> DetectionScenes:
        return dataset(boxes, ranges, seed=seed, photos=photos, faces=faces)

    one, other = made(5), made(5)
    forwards = [one[index] for index in range(12)]
    backwards = [other[index] for index in reversed(range(12))][::-1]
    for first, second in zip(forwards, backwards, strict=True):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    images = [item["images"] for item in forwards]
    assert not any(torch.equal(a, b) for a, b in zip(images, images[1:], strict=False))
    assert not torch.equal(images[0], made(6)[0]["images"])
    with pytest.raises(IndexError):
        one[1000]


@pytest.mark.parametrize("stride", [4, 8])
def test_items_are_scenes_with_their_targets(boxes: Path, stride: int) -> None:
    made = dataset(boxes, {"mosaic": 0.5}, stride=stride, seed=2)
    item, scene = made[7], made.render(np.random.default_rng((2, 7)))
    assert item["images"].dtype == torch.uint8
    assert np.array_equal(item["images"].permute(1, 2, 0).numpy(), scene.image)
    targets = encode(scene.boxes, scene.labels, scene.ignore, 2, (SIZE, SIZE), stride)
    for name in ("centres", "boxes", "weights"):
        assert np.array_equal(item[name].numpy(), getattr(targets, name)), name
    assert len(scene.boxes) and item["centres"].shape == (2, SIZE // stride, SIZE // stride)


def test_pictures_without_objects(tmp_path: Path) -> None:
    made = dataset(write_scenes(tmp_path, pictures=0, empty=2), {"paste": 3, "mosaic": 0.5})
    for index in range(10):
        item = made[index]
        assert not item["centres"].any() and not item["weights"].any()


def test_faces_are_of_the_first_class(boxes: Path, tmp_path: Path) -> None:
    faces = [str(write_face_archive(tmp_path / "faces.npz", 3))]
    rendered = render(dataset(boxes, {"faces": 1.0}, faces=faces))
    assert {int(label) for scene in rendered for label in scene.labels} == {0}
    assert sum(len(scene.boxes) for scene in rendered) > 20


def test_classes_in_the_order_of_the_network(boxes: Path) -> None:
    assert dataset(boxes).classes == CLASSES
    turned, alone = dataset(boxes, classes=["right", "left"]), dataset(boxes, classes=["right"])
    assert turned.classes == ("right", "left")
    both = render(dataset(boxes), 10)
    for before, after in zip(both, render(turned, 10), strict=True):
        assert np.array_equal(before.image, after.image)
        assert np.array_equal(before.labels, 1 - after.labels)
    assert {int(label) for scene in render(alone) for label in scene.labels} == {0}


def test_pictures_are_not_changed(boxes: Path) -> None:
    """What stays decoded in memory is shown again and again."""
    made = dataset(boxes, {"mosaic": 0.5, "paste": 3})
    first = made.render(np.random.default_rng(1))
    render(made, 20)
    again = made.render(np.random.default_rng(1))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.boxes, again.boxes)


@pytest.mark.usefixtures("clean")
def test_a_note_of_orientation_turns_nothing(tmp_path: Path) -> None:
    data = write_scenes(tmp_path, pictures=1, empty=0)
    path = tmp_path / "set" / "0.png"
    code = cv2.imencode(".jpg", cv2.imread(str(path)), (cv2.IMWRITE_JPEG_QUALITY, 98))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    path.unlink()
    path = path.with_suffix(".jpg")
    path.write_bytes(code[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + code[2:])
    assert cv2.imread(str(path)).shape[:2] == (160, 120)  # as other readers turn it
    data.write_text(data.read_text().replace("0.png", "0.jpg"))
    for scene in render(dataset(data), 10):
        check_boxes(scene, slack=2.0)


def test_what_cannot_be_used(boxes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no annotations: pass --data annotations\.json"):
        DetectionScenes(
            "", None, classes=[], input_size=SIZE, size=SIZE, stride=8, length=1
        )  # fmt: skip
    with pytest.raises(DataError, match=r"gone\.npz: not a photograph archive"):
        dataset(boxes, photos=[str(tmp_path / "gone.npz")])
    for path in boxes.parent.glob("set/*.png"):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceError, match=r"\.png: cannot be decoded as an image"):
        render(dataset(boxes), 1)
