"""Points in a box, with a packed network whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from binvision.errors import (
    BoxError,
    FrameError,
    ModelError,
    ModelFileError,
    ModelTaskError,
    UsageError,
)
from binvision.landmarks import LandmarkSettings, PackedNetwork, PointEstimator
from binvision.landmarks.crop import box_of
from tests.support.detection_models import write_detector
from tests.support.landmark_models import SETTINGS, chart_points, draw_chart, write_chart_model

BOX = (60.0, 40.0, 120.0, 105.0)


def grey(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chart_model(tmp_path_factory.mktemp("model") / "chart.safetensors")


@pytest.mark.parametrize("box", [BOX, (20.5, 30.25, 70, 64), (100, 60, 130, 100), (5, 5, 200, 200)])
def test_points_are_where_the_fields_are(model: Path, box: tuple[float, ...]) -> None:
    estimator = PointEstimator(model)
    picture = draw_chart(grey(), box)
    kept = picture.copy()
    found = estimator(picture, box)
    assert found.points.dtype == np.float32 and found.points.shape == (68, 2)
    # To a cell of the map, which is 1/21 of the box.
    assert np.abs(found.points - chart_points(box)).max() < max(box[2:]) / 21
    assert np.abs((found.points - chart_points(box)).mean(0)).max() < max(box[2:]) / 100
    assert found.score > 0.9 and found.score == pytest.approx(found.confidences.mean())
    np.testing.assert_array_equal(picture, kept)
    assert estimator.timings.crops == 1 and estimator.timings.network > 0


def test_nothing_there_has_a_low_score(model: Path) -> None:
    found = PointEstimator(model)(grey(), BOX)
    assert found.score < 0.05  # 25 cells of 1024
    assert np.isfinite(found.points).all()


def test_a_box_that_is_wrong_by_a_little_finds_the_same(model: Path) -> None:
    estimator = PointEstimator(model)
    picture = draw_chart(grey(), BOX)
    x, y, w, h = BOX
    for box in ((x + 12, y - 9, w, h), (x - 10, y - 10, w * 1.2, h * 1.1)):
        assert np.abs(estimator(picture, box).points - chart_points(BOX)).max() < 8


def test_mirrored_crop_is_averaged_in_the_right_places(model: Path) -> None:
    """Fields of points whose images are others stand in the crop where those are not sought."""
    estimator = PointEstimator(model, mirror=True)
    picture = draw_chart(grey(), BOX)
    plain = PointEstimator(model)(picture, BOX)
    both = estimator(picture, BOX)
    images = list(estimator.scheme.mirror)
    # The chart's colours do not know mirrors: the mirrored crop finds point i's field, which is
    # taken for that of its image.
    expected = (plain.points + plain.points[images]) / 2
    assert np.abs(both.points - expected).max() < 4
    assert estimator.timings.crops == 2


def test_subject_partly_outside_the_picture(model: Path) -> None:
    box = (-40.0, 150.0, 120.0, 105.0)
    picture = draw_chart(grey(), box)
    found = PointEstimator(model)(picture, box)
    truth = chart_points(box)
    inside = ((truth > 8) & (truth < (311, 231))).all(1)
    assert 20 < inside.sum() < 68
    assert np.abs(found.points - truth)[inside].max() < 8


def test_box_outside_the_picture_gives_points_without_confidence(model: Path) -> None:
    found = PointEstimator(model)(grey(), (5000, 5000, 100, 100))
    assert found.score < 0.05


def test_results_outlive_the_next_call(model: Path) -> None:
    estimator = PointEstimator(model)
    first = estimator(draw_chart(grey(), BOX), BOX)
    kept = first.points.copy(), first.confidences.copy()
    estimator(grey(), BOX)
    np.testing.assert_array_equal(first.points, kept[0])
    np.testing.assert_array_equal(first.confidences, kept[1])


@pytest.mark.parametrize(
    "box",
    [
        (1, 2, 3),
        (0, 0, 0, 0),
        (0, 0, 0.5, 0.9),
        (0, 0, -5, 10),
        (0, np.nan, 5, 5),
        (0, 0, np.inf, 5),
        (0, 0, 1e9, 5),
    ],
)
def test_boxes_without_meaning_are_refused(model: Path, box: tuple[float, ...]) -> None:
    with pytest.raises(BoxError, match="box .*: (expected four finite|has no area)"):
        PointEstimator(model)(grey(), box)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((0, 4, 3), np.uint8),
        None,
    ],
)
def test_other_arrays_are_refused(model: Path, picture: np.ndarray) -> None:
    with pytest.raises(FrameError, match="picture: expected"):
        PointEstimator(model)(picture, BOX)


def test_models_of_other_tasks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelTaskError, match="is for detection/anchor_free, but finding points"):
        PointEstimator(write_detector(tmp_path / "detector.safetensors"))


@pytest.mark.parametrize("changes", [{"stride": 8}, {"scheme": "face19"}])
def test_settings_that_do_not_fit_the_network_are_refused(tmp_path: Path, changes: dict) -> None:
    path = write_chart_model(tmp_path / "model.safetensors")
    from binvision import runtime

    model = runtime.load(path)
    model.settings.update(changes)
    runtime.save(path, model)
    with pytest.raises(ModelError, match="gives 32x32x68 numbers for a crop of 128x128 pixels"):
        PackedNetwork(path)


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    path = write_chart_model(tmp_path / "model.safetensors", settings={"crop": 0.5})
    with pytest.raises(ModelFileError, match=r"landmark setting crop = 0\.5 out of range"):
        PackedNetwork(path)


class Still:
    """A network of a scheme without mirror images, whose output is not finite."""

    name = "still"
    settings = LandmarkSettings("face34", 64, 8)

    def run(self, image: np.ndarray) -> np.ndarray:
        return np.full((8, 8, 34), np.nan, np.float32)


def test_schemes_without_mirror_images_are_not_mirrored() -> None:
    with pytest.raises(UsageError, match="mirror images of its points .face34. are not known"):
        PointEstimator(Still(), mirror=True)


def test_output_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ModelError, match="output is not finite"):
        PointEstimator(Still())(grey(), BOX)


def test_a_detectors_box_is_moved_and_scaled_to_the_points(tmp_path: Path) -> None:
    path = write_chart_model(tmp_path / "m", settings={"detector_box": [0.1, -0.2, 0.5]})
    estimator = PointEstimator(path)
    x, y, w, h = estimator.box_in((100, 50, 40, 80))
    assert (x, y, w, h) == pytest.approx((120 + 8 - 20, 90 - 16 - 20, 40, 40))
    assert SETTINGS["scheme"] == "face68" and box_of(chart_points(BOX)) == pytest.approx(BOX)
