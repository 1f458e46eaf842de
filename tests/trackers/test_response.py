"""The peak search against the paper's own way: up-sample whole maps, then take the maximum."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from binvision.errors import ModelError
from binvision.trackers.response import Peak, PeakFinder

SIDE, UP = 21, 16
EQUAL = np.ones(3, np.float32)


def hills(seed: int, at: tuple[float, float] | None = None, count: int = 3) -> np.ndarray:
    """Smooth random logits (count, SIDE, SIDE), with one clear hill ``at`` (x, y) cells."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(-4, 0.6, (count, SIDE, SIDE)).astype(np.float32)
    maps = np.stack([cv2.GaussianBlur(each, (0, 0), 1.2) for each in maps])
    if at is not None:
        y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
        maps += 8 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 4.5).astype(np.float32)
    return maps


def by_the_paper(responses: np.ndarray, penalties: np.ndarray, influence: float) -> Peak:
    """Bertinetto et al., section 4.1, on whole up-sampled maps in float64."""
    floor = responses.min()
    mass = float((responses[len(responses) // 2].astype(np.float64) - floor).sum())
    window = np.hanning(SIDE * UP)
    window = np.outer(window, window)
    window /= window.sum() / UP**2
    best, best_value = None, -np.inf
    for index, response in enumerate(responses):
        fine = cv2.resize(response, (SIDE * UP, SIDE * UP), interpolation=cv2.INTER_CUBIC)
        value = (1 - influence) * penalties[index] * (fine - float(floor)) / mass
        value = value + influence * window
        y, x = np.unravel_index(value.argmax(), value.shape)
        if value[y, x] > best_value:
            middle = (SIDE * UP - 1) / 2
            best = Peak(index, ((x - middle) / UP, (y - middle) / UP), float(fine[y, x]))
            best_value = value[y, x]
    assert best is not None
    return best


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("influence", [0.0, 0.2, 0.4])
def test_the_same_peak_as_on_whole_maps(seed: int, influence: float) -> None:
    rng = np.random.default_rng(1000 + seed)
    responses = hills(seed, at=tuple(rng.uniform(-9, 9, 2)))
    penalties = np.array([0.97, 1, 0.97], np.float32)
    found = PeakFinder(SIDE, UP, influence).find(responses, penalties, windowed=True)
    expected = by_the_paper(responses, penalties, influence)
    assert found.response == expected.response
    assert found.offset_xy == pytest.approx(expected.offset_xy, abs=1.01 / UP)
    assert found.logit == pytest.approx(expected.logit, abs=0.01)


@pytest.mark.parametrize("at", [(0.0, 0.0), (3.25, -4.5), (-7.6, 2.1), (10.0, -10.0)])
def test_a_hill_is_found_to_a_part_of_a_cell(at: tuple[float, float]) -> None:
    responses = hills(0, at=at, count=1) * 0 + hills(1, at=at, count=1)
    peak = PeakFinder(SIDE, UP, 0.0).find(responses, EQUAL[:1], windowed=False)
    assert peak.offset_xy == pytest.approx(at, abs=0.5)


def test_the_centre_has_no_offset() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    response = np.exp(-(x**2 + y**2) / 4.0).astype(np.float32)[None]
    peak = PeakFinder(SIDE, UP, 0.2).find(response, EQUAL[:1], windowed=True)
    assert peak.offset_xy == pytest.approx((0, 0), abs=0.5 / UP + 1e-9)
    assert peak.logit == pytest.approx(1.0, abs=0.01)


def test_the_window_prefers_the_near_one_of_two_equals() -> None:
    near, far = hills(2, at=(2.0, 0.0)), hills(2, at=(-9.0, 8.0))
    both = np.maximum(near, far)
    finder = PeakFinder(SIDE, UP, 0.3)
    assert finder.find(both, EQUAL, windowed=True).offset_xy == pytest.approx((2, 0), abs=0.7)


def test_the_penalty_decides_between_equal_scales() -> None:
    one = hills(3, at=(1.0, 1.0), count=1)[0]
    responses = np.stack([one, one, one])
    finder = PeakFinder(SIDE, UP, 0.2)
    for favourite in range(3):
        penalties = np.full(3, 0.9, np.float32)
        penalties[favourite] = 1.0
        assert finder.find(responses, penalties, windowed=True).response == favourite


def test_the_penalty_works_on_negative_logits_too() -> None:
    """Multiplied as they are, negative logits would gain by a factor below 1."""
    one = hills(4, at=(0.0, 0.0), count=1)[0] - 20
    responses = np.stack([one, one, one])
    penalties = np.array([0.9, 1, 0.9], np.float32)
    assert PeakFinder(SIDE, UP, 0.0).find(responses, penalties, windowed=False).response == 1


def test_responses_are_not_changed() -> None:
    responses = hills(5)
    before = responses.copy()
    PeakFinder(SIDE, UP, 0.2).find(responses, EQUAL, windowed=True)
    np.testing.assert_array_equal(responses, before)


def test_a_flat_response_gives_the_centre() -> None:
    peak = PeakFinder(SIDE, UP, 0.2).find(
        np.zeros((3, SIDE, SIDE), np.float32), EQUAL, windowed=True
    )
    assert peak.offset_xy == pytest.approx((0, 0), abs=0.5 / UP + 1e-9)


def test_a_response_that_would_be_too_large() -> None:
    with pytest.raises(ModelError, match="a response of 300 cells, up-sampled by 16, is 4800 wide"):
        PeakFinder(300, 16, 0.2)
