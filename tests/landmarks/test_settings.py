"""Settings that a packed network of points carries: defaults, unknown names, ranges."""

from __future__ import annotations

from typing import Any

import pytest

from binvision.errors import ModelFileError
from binvision.landmarks import LandmarkSettings

NEEDED = {"scheme": "face68", "input_size": 256, "stride": 4}


def test_absent_values_have_their_defaults_and_lists_become_tuples() -> None:
    settings = LandmarkSettings.from_mapping(NEEDED, "model m")
    assert settings == LandmarkSettings("face68", 256, 4)
    placed = LandmarkSettings.from_mapping({**NEEDED, "detector_box": [0.1, 0, 2]}, "model m")
    assert placed.detector_box == (0.1, 0, 2)
    hash(placed)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stride": 8}, "model m: landmark settings lack input_size, scheme"),
        ({**NEEDED, "size": 1}, "unknown landmark settings size; this version knows crop, det"),
        ({**NEEDED, "scheme": "face67"}, "model m: landmark setting scheme = 'face67' out of ra"),
        ({**NEEDED, "scheme": ["face68"]}, r"scheme = \['face68'\] out of range"),
        ({**NEEDED, "stride": 0}, "stride = 0 out of range"),
        ({**NEEDED, "stride": 4.0}, "stride = 4.0 out of range"),
        ({**NEEDED, "stride": True}, "stride = True out of range"),
        ({**NEEDED, "input_size": 250}, "input_size = 250 out of range"),
        ({**NEEDED, "input_size": 8192}, "input_size = 8192 out of range"),
        ({**NEEDED, "input_size": 10**400}, r"input_size = 10{56}\.\.\. out of range"),
        ({**NEEDED, "crop": 0.9}, "crop = 0.9 out of range"),
        ({**NEEDED, "crop": float("inf")}, "crop = inf out of range"),
        ({**NEEDED, "crop": None}, "crop = None out of range"),
        ({**NEEDED, "presence_threshold": 1.1}, "presence_threshold = 1.1 out of range"),
        ({**NEEDED, "presence_threshold": float("nan")}, "presence_threshold = nan out of range"),
        ({**NEEDED, "detector": 5}, "detector = 5 out of range"),
        ({**NEEDED, "detector_box": [0, 0]}, r"detector_box = \[0, 0\] out of range"),
        ({**NEEDED, "detector_box": [0, 0, 0]}, r"detector_box = \[0, 0, 0\] out of range"),
        ({**NEEDED, "detector_box": [2, 0, 1]}, r"detector_box = \[2, 0, 1\] out of range"),
        ({**NEEDED, "detector_box": [0, "0", 1]}, r"detector_box = \[0, '0', 1\] out of range"),
        ({**NEEDED, "detector_box": 1.0}, "detector_box = 1.0 out of range"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        LandmarkSettings.from_mapping(values, "model m")
