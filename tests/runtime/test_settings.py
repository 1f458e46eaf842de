"""What the settings of all tasks share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from binvision.errors import ModelFileError
from binvision.runtime.settings import check_names, check_ranges, is_number, is_whole


@dataclass(frozen=True)
class Settings:
    side: int
    step: float
    most: int = 3


def test_names_are_known_and_needed_ones_there() -> None:
    check_names(Settings, {"side": 1, "step": 2.0}, "test", "model m")
    with pytest.raises(ModelFileError, match=r"^model m: unknown test settings a, b; this version"):
        check_names(Settings, {"b": 1, "side": 1, "a": 1, "step": 1}, "test", "model m")
    with pytest.raises(ModelFileError, match=r"knows most, side, step$"):
        check_names(Settings, {"sides": 1}, "test", "model m")
    with pytest.raises(ModelFileError, match=r"^model m: test settings lack side, step$"):
        check_names(Settings, {"most": 1}, "test", "model m")


def test_the_first_value_out_of_range_is_shown() -> None:
    check_ranges({"side": True}, {}, "test", "m")
    with pytest.raises(ModelFileError, match=r"^m: test setting step = 'x\\n' out of range$"):
        check_ranges({"side": True, "step": False}, {"side": 1, "step": "x\n"}, "test", "m")


def test_numbers() -> None:
    assert all(map(is_number, (0, -1, 2.5, 3e38)))
    odd = (True, None, "1", [1], float("nan"), float("inf"), 10**400)
    assert not any(map(is_number, odd))
    assert is_whole(1, 5) and is_whole(5, 5)
    assert not any(is_whole(value, 5) for value in (0, 6, 10**400, -1, 1.0, True, "1", None))
