"""The detector on pictures of all shapes, with a packed network whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import binvision
from binvision.detectors import Detector, PackedNetwork
from binvision.detectors.letterbox import Letterbox
from binvision.errors import FrameError, ModelError, ModelFileError, ModelTaskError, UsageError
from tests.support.detection_models import SCORE, SETTINGS, street, write_detector
from tests.support.tracking_models import write_tracker


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("model") / "colours.safetensors")


def test_boxes_are_where_the_squares_are(model: Path) -> None:
    detector = binvision.Detector(model)
    assert detector.classes == ("car", "bus")
    found = detector(street(cars=[(2, 5)], buses=[(6, 1), (0, 0)]))
    assert isinstance(found, binvision.Detections)
    by_place = sorted(zip(found.names, found.boxes.tolist(), strict=True))
    # Centre (8 * column + 4, 8 * row + 4), 24x24 pixels, clipped to the picture.
    assert [name for name, _ in by_place] == ["bus", "bus", "car"]
    boxes = [box for _, box in by_place]
    np.testing.assert_allclose(boxes, [[0, 0, 16, 16], [0, 40, 24, 24], [32, 8, 24, 24]], atol=1e-4)
    np.testing.assert_allclose(found.scores, SCORE, atol=1e-5)
    assert detector.timings.pictures == 1 and detector.timings.total > 0


def test_two_classes_may_share_a_place(model: Path) -> None:
    found = Detector(model)(street(cars=[(3, 3)], buses=[(3, 3)]))
    assert sorted(found.names) == ["bus", "car"]


@pytest.mark.parametrize("factor", [2, 3, 4, 7])
def test_boxes_are_mapped_back_from_reduced_pictures(model: Path, factor: int) -> None:
    small = street(cars=[(2, 5)])
    large = small.repeat(factor, 0).repeat(factor, 1)
    found = Detector(model)(large)
    np.testing.assert_allclose(found.boxes, [[32 * factor, 8 * factor, *[24 * factor] * 2]], 1e-4)


def test_small_pictures_are_enlarged(model: Path) -> None:
    found = Detector(model)(
        street((32, 32), cars=[(1, 1)]),
    )
    assert set(found.names) == {"car"}
    x, y, w, h = found.boxes[0]
    assert abs(x + w / 2 - 12) < 3 and abs(y + h / 2 - 12) < 3 and w == pytest.approx(12)


@pytest.mark.parametrize(
    "size_hw", [(1, 1), (1, 500), (500, 1), (3, 2), (33, 64), (63, 65), (7, 2000), (481, 639)]
)
def test_pictures_of_any_shape_give_boxes_inside_them(
    model: Path, size_hw: tuple[int, int]
) -> None:
    picture = np.full((*size_hw, 3), 255, np.uint8)
    found = Detector(model, score_threshold=0)(picture)
    assert len(found) > 0
    corners = found.boxes[:, :2] + found.boxes[:, 2:]
    assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] > 0).all()
    assert (corners <= np.array(size_hw[::-1]) * (1 + 1e-6)).all()


def test_pictures_may_change_size_from_one_to_the_next(model: Path) -> None:
    detector, sizes = Detector(model), [(64, 64), (48, 64), (64, 40), (32, 64), (64, 64)]
    rng = np.random.default_rng(0)
    for size_hw in sizes:
        picture = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
        picture[:8, :8] = 255
        mine, fresh = detector(picture), Detector(model)(picture)
        np.testing.assert_array_equal(mine.boxes, fresh.boxes)
        np.testing.assert_array_equal(mine.scores, fresh.scores)


def test_views_and_read_only_pictures_are_taken(model: Path) -> None:
    picture = street(cars=[(2, 5)])
    detector = Detector(model)
    expected = detector(picture).boxes
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, ::2] = picture
    picture.flags.writeable = False
    for view in (picture, wide[:, ::2], np.ascontiguousarray(picture[:, ::-1])[:, ::-1]):
        np.testing.assert_array_equal(detector(view).boxes, expected)


def test_threads_change_nothing(model: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    one, three = Detector(model)(picture), Detector(model, threads=3)(picture)
    np.testing.assert_array_equal(one.boxes, three.boxes)


def test_results_outlive_the_next_picture(model: Path) -> None:
    detector = Detector(model)
    first = detector(street(cars=[(2, 5)]))
    kept = first.boxes.copy()
    detector(street(buses=[(6, 6), (1, 1)]))
    np.testing.assert_array_equal(first.boxes, kept)


def test_options_replace_the_models_settings(model: Path) -> None:
    picture = street(cars=[(2, 5)])
    assert len(Detector(model, score_threshold=0.99)(picture)) == 0
    assert len(Detector(model, score_threshold=0.0)(picture)) > 30
    found = Detector(model, input_size=128)(picture)  # a square is four cells then
    assert len(found) > 1 and (found.boxes[:, 2:] <= 12.001).all()


def test_oldest_plans_give_way_to_new_ones(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = PackedNetwork(model)
    images = [np.full((1, 32, width, 3), 255, np.uint8) for width in (32, 64, 96)]
    first = network.run(images[0]).copy()
    monkeypatch.setattr("binvision.detectors.network._MOST_BYTES", network._bytes * 7 // 2)
    for image in (images[1], images[0], images[2]):
        network.run(image)
    assert list(network._runners) == [(32, 96)]  # the other two and it are too large
    np.testing.assert_array_equal(network.run(images[0]), first)
    network.run(images[1])
    assert list(network._runners) == [(32, 32), (32, 64)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score_threshold": 1.5}, "score threshold 1.5: expected 0 to 1"),
        ({"score_threshold": float("nan")}, "score threshold nan"),
        ({"input_size": 0}, "input size 0: expected 1 to 8192 pixels"),
        ({"input_size": 10_000}, "input size 10000"),
    ],
)
def test_options_out_of_range_are_refused(model: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Detector(model, **options)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        None,
    ],
)
def test_other_arrays_are_refused(model: Path, picture: np.ndarray) -> None:
    detector = Detector(model)
    with pytest.raises(FrameError, match="picture: expected"):
        detector(picture)
    with pytest.raises(FrameError, match="picture: expected"):
        detector.detect_tiles(picture, 64, 0.2)


def test_models_of_other_tasks_are_refused(tmp_path: Path) -> None:
    tracker = write_tracker(tmp_path / "tracker.safetensors")
    with pytest.raises(ModelTaskError, match="is for tracking/siamfc, but detection needs one for"):
        Detector(tracker)


@pytest.mark.parametrize(
    "changes", [{"classes": ["car"]}, {"classes": ["car", "bus", "bike"]}, {"stride": 16}]
)
def test_settings_that_do_not_fit_the_network_are_refused(tmp_path: Path, changes: dict) -> None:
    path = write_detector(tmp_path / "model.safetensors", settings={**SETTINGS, **changes})
    with pytest.raises(ModelError, match="gives 4x4x7 numbers for an image of 32x32 pixels, but"):
        Detector(path)


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    path = write_detector(tmp_path / "model.safetensors", settings={**SETTINGS, "stride": 0})
    with pytest.raises(ModelFileError, match="detection setting stride = 0 out of range"):
        Detector(path)


def test_padding_is_grey_and_pictures_of_the_size_are_copied() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 64, 3), dtype=np.uint8)
    image, placement = Letterbox(32)(picture, 64)
    assert image.shape == (1, 32, 64, 3) and placement == ((20, 64), (1.0, 1.0))
    np.testing.assert_array_equal(image[0, :20], picture)
    assert (image[0, 20:] == 128).all()


def test_much_reduced_pictures_keep_their_mean() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[::8] = 255  # thin lines, which sampling would miss or double
    image, _ = Letterbox(32)(picture, 64)
    assert np.ptp(image.astype(int)) <= 1 and abs(int(image[0, 0, 0, 0]) - 32) <= 1
