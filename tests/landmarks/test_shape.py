"""Points corrected by each other: the arithmetic, what is learned, and the file that carries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from binvision import runtime
from binvision.errors import DataError, ModelError, SourceError
from binvision.landmarks import SCHEMES, LandmarkSettings, PackedNetwork, PointEstimator, Points
from binvision.landmarks.annotations import PointSet, read_point_set
from binvision.landmarks.crop import to_crop, to_picture
from binvision.landmarks.shape import ShapeCorrection
from binvision.landmarks.shape_learning import fit, learn_shape
from tests.support.landmark_models import chart_model, chart_points, draw_chart
from tests.support.stretched_charts import mean_error, write_stretched_charts

COUNT = 12


def random_correction(seed: int, count: int = COUNT) -> ShapeCorrection:
    rng = np.random.default_rng(seed)
    return ShapeCorrection(
        rng.normal(size=(count, 2)).astype(np.float32),
        rng.integers(-127, 128, (2 * count, 2 * count)).astype(np.int8),
        rng.uniform(1e-4, 2e-3, 2 * count).astype(np.float32),
        (0.1 * rng.normal(size=2 * count)).astype(np.float32),
    )


def by_least_squares(correction: ShapeCorrection, points: np.ndarray) -> np.ndarray:
    """The same in matrices of real numbers, the similarity by a general solver."""
    tables = {role: table.astype(np.float64) for role, table in correction.tables().items()}
    mean = tables["mean"] - tables["mean"].mean(0)
    mean = mean / np.sqrt((mean**2).sum(1).mean())
    x, y = mean.T
    zero, one = np.zeros(len(mean)), np.ones(len(mean))
    rows = np.concatenate((np.stack((x, -y, one, zero), 1), np.stack((y, x, zero, one), 1)))
    (c, s, tx, ty), *_ = np.linalg.lstsq(rows, points.T.ravel(), rcond=None)
    turn, shift = np.array([[c, -s], [s, c]]), np.array([tx, ty])
    z = (points - shift) @ np.linalg.inv(turn).T - mean
    weight = tables["weight"] * tables["scale"][:, None]
    change = (weight @ z.T.ravel() + tables["bias"]).reshape(2, -1).T
    return points + change @ turn.T


@pytest.mark.parametrize("seed", range(5))
def test_correction_is_that_of_a_general_solver(seed: int) -> None:
    correction = random_correction(seed)
    points = np.random.default_rng([seed, 1]).normal(60, 20, (COUNT, 2)).astype(np.float32)
    expected = by_least_squares(correction, points.astype(np.float64))
    found = correction(points)
    assert found.dtype == np.float32 and found.shape == points.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(found - points).max() > 0.5


def test_correction_turns_moves_and_scales_with_the_points() -> None:
    correction = random_correction(3)
    points = np.random.default_rng(4).normal(0, 20, (COUNT, 2)).astype(np.float32)
    angle = np.radians(130)
    turn = 2.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points @ turn.T + (7, -40)).astype(np.float32)
    expected = correction(points) @ turn.T + (7, -40)
    np.testing.assert_allclose(correction(moved), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("spread", [0.0, 1e-8])
def test_points_in_one_heap_stay(spread: float) -> None:
    points = (50 + spread * np.arange(2 * COUNT)).reshape(COUNT, 2).astype(np.float32)
    np.testing.assert_array_equal(random_correction(0)(points), points)


def test_points_that_look_nothing_like_the_shape_stay() -> None:
    """The closest similarity to them is a point; correcting in its frame would mean nothing."""
    mean = np.stack((np.cos(t := np.arange(COUNT) * 2 * np.pi / COUNT), np.sin(t)), 1)
    tables = random_correction(1).tables() | {"mean": mean.astype(np.float32)}
    opposite = np.stack((30 * np.cos(t), -30 * np.sin(t)), 1).astype(np.float32)  # a mirror image
    found = ShapeCorrection.from_tables(tables, COUNT, "it")(opposite)
    np.testing.assert_array_equal(found, opposite)


def test_what_is_learned_helps_on_other_pictures(tmp_path: Path) -> None:
    model = chart_model()
    plain = PointEstimator(PackedNetwork(model))
    sets = [read_point_set(write_stretched_charts(tmp_path / "some", 60))]
    calls: list[None] = []
    # One crop, as the second is mirrored, and a chart does not look like its mirror image.
    learned = learn_shape(plain, sets, crops=1, progress=lambda: calls.append(None))
    assert (learned.pictures, learned.crops, len(calls)) == (60, 60, 60)
    assert learned.after < 0.8 * learned.before

    refined = model.with_tables(learned.correction.tables())
    saved = runtime.save(tmp_path / "refined.safetensors", refined)
    assert saved.tables.keys() == {"mean", "weight", "scale", "bias"}
    others = write_stretched_charts(tmp_path / "others", 20, seed=1)
    before = mean_error(plain, others)
    after = mean_error(PointEstimator(tmp_path / "refined.safetensors"), others)
    assert after < 0.8 * before

    again = learn_shape(plain, sets, crops=1)
    for role, table in again.correction.tables().items():
        np.testing.assert_array_equal(table, learned.correction.tables()[role])


class Oracle:
    """Knows the points of a picture, and finds each ``error`` pixels of the crop beside it."""

    scheme = SCHEMES["face68"]
    settings = LandmarkSettings(scheme="face68", input_size=128, stride=4)

    def __init__(self, points: np.ndarray, error: float) -> None:
        self.points, self.error = points, error

    def points_of_crop(self, picture: np.ndarray, matrix: np.ndarray) -> Points:
        is_mirrored = np.linalg.det(matrix[:, :2]) < 0
        points = self.points[list(self.scheme.mirror)] if is_mirrored else self.points
        beside = to_crop(points, matrix) + np.float32(self.error)
        return Points(to_picture(beside, matrix), np.ones(68, np.float32))


def test_crops_are_looked_at_with_their_own_points(tmp_path: Path) -> None:
    (only,) = read_point_set(write_stretched_charts(tmp_path / "one", 1)).pictures
    oracle: Any = Oracle(only.points, 0.5)
    sets = [PointSet("fifty", SCHEMES["face68"], (only,) * 50, ())]
    learned = learn_shape(oracle, sets, crops=4)
    # The box has sides of about 110 and its crop 128 pixels of 165: sizes are some 40 to 55 pixels.
    assert 0.7071 / 60 < learned.before < 0.7071 / 30
    assert learned.after < 0.3 * learned.before  # the same shift in every upright crop


def test_a_fit_is_that_of_a_general_solver() -> None:
    """Ridge regression as least squares with further rows, in real matrices; to 8 bits a weight."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=COUNT) + 1j * rng.normal(size=COUNT)
    true = base + 0.2 * (rng.normal(size=(400, COUNT)) + 1j * rng.normal(size=(400, COUNT)))
    found = true + 0.3 * (true[:, :1] - true[:, 1:2]) * np.exp(1j * np.arange(COUNT))
    found += 0.05 * rng.normal(size=found.shape)
    learned = fit(found, true, np.arange(400) % 5, 400)

    mean = learned.correction.tables()["mean"].astype(np.float64) @ [1, 1j]
    factor = np.array([np.vdot(mean, each - each.mean()) / np.vdot(mean, mean) for each in found])
    z = (found - found.mean(1, keepdims=True)) / factor[:, None] - mean
    wanted = (true - found) / factor[:, None]
    inputs, targets = (np.concatenate((each.real, each.imag), 1) for each in (z, wanted))
    centre = inputs.mean(0)
    more = np.diag(np.sqrt(learned.penalty) * inputs.std(0))
    rows = np.concatenate((inputs - centre, more))
    goals = np.concatenate((targets - targets.mean(0), np.zeros((2 * COUNT, 2 * COUNT))))
    weight = np.linalg.lstsq(rows, goals, rcond=None)[0].T
    bias = targets.mean(0) - weight @ centre

    tables = learned.correction.tables()
    np.testing.assert_allclose(
        tables["weight"] * tables["scale"][:, None], weight, rtol=0, atol=np.abs(weight).max() / 250
    )
    np.testing.assert_allclose(tables["bias"], bias, rtol=0, atol=1e-5)
    assert learned.after < 0.5 * learned.before


