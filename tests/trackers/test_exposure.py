"""A search region in other light than the exemplar: what is brought back, and what is left."""

from __future__ import annotations

import numpy as np
import pytest

from binvision.trackers.exposure import Exposure


def picture(side: int, level: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, level / 8, (side, side, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", [12, 30, 200])
def test_other_light_is_brought_to_the_edge_of_the_band(level: int) -> None:
    exposure = Exposure(picture(127, 80), band=0.3)
    crop = picture(255, level, seed=1)
    exposure.adjust(crop)
    gain = (80 + 2) / (level + 2) * np.exp(0.3 if level > 80 else -0.3)
    assert crop.mean() == pytest.approx(level * gain, rel=0.03)


@pytest.mark.parametrize("level", [62, 80, 104])
def test_light_within_the_band_is_left_alone(level: int) -> None:
    exposure = Exposure(picture(127, 80), band=0.3)
    crop = picture(239, level, seed=1)
    before = crop.copy()
    exposure.adjust(crop)
    np.testing.assert_array_equal(crop, before)


def test_what_lies_around_the_target_does_not_count() -> None:
    exposure = Exposure(picture(127, 80), band=0.1)
    crop = picture(255, 80, seed=1)
    crop[:60] = 255
    crop[-60:] = 0
    before = crop.copy()
    exposure.adjust(crop)
    np.testing.assert_array_equal(crop, before)


def test_small_exemplars_count_whole() -> None:
    crop = picture(143, 30, seed=1)
    Exposure(picture(63, 80), band=0.3).adjust(crop)
    assert crop.mean() == pytest.approx(30 * 82 / 32 * np.exp(-0.3), rel=0.03)


def test_black_and_white_pictures_are_no_fault() -> None:
    crop = np.zeros((255, 255, 3), np.uint8)
    Exposure(np.full((127, 127, 3), 255, np.uint8), band=0.3).adjust(crop)
    assert not crop.any()
    crop = np.full((255, 255, 3), 255, np.uint8)
    Exposure(np.zeros((127, 127, 3), np.uint8), band=0.3).adjust(crop)
    assert crop.max() < 10
