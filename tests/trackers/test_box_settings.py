"""Settings of trackers with a box head: defaults, unknown names, ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from binvision.errors import ModelError, ModelFileError
from binvision.trackers.box_model import COARSE_CROP, FINE_CROP, BoxTracker
from binvision.trackers.box_network import middle_of
from binvision.trackers.box_settings import TASK, BoxSettings


def test_defaults_are_those_of_the_network() -> None:
    settings = BoxSettings.from_mapping({}, "m")

    assert settings == BoxSettings()
    assert (settings.stride, settings.origin) == (BoxTracker.stride, BoxTracker.origin)
    assert (settings.fine_crop, settings.coarse_crop) == (FINE_CROP, COARSE_CROP)
    assert BoxTracker.task == TASK


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale_step": 1.04}, "unknown tracking settings scale_step"),
        ({"stride": 0}, "stride = 0 out of range"),
        ({"fine_crop": 7.5}, "fine_crop = 7.5 out of range"),
        ({"origin": -1}, "origin = -1 out of range"),
        ({"search_size": 5000}, "search_size = 5000 out of range"),
        ({"window_influence": 1.5}, "window_influence = 1.5 out of range"),
        ({"penalty_k": -0.1}, "penalty_k = -0.1 out of range"),
        ({"size_lr": 2}, "size_lr = 2 out of range"),
        ({"lost_threshold": 0.6}, "lost_threshold = 0.6 out of range"),
        ({"found_threshold": 1.5}, "found_threshold = 1.5 out of range"),
        ({"lost_looks": 0}, "lost_looks = 0 out of range"),
        ({"lost_growth": 0.9}, "lost_growth = 0.9 out of range"),
        ({"score_scale": 0}, "score_scale = 0 out of range"),
        ({"light_band": -1}, "light_band = -1 out of range"),
        ({"habit_limit": 3}, "habit_limit = 3 out of range"),
        ({"context": float("nan")}, "context = nan is not a number"),
        ({"context": "0.5"}, "context = '0.5' is not a number"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        BoxSettings.from_mapping(values, "model m")


def test_the_spare_row_of_an_even_map_is_the_last() -> None:
    features = np.arange(8 * 8, dtype=np.float32).reshape(8, 8, 1)

    assert middle_of(features, 6)[0, 0, 0] == 9  # row 1, column 1
    assert middle_of(features, 5)[0, 0, 0] == 9
    with pytest.raises(ModelError, match="fewer than the 9"):
        middle_of(features, 9)
