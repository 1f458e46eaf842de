"""Settings that a packed detector carries: defaults, unknown names, ranges."""

from __future__ import annotations

from typing import Any

import pytest

from binvision.detectors import DetectorSettings
from binvision.errors import ModelFileError

NEEDED = {"classes": ["car", "bus"], "stride": 8, "multiple": 32, "input_size": 320}


def test_absent_values_have_their_defaults_and_lists_become_tuples() -> None:
    settings = DetectorSettings.from_mapping(NEEDED, "model m")
    assert settings == DetectorSettings(("car", "bus"), 8, 32, 320)
    assert hash(settings) == hash(DetectorSettings(("car", "bus"), 8, 32, 320))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stride": 8}, "model m: detection settings lack classes, input_size, multiple"),
        ({**NEEDED, "nms": 1}, "unknown detection settings nms; this version knows classes, inp"),
        ({**NEEDED, "classes": []}, r"model m: detection setting classes = \[\] out of range"),
        ({**NEEDED, "classes": "car"}, "classes = 'car' out of range"),
        ({**NEEDED, "classes": ["car", "car"]}, r"classes = \['car', 'car'\] out of range"),
        ({**NEEDED, "classes": ["car", 7]}, r"classes = \['car', 7\] out of range"),
        ({**NEEDED, "classes": ["car", " "]}, r"classes = \['car', ' '\] out of range"),
        ({**NEEDED, "classes": ["car", ["a"]]}, r"classes = \['car', \['a'\]\] out of range"),
        ({**NEEDED, "stride": 0}, "detection setting stride = 0 out of range"),
        ({**NEEDED, "stride": 8.0}, "stride = 8.0 out of range"),
        ({**NEEDED, "stride": True}, "stride = True out of range"),
        ({**NEEDED, "multiple": 20}, "multiple = 20 out of range"),
        ({**NEEDED, "multiple": "32"}, "multiple = '32' out of range"),
        ({**NEEDED, "input_size": 8193}, "input_size = 8193 out of range"),
        ({**NEEDED, "max_detections": 10**400}, r"max_detections = 10{56}\.\.\. out of range"),
        ({**NEEDED, "score_threshold": 1.5}, "score_threshold = 1.5 out of range"),
        ({**NEEDED, "score_threshold": None}, "score_threshold = None out of range"),
        ({**NEEDED, "iou_threshold": float("nan")}, "iou_threshold = nan out of range"),
        ({**NEEDED, "quality_weight": 1}, "quality_weight = 1 out of range"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        DetectorSettings.from_mapping(values, "model m")
