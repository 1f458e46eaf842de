"""Settings that a packed model carries: defaults, unknown names, ranges."""

from __future__ import annotations

from typing import Any

import pytest

from binvision.errors import ModelFileError
from binvision.trackers import SiamFCSettings

NEEDED = {"response_scale": 0.01, "response_bias": -4.0}


def test_absent_values_have_their_defaults() -> None:
    settings = SiamFCSettings.from_mapping(NEEDED, "model m")
    assert settings == SiamFCSettings(response_scale=0.01, response_bias=-4.0)
    assert settings.scales == pytest.approx((1 / 1.04, 1, 1.04))


def test_whole_numbers_may_stand_for_fractions() -> None:
    assert SiamFCSettings.from_mapping({**NEEDED, "response_bias": -4}, "m").response_bias == -4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"response_scale": 1.0}, "model m: tracking settings lack response_bias"),
        (
            {**NEEDED, "scale_stp": 1},
            "unknown tracking settings scale_stp; this version knows cont",
        ),
        ({**NEEDED, "stride": 0}, "tracking setting stride = 0 out of range"),
        ({**NEEDED, "stride": 8.0}, "stride = 8.0 out of range"),
        ({**NEEDED, "response_scale": 0.0}, "response_scale = 0.0 out of range"),
        ({**NEEDED, "scale_count": 4}, "scale_count = 4 out of range"),
        ({**NEEDED, "scale_step": 1.0}, "scale_step = 1.0 out of range"),
        ({**NEEDED, "window_influence": 1.2}, "window_influence = 1.2 out of range"),
        ({**NEEDED, "search_size": 4097}, "search_size = 4097 out of range"),
        ({**NEEDED, "scale_count": 101}, "scale_count = 101 out of range"),
        ({**NEEDED, "scale_count": 5, "search_size": 4096}, "scale_count = 5 out of range"),
        ({**NEEDED, "scale_step": 1e30}, "scale_step = 1e\\+30 out of range"),
        ({**NEEDED, "response_scale": 1e39}, "response_scale = 1e.39 is not a number that fits fl"),
        ({**NEEDED, "context": 10.5}, "context = 10.5 out of range"),
        ({**NEEDED, "response_up": 10**400}, "response_up = 10{56}\\.\\.\\. is not a number"),
        ({**NEEDED, "lost_threshold": 0.6}, "lost_threshold = 0.6 out of range"),
        ({**NEEDED, "found_threshold": 1.5}, "found_threshold = 1.5 out of range"),
        ({**NEEDED, "scale_lr": float("nan")}, "scale_lr = nan is not a number"),
        ({**NEEDED, "context": "0.5"}, "context = '0.5' is not a number"),
        ({**NEEDED, "response_bias": float("nan")}, "response_bias = nan is not a number"),
        ({**NEEDED, "response_bias": None}, "response_bias = None is not a number"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        SiamFCSettings.from_mapping(values, "model m")
