"""The One-Euro filter against its equations, and what it is for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from binvision.landmarks import smoothing
from binvision.landmarks.smoothing import OneEuroFilter


def by_the_paper(values: list[complex], size: float) -> list[complex]:
    """Equations 1 to 5 for one point, x + iy, its speed in sizes a second."""

    def alpha(cutoff: float) -> float:
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau / smoothing._PERIOD)

    smooth, speed, result = values[0], 0j, [values[0]]
    for last, value in zip(values, values[1:], strict=False):
        weight = alpha(smoothing._SPEED_CUTOFF)
        speed = weight * (value - last) / size / smoothing._PERIOD + (1 - weight) * speed
        weight = alpha(
            smoothing._MIN_CUTOFF + smoothing._BETA * max(abs(speed) - smoothing._REST_SPEED, 0)
        )
        smooth = weight * value + (1 - weight) * smooth
        result.append(smooth)
    return result


def test_points_are_those_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    path = rng.normal(size=(30, 5, 2)).cumsum(0).astype(np.float32) * 3 + 100
    one_euro = OneEuroFilter()
    found = np.array([one_euro(points, 80.0) for points in path])
    for point in range(5):
        expected = by_the_paper([complex(*xy) for xy in path[:, point].tolist()], 80.0)
        places = found[:, point, 0] + 1j * found[:, point, 1]
        np.testing.assert_allclose(places, expected, rtol=1e-4)
    assert found.dtype == np.float32


def test_rest_is_steady_and_motion_is_followed() -> None:
    rng = np.random.default_rng(0)
    size = 100.0
    noise = rng.normal(0, 0.4, (60, 68, 2))
    one_euro = OneEuroFilter()
    still = np.array([one_euro((50 + part).astype(np.float32), size) for part in noise])
    assert still[20:].std(0).mean() < 0.3 * noise[20:].std(0).mean()
    # A size in a second: the filter stays behind by less than a frame's step.
    one_euro = OneEuroFilter()
    step = size / 30
    behind = [
        step * t - one_euro(np.full((68, 2), step * t, np.float32), size)[0, 0] for t in range(30)
    ]
    assert max(behind[5:]) < step / 2


def test_a_blink_is_seen() -> None:
    """Lids that close by a twentieth of the face in two frames, and open again two later."""
    one_euro, size = OneEuroFilter(), 100.0
    closed = [0.0] * 10 + [0.5, 1.0, 1.0, 0.5] + [0.0] * 10
    seen = [one_euro(np.full((1, 2), 5 * part, np.float32), size)[0, 0] / 5 for part in closed]
    assert max(seen) > 0.85 and seen[18] < 0.2


def test_size_of_the_subject_does_not_matter() -> None:
    path = np.random.default_rng(1).normal(size=(20, 4, 2)).astype(np.float32)
    small, large = OneEuroFilter(), OneEuroFilter()
    for points in path:
        np.testing.assert_allclose(10 * small(points, 8), large(10 * points, 80), rtol=1e-4)


def test_results_are_the_callers_own() -> None:
    one_euro = OneEuroFilter()
    points = np.ones((3, 2), np.float32)
    for _ in range(2):
        one_euro(points, 10)[:] = 99
    assert one_euro(points, 10) == pytest.approx(np.ones((3, 2)))
    assert (points == 1).all()