@pytest.mark.parametrize("role", ["scale", "bias"])
def test_tables_that_throw_points_away_are_refused(role: str) -> None:
    tables = random_correction(0).tables()
    tables[role] = np.full(2 * COUNT, np.finfo(np.float32).max)
    points = np.random.default_rng(1).normal(60, 20, (COUNT, 2)).astype(np.float32)
    with pytest.raises(ModelError, match="far beyond that of any face"):
        ShapeCorrection.from_tables(tables, COUNT, "it")(points)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    sets = [read_point_set(write_stretched_charts(tmp_path / "few", 49))]
    with pytest.raises(DataError, match="49 pictures with all 68 points: .* needs 50 or more"):
        learn_shape(PointEstimator(PackedNetwork(chart_model())), sets, crops=1)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = write_stretched_charts(tmp_path / "some", 50)
    sets = [read_point_set(folder)]
    (folder / "7.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"7\.png"):
        learn_shape(PointEstimator(PackedNetwork(chart_model())), sets, crops=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.zeros((67, 2), np.float32)}, "mean float32 67x2"),
        ({"weight": np.zeros((136, 136), np.float32)}, "weight float32 136x136"),
        ({"more": np.zeros(3, np.float32)}, "more float32 3"),
        ({"bias": None}, "expected bias float32 136, mean .*; found mean"),
    ],
)
def test_tables_of_another_shape_are_refused(
    change: dict[str, np.ndarray | None], message: str
) -> None:
    tables = {**random_correction(0, 68).tables(), **change}
    model = chart_model().with_tables({k: v for k, v in tables.items() if v is not None})
    with pytest.raises(ModelError, match=message):
        PackedNetwork(model)


def test_mirrored_crops_are_corrected_as_they_are_seen(tmp_path: Path) -> None:
    """A correction that moves one point moves its mirror image in the mirrored crop."""
    tables = random_correction(0, 68).tables()
    tables["weight"] = np.zeros((136, 136), np.int8)
    tables["mean"] = chart_points((0, 0, 1, 1)).astype(np.float32)
    bias = np.zeros(136, np.float32)
    bias[0] = 0.5  # x of the first point
    box = (60.0, 40.0, 120.0, 105.0)
    picture = draw_chart(np.full((240, 320, 3), 128, np.uint8), box)
    plain = PointEstimator(PackedNetwork(chart_model()))(picture, box).points
    model = chart_model().with_tables({**tables, "bias": bias})
    moved = PointEstimator(PackedNetwork(model))(picture, box).points - plain
    assert moved[0, 0] > 5 and np.abs(np.delete(moved.ravel(), [0, 1])).max() < 1e-3


def test_a_part_of_a_model_has_no_tables() -> None:
    model = chart_model().with_tables(random_correction(0, 68).tables())
    part = model.part(model.outputs)
    assert not part.tables and part.tensors.keys() == chart_model().tensors.keys()
