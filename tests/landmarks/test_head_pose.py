"""Angles of heads that are turned and projected by formulas of their own."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from binvision.landmarks.head_pose import HEAD_POINTS, head_pose

DATA = os.environ.get("BINVISION_DATA")
SIZE_HW = (480, 640)


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(14, 3) points of the mean head after roll, then pitch, then yaw, degrees."""
    x, y, z = np.array(list(HEAD_POINTS.values())).T
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    x, y = c * x - s * y, s * x + c * y  # clockwise as seen: what is on the right goes down
    c, s = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    y, z = c * y + s * z, -s * y + c * z  # up: the tip of the nose, z < 0, goes up, y < 0
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    x, z = c * x - s * z, s * x + c * z  # right: the tip of the nose goes right
    return np.stack((x, y, z), 1)


def seen(head: np.ndarray, *, distance: float, middle: tuple[float, float] = (0, 0)) -> np.ndarray:
    """(68, 2) float32 points that a pinhole camera sees; those of no fixed place stay 0."""
    height, width = SIZE_HW
    x, y, z = head.T
    depth = z + distance
    points = np.zeros((68, 2), np.float32)
    points[list(HEAD_POINTS), 0] = width * (x + middle[0]) / depth + (width - 1) / 2
    points[list(HEAD_POINTS), 1] = width * (y + middle[1]) / depth + (height - 1) / 2
    return points


@pytest.mark.parametrize("yaw", [-60, -35, -10, 0, 25, 60])
@pytest.mark.parametrize("pitch", [-30, 0, 12, 30])
@pytest.mark.parametrize("roll", [-30, 0, 20])
def test_angles_of_projected_heads(yaw: float, pitch: float, roll: float) -> None:
    points = seen(turned(yaw, pitch, roll), distance=600, middle=(80, -40))
    np.testing.assert_allclose(head_pose(points, SIZE_HW), (yaw, pitch, roll), atol=0.1)


def test_signs_are_as_documented() -> None:
    """By the tip of the nose against the eyes, and by the line between the eyes."""
    tip, right_eye, left_eye = 30, 36, 45
    frontal = seen(turned(0, 0, 0), distance=600)
    right, up = seen(turned(30, 0, 0), distance=600), seen(turned(0, 20, 0), distance=600)
    clockwise = seen(turned(0, 0, 20), distance=600)
    middle = frontal[[right_eye, left_eye]].mean(0)
    assert right[tip, 0] - right[[right_eye, left_eye], 0].mean() > frontal[tip, 0] - middle[0] + 5
    assert up[tip, 1] - up[[right_eye, left_eye], 1].mean() < frontal[tip, 1] - middle[1] - 5
    assert clockwise[left_eye, 1] > clockwise[right_eye, 1]
    assert head_pose(right, SIZE_HW).yaw > 29
    assert head_pose(up, SIZE_HW).pitch > 19
    assert head_pose(clockwise, SIZE_HW).roll > 19


@pytest.mark.parametrize("angles", [(0, 0, 0), (40, 10, -15), (-60, -20, 10), (20, 30, 30)])
def test_points_that_are_wrong_by_a_little_give_angles_that_are(angles: tuple[float, ...]) -> None:
    rng = np.random.default_rng(5)
    truth = seen(turned(*angles), distance=700)
    size = np.ptp(truth[list(HEAD_POINTS)], 0).max()
    errors = []
    for _ in range(50):
        noisy = truth + rng.normal(0, 0.02 * size, truth.shape).astype(np.float32)
        errors.append(np.subtract(head_pose(noisy, SIZE_HW), angles))
    assert np.abs(np.mean(errors, 0)).max() < 3 and np.abs(errors).max() < 20


@pytest.mark.parametrize("distance", [250, 3000])
def test_distance_and_lens_matter_little(distance: float) -> None:
    """Another lens than the one that is assumed, by a half: some degrees."""
    head = turned(30, -10, 5)
    points = seen(head, distance=distance)
    centre = np.array([(SIZE_HW[1] - 1) / 2, (SIZE_HW[0] - 1) / 2], np.float32)
    longer = centre + 1.5 * (points - centre)
    assert np.abs(np.subtract(head_pose(longer, SIZE_HW), (30, -10, 5))).max() < 8


@pytest.mark.parametrize("value", [0.0, 50.0, np.nan, np.inf])
def test_points_without_a_shape_have_no_angles(value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(head_pose(np.full((68, 2), value, np.float32), SIZE_HW)).all()


def test_points_on_a_line_or_at_random_do_not_fail() -> None:
    rng = np.random.default_rng(0)
    line = np.stack((np.arange(68), np.arange(68)), 1).astype(np.float32)
    for points in (line, *rng.uniform(0, 500, (40, 68, 2)).astype(np.float32)):
        pose = head_pose(points, SIZE_HW)
        assert np.isnan(pose).all() or np.isfinite(pose).all()


def test_mean_head_fits_annotated_faces() -> None:
    if not DATA:
        pytest.skip("BINVISION_DATA does not name the folder of data")
    with np.load(Path(DATA) / "face/ytf68_test.npz") as archive:
        faces = archive["landmarks"].astype(np.float32)
    poses = np.array([head_pose(face, (224, 224)) for face in faces[::4]])
    assert np.isfinite(poses).all()
    assert np.abs(np.median(poses, 0)).max() < 8
    # A face in the mirror turns and tilts the other way.
    from binvision.landmarks import SCHEMES

    mirrored = faces[::4][:, list(SCHEMES["face68"].mirror)] * (-1, 1) + (223, 0)
    other = np.array([head_pose(face.astype(np.float32), (224, 224)) for face in mirrored])
    np.testing.assert_allclose(other, poses * (-1, 1, -1), atol=0.1)
