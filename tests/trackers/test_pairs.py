"""Training data: geometry that can be checked, determinism, both kinds of source, faults."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from binvision.errors import DataError
from binvision.trackers.pairs import ObjectGroups, PhotoStore, SequenceStore
from binvision.trackers.views import Target, ViewRanges, degrade, render_view
from tests.support.photographs import textured_picture, write_archive, write_sequences

PLAIN = ViewRanges(159, 30, 0.0, 0.0, 0.0, 0.0, paste=0.0, distractor=0.0, occluder=0.0)


def spot_target(box: tuple[float, float, float, float]) -> Target:
    """A dark picture with one bright dot in the middle of ``box``."""
    image = np.zeros((200, 300, 3), np.uint8)
    x, y, w, h = box
    cv2.circle(image, (int(x + (w - 1) / 2), int(y + (h - 1) / 2)), 3, (255, 255, 255), -1)
    return Target(image, box)


@pytest.mark.parametrize("box", [(100, 60, 41, 41), (30, 20, 81, 21), (200, 100, 15, 61)])
def test_the_offset_tells_where_the_target_is(box: tuple[float, float, float, float]) -> None:
    target = spot_target(box)
    for seed in range(5):
        view, offset, _ = render_view(target, [], PLAIN, np.random.default_rng(seed))
        bright = view[..., 0].astype(float) * (view[..., 0] > 100)
        rows, cols = np.indices(bright.shape)
        found = np.array([(cols * bright).sum(), (rows * bright).sum()]) / bright.sum()
        np.testing.assert_allclose(found, 79 + offset, atol=0.6)


def test_the_context_region_fills_an_exemplar() -> None:
    box = (100.0, 60.0, 40.0, 24.0)
    margin = (40 + 24) / 2
    side = np.sqrt((40 + margin) * (24 + margin))
    image = np.zeros((200, 300, 3), np.uint8)
    image[60:84, 100:140] = 255
    view, _, _ = render_view(Target(image, box), [], PLAIN, np.random.default_rng(3))
    columns = (view[..., 0] > 127).any(0).sum()
    assert columns == pytest.approx(40 * 127 / side, abs=2)


@pytest.mark.parametrize("kind", ["paste", "distractor", "occluder"])
def test_foreign_pictures_enter_only_when_asked(kind: str) -> None:
    target = Target(np.full((120, 160, 3), 90, np.uint8), (60, 40, 40, 40))
    foreign = [
        Target(np.full((120, 160, 3), 200, np.uint8), (50.0, 30.0, 50.0, 50.0)) for _ in range(4)
    ]
    plain, _, _ = render_view(target, foreign, PLAIN, np.random.default_rng(1))
    assert (plain == 90).all()
    asked = ViewRanges(**{**PLAIN.__dict__, kind: 1.0, "shift": 0.0})
    view, _, _ = render_view(target, foreign, asked, np.random.default_rng(1))
    assert (view > 150).mean() > 0.02
    assert view[79, 79, 0] < 150 or kind == "occluder"  # the target's middle stays visible


def test_degrading_keeps_shape_and_changes_pixels() -> None:
    picture = textured_picture(0)[:127, :127]
    changed = 0
    for seed in range(20):
        before = picture.copy()
        result = degrade(picture, np.random.default_rng(seed))
        assert result.shape == picture.shape and result.dtype == np.uint8
        assert np.array_equal(picture, before)
        changed += not np.array_equal(result, picture)
    assert changed == 20


def test_a_low_resolution_leaves_only_coarse_structure() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (127, 127, 3), dtype=np.uint8)
    detail = [
        np.mean([degrade(picture, np.random.default_rng(s), r).std() for s in range(10)])
        for r in (1.0, 0.5, 0.15)
    ]
    assert detail[0] > 1.5 * detail[1] > 2 * detail[2]


@pytest.mark.parametrize("surround", [0.0, 1.0])
def test_another_picture_lies_beyond_the_border_when_asked(surround: float) -> None:
    target = Target(np.full((40, 40, 3), 90, np.uint8), (10, 10, 20, 20))
    foreign = [Target(np.full((50, 50, 3), 200, np.uint8), (5.0, 5.0, 30.0, 30.0))]
    ranges = ViewRanges(**{**PLAIN.__dict__, "shift": 0.0, "surround": surround})
    view, _, box = render_view(target, foreign, ranges, np.random.default_rng(0))
    assert (view[2, 2] == (200 if surround else 90)).all()
    left, top, right, bottom = np.rint(box).astype(int)
    assert (view[top:bottom, left:right] == 90).all()


def test_photographs_come_from_a_detection_set_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), textured_picture(rng))
    boxes = [[30.0, 20.0, 60.0, 24.0], [5.0, 8.0, 20.0, 40.0]]
    content = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": h, "width": w}
            for i in range(2)
            for h, w in [cv2.imread(str(tmp_path / f"{i}.png")).shape[:2]]
        ],
        "annotations": [
            {"id": 1 + i, "image_id": 0, "category_id": 1, "bbox": box, "iscrowd": 0, "area": 9.0}
            for i, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "set.json").write_text(json.dumps(content))
    store = PhotoStore(tmp_path / "set.json")
    assert len(store) == 2
    np.testing.assert_array_equal(store.image(1), cv2.imread(str(tmp_path / "1.png")))
    drawn = [store.draw(np.random.default_rng(seed)) for seed in range(40)]
    of_first = {t.box_xywh for t in drawn if t.image is store.image(0)}
    assert of_first == {tuple(box) for box in boxes}
    of_second = {t.box_xywh for t in drawn if t.image is store.image(1)}
    assert len(of_second) > 3 and not of_second & of_first  # no box: random regions


def test_groups_are_deterministic_and_differ(tmp_path: Path) -> None:
    archive = str(write_archive(tmp_path / "photos.npz"))
    first = ObjectGroups([archive], objects=4, exemplars=2, searches=3, seed=5)
    again = ObjectGroups([archive], objects=4, exemplars=2, searches=3, seed=5)
    other = ObjectGroups([archive], objects=4, exemplars=2, searches=3, seed=6)
    item = first[1]
    assert item["exemplars"].shape == (2, 3, 127, 127)
    assert item["searches"].shape == (3, 3, 159, 159)
    assert item["offsets"].shape == (3, 2) and item["offsets"].abs().max() <= 36
    for key, value in again[1].items():
        assert value.equal(item[key])
    assert not item["searches"].equal(first[2]["searches"])
    assert not item["searches"].equal(other[1]["searches"])


def test_sequences_give_the_same_object_in_other_frames(tmp_path: Path) -> None:
    store = SequenceStore(write_sequences(tmp_path / "clips"))
    targets = store.draw(6, np.random.default_rng(0))
    assert len({target.box_xywh for target in targets}) > 1
    for target in targets:
        assert target.box_xywh[2:] == (60, 40)
    groups = ObjectGroups([], [str(tmp_path / "clips")], objects=2)
    assert groups[0]["exemplars"].shape[0] == 3


def test_absent_boxes_are_never_drawn(tmp_path: Path) -> None:
    root = write_sequences(tmp_path / "clips", sequences=1, frames=4)
    truth = root / "clip0" / "groundtruth.txt"
    lines = truth.read_text().splitlines()
    truth.write_text("\n".join([lines[0], "nan,nan,nan,nan", "5,5,0,0", lines[3]]))
    store = SequenceStore(root)
    for seed in range(20):
        for target in store.draw(4, np.random.default_rng(seed)):
            assert target.box_xywh[2:] == (60, 40)


def test_faults_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing.npz: not a photograph archive"):
        PhotoStore(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match="other.npz.*'jpeg' and 'offsets'"):
        PhotoStore(tmp_path / "other.npz")
    with pytest.raises(DataError, match="no sequence with a visible target"):
        SequenceStore(tmp_path)
    with pytest.raises(DataError, match="no training data"):
        ObjectGroups([], [], objects=1)
    root = write_sequences(tmp_path / "short", sequences=1)
    (root / "clip0" / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match="1 boxes for 5 frames"):
        SequenceStore(root)


def test_a_damaged_photograph_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "photos.npz", count=2)
    with np.load(archive) as content:
        arrays = dict(content)
    arrays["jpeg"] = np.zeros_like(arrays["jpeg"])
    np.savez(archive, **arrays)
    with pytest.raises(DataError, match="photograph 1 cannot be decoded"):
        PhotoStore(archive).image(1)
